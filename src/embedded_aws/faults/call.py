"""Find out which operation a request calls, and the values that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from embedded_aws.agentcore import model
from embedded_aws.http_messages import Request

# What the signature's scope says, where the model has another name.
_MODELS = {"bedrock-agentcore": "bedrock-agentcore-control"}


@dataclass(frozen=True)
class Call:
    """One API call. `values` are its parameters, flat: `InstanceId.1` in queries, member names in JSON."""

    service: str
    operation: str
    values: tuple[tuple[str, str], ...] = ()

    def value(self, *names: str) -> str:
        """Return the first value under one of these names, or an empty string."""
        return next((value for name, value in self.values if name in names), "")


def call_of(request: Request, service: str) -> Call:
    """Return the call that a request makes; its operation is empty where no model has it."""
    if target := request.header("x-amz-target"):
        return Call(service, target.rpartition(".")[2], _json_values(request.body))
    form = _form(request)
    if action := dict(form).get("Action"):
        return Call(service, action, form)
    operation = _rest_operation(request, _MODELS.get(service, service))
    return Call(service, operation, _json_values(request.body) if service in _MODELS else ())


def _form(request: Request) -> tuple[tuple[str, str], ...]:
    if not request.header("content-type").startswith("application/x-www-form-urlencoded"):
        return request.parameters
    return (*request.parameters, *parse_qsl(request.body.decode("latin-1"), keep_blank_values=True))


def _json_values(body: bytes) -> tuple[tuple[str, str], ...]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return ()
    return tuple(_leaves(document)) if isinstance(document, Mapping) else ()


def _leaves(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in document.items():
        if isinstance(value, str):
            yield name, value
        elif isinstance(value, Mapping):
            yield from _leaves(value)


@dataclass(frozen=True)
class _Operation:
    name: str
    method: str
    segments: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    needed: frozenset[str]
    headers: frozenset[str]

    def fits(self, request: Request) -> bool:
        asked = dict(request.parameters)
        return (
            self.method == request.method
            and _same(self.segments, _segments(request.raw_path))
            and all(asked.get(name) == value for name, value in self.query)
            and self.needed <= asked.keys()
            and all(request.header(name) for name in self.headers)
        )

    @property
    def exactness(self) -> int:
        return len(self.query) + len(self.needed) + len(self.headers)


def _rest_operation(request: Request, service: str) -> str:
    """Return the name of the matching operation with the most conditions; empty where none matches."""
    fitting = [operation for operation in _operations(service) if operation.fits(request)]
    return max(fitting, key=lambda operation: operation.exactness).name if fitting else ""


@cache
def _operations(service: str) -> tuple[_Operation, ...]:
    described = model.load_model(service)
    current = {name: parts for name, parts in described["operations"].items() if not parts.get("deprecated")}
    return tuple(_operation(name, parts, described["shapes"]) for name, parts in sorted(current.items()))


def _operation(name: str, parts: Mapping[str, Any], shapes: Mapping[str, Any]) -> _Operation:
    path, _, query = parts["http"]["requestUri"].partition("?")
    structure = shapes[parts["input"]["shape"]] if "input" in parts else {"members": {}}
    required = [structure["members"][member] for member in structure.get("required", ())]
    return _Operation(
        name,
        parts["http"]["method"],
        _segments(path),
        tuple(parse_qsl(query, keep_blank_values=True)),
        frozenset(member["locationName"] for member in required if member.get("location") == "querystring"),
        frozenset(member["locationName"].lower() for member in required if member.get("location") == "header"),
    )


def _segments(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _same(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    rest = bool(pattern) and pattern[-1].endswith("+}")
    if len(path) < len(pattern) or (len(path) > len(pattern) and not rest):
        return False
    return all(part.startswith("{") or part == asked for part, asked in zip(pattern, path, strict=False))
