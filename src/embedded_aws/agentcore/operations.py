"""Find the operation that an HTTP request calls, and its members."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

from embedded_aws.agentcore.errors import unparsable
from embedded_aws.agentcore.model import Model, members
from embedded_aws.http_messages import parse_json

CONTROL, DATA = "bedrock-agentcore-control", "bedrock-agentcore"


@dataclass(frozen=True)
class Operation:
    """One operation of the control or data plane, with its method and path."""

    plane: str
    model: Model
    name: str
    method: str
    segments: tuple[str, ...]
    status: int
    input_shape: str
    output_shape: str | None

    def labels(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        """Return the values of the `{label}`s where this path is the path of this operation, else None."""
        if len(segments) != len(self.segments):
            return None
        found: dict[str, str] = {}
        for pattern, text in zip(self.segments, segments, strict=True):
            if pattern.startswith("{"):
                found[pattern.strip("{}")] = unquote(text)
            elif pattern != text:
                return None
        return found


@cache
def _operations() -> tuple[Operation, ...]:
    return tuple(
        Operation(
            plane=plane,
            model=model,
            name=name,
            method=parts["http"]["method"],
            segments=_segments(parts["http"]["requestUri"]),
            status=parts["http"]["responseCode"],
            input_shape=parts["input"]["shape"],
            output_shape=parts["output"]["shape"] if "output" in parts else None,
        )
        for plane, model in ((CONTROL, Model.of(CONTROL)), (DATA, Model.of(DATA)))
        for name, parts in model.operations.items()
    )


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.strip("/").split("/"))


def operation_at(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """Return the operation of a method and path, with the labels of the path. `path` is still percent-encoded."""
    segments = _segments(path)
    for operation in _operations():
        if operation.method == method and (labels := operation.labels(segments)) is not None:
            return operation, labels
    return None


def request_of(operation: Operation, labels: Mapping[str, str], query: str, body: bytes) -> dict[str, Any]:
    """Collect the members of a request from path, query and body; members that the model does not have are dropped, as on AWS."""
    model = operation.model
    in_query = parse_qs(query, keep_blank_values=True)
    in_body = _json_object(body) if body else {}
    request: dict[str, Any] = {}
    for name, member_shape, location in members(model.shapes[operation.input_shape]):
        if location == "uri":
            request[name] = labels[name]
        elif location == "querystring" and name in in_query:
            request[name] = _from_query(model.shapes[member_shape]["type"], in_query[name])
        elif location == "body" and in_body.get(name) is not None:
            request[name] = in_body[name]
    known: dict[str, Any] = model.project(operation.input_shape, request)
    return known


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        found = parse_json(body)
    except ValueError:
        raise unparsable("The request body is not valid JSON.") from None
    if not isinstance(found, dict):
        raise unparsable("The request body must be a JSON object.")
    return found


def _from_query(kind: str, values: list[str]) -> object:
    if kind == "list":
        return values
    if kind == "integer":
        try:
            return int(values[0])
        except ValueError:
            raise unparsable(f"{values[0][:50]!r} can not be converted to an Integer") from None
    return values[0]
