"""AWS's own description of the API, as botocore ships it: the service, its shapes and their members."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from embedded_aws.agentcore.errors import unparsable

type Shape = Mapping[str, Any]

_JSON_TYPES: Mapping[str, tuple[type[Any], ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
    "timestamp": (str, int, float),
}


def service() -> Mapping[str, Any]:
    return load_model("bedrock-agentcore-control")


@cache
def load_model(name: str) -> Mapping[str, Any]:
    """Any service's description. Raises botocore's UnknownServiceError for a name that it does not know."""
    from botocore.loaders import Loader

    model: Mapping[str, Any] = Loader().load_service_model(name, "service-2")
    return model


def shape(name: str) -> Shape:
    """A shape of the model, by its name there."""
    found: Shape = service()["shapes"][name]
    return found


def members(structure: Shape) -> Iterator[tuple[str, str, str]]:
    """Each member of a structure as (name on the wire, shape, where it travels)."""
    for name, member in structure["members"].items():
        yield member.get("locationName", name), member["shape"], member.get("location", "body")


def project(shape_name: str, value: Any) -> Any:
    """`value` with only the members that its shape has. Raises SerializationException where a JSON type is wrong."""
    load_model = shape(shape_name)
    kind = load_model["type"]
    if load_model.get("document"):
        return value
    if not isinstance(value, _JSON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise unparsable(f"Unexpected {type(value).__name__} where a {kind} ({shape_name}) belongs")
    if kind == "structure":
        return {name: project(inner, value[name]) for name, inner, _ in members(load_model) if value.get(name) is not None}
    if kind == "list":
        return [project(load_model["member"]["shape"], item) for item in value]
    if kind == "map":
        return {key: project(load_model["value"]["shape"], item) for key, item in value.items()}
    return value
