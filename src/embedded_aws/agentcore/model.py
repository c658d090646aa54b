"""The descriptions of APIs that botocore ships: its shapes, their members, and the constraints of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from embedded_aws.agentcore.errors import Violation, unparsable
from embedded_aws.strict.patching import replace

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

_TAGGABLE = r"arn:(?:[^:]+)?:bedrock-agentcore:[a-z0-9-]+:[0-9]{12}:([a-z-]+/[^/]+)(?:/[a-z-]+/[^/]+)*"
# Tags are given to OAuth2 credential providers, whose kind in an ARN has a digit, which the pattern of such ARNs leaves out.
_CORRECTED = {_TAGGABLE: _TAGGABLE.replace("(?:/[a-z-]+", "(?:/[a-z0-9-]+")}


@cache
def load_model(name: str) -> Mapping[str, Any]:
    """Load the description of any service. Raises UnknownServiceError of botocore for an unknown name."""
    from botocore.loaders import Loader

    # By a loader of its own: a client of S3 takes the bucket out of the paths in the model that it was given.
    model: Mapping[str, Any] = Loader().load_service_model(name, "service-2")
    return model


@cache
def has_model(name: str) -> bool:
    """Return whether botocore describes a service of this name."""
    return name in _share_loader(None).list_available_services("service-2")


def parse_models_once() -> None:
    """Share one loader, which keeps what it has parsed, among all botocore sessions: moto opens several, each with EC2's model of 3 MB."""
    from botocore import session

    replace(session, "create_loader", _share_loader)


@cache
def _share_loader(search_path: str | None = None) -> Any:
    from botocore import loaders

    return loaders.create_loader(search_path)


@dataclass(frozen=True)
class Model:
    """The operations and shapes of one service."""

    operations: Mapping[str, Any]
    shapes: Mapping[str, Shape]

    @classmethod
    def of(cls, service: str) -> Model:
        """Return the model of a service that botocore describes."""
        found = load_model(service)
        return cls(found["operations"], found["shapes"])

    def project(self, shape_name: str, value: Any) -> Any:
        """Keep only the members of `value` that its shape has. Raises SerializationException where a JSON type is wrong."""
        described = self.shapes[shape_name]
        kind = described["type"]
        if described.get("document"):
            return value
        if not isinstance(value, _JSON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
            raise unparsable(f"Unexpected {type(value).__name__} where a {kind} ({shape_name}) belongs")
        if kind == "structure":
            return {name: self.project(inner, value[name]) for name, inner, _ in members(described) if value.get(name) is not None}
        if kind == "list":
            return [self.project(described["member"]["shape"], item) for item in value]
        if kind == "map":
            return {key: self.project(described["value"]["shape"], item) for key, item in value.items()}
        return value

    def violations(self, shape_name: str, value: Any, path: str = "") -> Iterator[Violation]:
        """Return every constraint of its shape that `value` breaks; `value` is a result of `project`."""
        described = self.shapes[shape_name]
        kind = described["type"]
        if kind == "structure":
            yield from self._structure_violations(described, value, path)
        elif kind == "list":
            yield from _size_violations(described, len(value), path)
            for index, item in enumerate(value, start=1):
                yield from self.violations(described["member"]["shape"], item, f"{path}.{index}.member")
        elif kind == "map":
            yield from _size_violations(described, len(value), path)
            for key, item in value.items():
                yield from self.violations(described["key"]["shape"], key, f"{path}.key")
                yield from self.violations(described["value"]["shape"], item, f"{path}.{key}.value")
        elif kind == "string":
            yield from _size_violations(described, len(value), path)
            yield from _text_violations(described, value, path)
        elif kind in ("integer", "long"):
            yield from _range_violations(described, value, path)

    def _structure_violations(self, described: Shape, value: Mapping[str, Any], path: str) -> Iterator[Violation]:
        if described.get("union") and len(value) != 1:
            yield Violation(path, f"Exactly one member must be set of: {', '.join(described['members'])}")
        required = described.get("required", ())
        for name, inner, _ in members(described):
            inner_path = f"{path}.{name}" if path else name
            if name in value:
                yield from self.violations(inner, value[name], inner_path)
            elif name in required:
                yield Violation(inner_path, "Member must not be null")


def members(structure: Shape) -> Iterator[tuple[str, str, str]]:
    """Return each member of a structure as (name on the wire, shape, location)."""
    for name, member in structure["members"].items():
        yield member.get("locationName", name), member["shape"], member.get("location", "body")


def _size_violations(described: Shape, size: int, path: str) -> Iterator[Violation]:
    if size < described.get("min", 0):
        yield Violation(path, f"Member must have length greater than or equal to {described['min']}")
    if "max" in described and size > described["max"]:
        yield Violation(path, f"Member must have length less than or equal to {described['max']}")


def _range_violations(described: Shape, value: int, path: str) -> Iterator[Violation]:
    if "min" in described and value < described["min"]:
        yield Violation(path, f"Member must have value greater than or equal to {described['min']}")
    if "max" in described and value > described["max"]:
        yield Violation(path, f"Member must have value less than or equal to {described['max']}")


def _text_violations(described: Shape, value: str, path: str) -> Iterator[Violation]:
    if "enum" in described and value not in described["enum"]:
        yield Violation(path, f"Member must satisfy enum value set: [{', '.join(described['enum'])}]")
    pattern: str = described.get("pattern", "")
    # Longer text is no name, URI or ARN, and could make a pattern very slow.
    if pattern and (len(value) > 65_536 or not re.fullmatch(_CORRECTED.get(pattern, pattern), value)):
        yield Violation(path, f"Member must satisfy regular expression pattern: {pattern}")
