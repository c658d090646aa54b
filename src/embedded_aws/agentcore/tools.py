"""Tools: how a gateway shows an operation of an API, and the request that a call sends. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # its stubs are a package of their own

from embedded_aws.agentcore.openapi import ApiOperation, Parameter

SEPARATOR = "___"
# Headers that belong to the connection or to the gateway's own credentials; OpenAPI ignores parameters of the first three.
_RESERVED_HEADERS = frozenset(
    {
        "accept",
        "authorization",
        "content-type",
        "connection",
        "content-length",
        "cookie",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


@dataclass(frozen=True)
class Outbound:
    """The HTTP request of a tool call, before credentials are added."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True)
class Tool:
    """One operation of a target, as MCP clients see it."""

    name: str
    operation: ApiOperation
    input_schema: Mapping[str, Any]
    validator: Draft202012Validator = field(compare=False, repr=False)

    @classmethod
    def of(cls, target_name: str, operation: ApiOperation) -> Tool:
        """Create the tool of an operation; its name is `target___operationId`."""
        schema = _input_schema(operation)
        return cls(f"{target_name}{SEPARATOR}{operation.operation_id}", operation, schema, Draft202012Validator(schema))

    def to_json(self) -> dict[str, Any]:
        """Return the tool as `tools/list` shows it."""
        return {"name": self.name, "description": self.operation.description, "inputSchema": self.input_schema}

    def refusal(self, arguments: Mapping[str, Any]) -> str | None:
        """Return AgentCore's reason why these arguments can't be sent; None if they can."""
        reasons = [*self._missing(arguments), *self._type_errors(arguments), *self._unsendable(arguments)]
        if not reasons:
            return None
        listed = "".join(f"\n- {reason}" for reason in reasons)
        return f"ValidationException - Parameter validation failed: Invalid request parameters:{listed}"

    def _missing(self, arguments: Mapping[str, Any]) -> Iterator[str]:
        absent = [name for name in self.input_schema.get("required", ()) if name not in arguments]
        if absent:
            yield f"Missing required field(s): {', '.join(repr(name) for name in absent)}"

    def _type_errors(self, arguments: Mapping[str, Any]) -> Iterator[str]:
        for error in self.validator.iter_errors(arguments):
            if error.validator != "required" or error.absolute_path:
                where = ".".join(str(step) for step in error.absolute_path)
                yield f"Field '{where}': {error.message[:300]}"

    def _unsendable(self, arguments: Mapping[str, Any]) -> Iterator[str]:
        for parameter in self.operation.parameters:
            text = _text(arguments.get(parameter.name, ""))
            # Such a path segment would address another operation.
            if parameter.location == "path" and parameter.name in arguments and text in ("", ".", ".."):
                yield f"Field '{parameter.name}': not a path segment"
            if parameter.location == "header" and not (text.isascii() and text.isprintable()):
                yield f"Field '{parameter.name}': not a header value"

    def outbound(self, arguments: Mapping[str, Any]) -> Outbound:
        """Build the request for accepted arguments; arguments that the API does not have are left out."""
        operation = self.operation
        given = [each for each in operation.parameters if arguments.get(each.name) is not None]
        path = operation.path
        for parameter in given:
            if parameter.location == "path":
                path = path.replace(f"{{{parameter.name}}}", quote(_text(arguments[parameter.name]), safe=""))
        query = urlencode([pair for each in given if each.location == "query" for pair in _pairs(each, arguments)])
        headers = {each.name: _text(arguments[each.name]) for each in given if _is_plain_header(each)}
        url = f"{operation.server}{path}{'?' + query if query else ''}"
        body = self._body(arguments)
        return Outbound(operation.method, url, headers, None if body is None else json.dumps(body).encode())

    def _body(self, arguments: Mapping[str, Any]) -> Any:
        body = self.operation.body
        if body is None:
            return None
        if not body.is_object:
            return arguments.get("body")
        content = {name: arguments[name] for name in body.schema["properties"] if name in arguments}
        return content if content or body.required else None


def _input_schema(operation: ApiOperation) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    body = operation.body
    if body is not None and body.is_object:
        properties.update(body.schema["properties"])
        required.extend(body.schema.get("required", ()) if body.required else ())
    elif body is not None:
        properties["body"] = body.schema
        required.extend(("body",) if body.required else ())
    for parameter in operation.parameters:
        described = {"description": parameter.description} if parameter.description else {}
        properties[parameter.name] = {**parameter.schema, **described}
        if parameter.required and parameter.name not in required:
            required.append(parameter.name)
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _is_plain_header(parameter: Parameter) -> bool:
    return parameter.location == "header" and parameter.name.lower() not in _RESERVED_HEADERS


def _pairs(parameter: Parameter, arguments: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    value = arguments[parameter.name]
    for item in value if isinstance(value, list) else (value,):
        yield parameter.name, _text(item)


def _text(value: Any) -> str:
    """Format a value for a URL or header: booleans as in JSON, commas between items."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return json.dumps(value)
