"""What a request asks for, in AWS's own terms: service, operation, and the values that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from embedded_aws.faults import rest
from embedded_aws.request import Request

# What the signature's scope says, where the model has another name.
_MODELS = {"bedrock-agentcore": "bedrock-agentcore-control"}


@dataclass(frozen=True)
class Call:
    """One API call. `values` are its parameters, flat: `InstanceId.1` in queries, member names in JSON."""

    service: str
    operation: str
    values: tuple[tuple[str, str], ...] = ()

    def value(self, *names: str) -> str:
        """The first value under one of these names, or nothing."""
        return next((value for name, value in self.values if name in names), "")


def call_of(request: Request, service: str) -> Call:
    """The call that a request makes; its operation is empty where no model knows it."""
    if target := request.header("x-amz-target"):
        return Call(service, target.rpartition(".")[2], _json_values(request.body))
    form = _form(request)
    if action := dict(form).get("Action"):
        return Call(service, action, form)
    operation = rest.operation_of(request, _MODELS.get(service, service))
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
