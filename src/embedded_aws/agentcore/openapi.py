"""Read an OpenAPI document as AgentCore does: every operation becomes a tool, or the reasons why not are listed. Pure."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from embedded_aws.agentcore.schemas import SchemaError, Schemas

type Node = Mapping[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_UNSUPPORTED_SCHEMA = ("oneOf", "anyOf", "allOf")
_STYLES = {"path": "simple", "query": "form", "header": "simple"}
_TOOLS_AT_MOST = 1000


@dataclass(frozen=True)
class Parameter:
    """One argument of a tool that is sent in the path, query or headers of the request."""

    name: str
    location: str
    required: bool
    schema: Mapping[str, Any]
    description: str


@dataclass(frozen=True)
class RequestBody:
    """A JSON body; the properties of an object are arguments of the tool, anything else is the argument `body`."""

    required: bool
    schema: Mapping[str, Any]

    @property
    def is_object(self) -> bool:
        return self.schema.get("type") == "object" and "properties" in self.schema


@dataclass(frozen=True)
class ApiOperation:
    """One operation of an API."""

    operation_id: str
    method: str
    server: str
    path: str
    description: str
    parameters: tuple[Parameter, ...]
    body: RequestBody | None


@dataclass(frozen=True)
class Unusable:
    """The reasons why AgentCore creates no tools from a document."""

    reasons: tuple[str, ...]


def read(document: bytes) -> tuple[ApiOperation, ...] | Unusable:
    """Return the operations of a document (JSON or YAML), or everything in it that AgentCore does not accept."""
    parsed = _parse(document)
    if not isinstance(parsed, dict):
        return Unusable(("The OpenAPI schema can't be parsed: it is neither a JSON nor a YAML object.",))
    if not str(parsed.get("openapi", "")).startswith(("3.0", "3.1")):
        return Unusable((f"OpenAPI version {str(parsed.get('openapi', 'missing'))[:20]} is not supported; use 3.0 or 3.1.",))
    reasons = (*_server_reasons(parsed), *_forbidden(parsed), *_operation_reasons(parsed))
    if reasons:
        return Unusable(reasons)
    try:
        return tuple(_operations(parsed))
    except SchemaError as broken:
        return Unusable((str(broken),))


def _parse(document: bytes) -> object:
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        return _parse_yaml(document)


def _parse_yaml(document: bytes) -> object:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(io.BytesIO(document))
    except (YAMLError, UnicodeDecodeError, RecursionError, ValueError):
        return None


def _server_reasons(document: Node) -> Iterator[str]:
    servers = document.get("servers") or []
    url = servers[0].get("url", "") if isinstance(servers, list) and servers and isinstance(servers[0], dict) else ""
    if not url:
        yield "The OpenAPI schema has no server URL."
        return
    if "{" in url:
        yield "Server URLs with variables are not supported."
    if not is_https(url):
        yield f"The server URL must be an absolute https URL: {url[:200]}"


def is_https(url: str) -> bool:
    """Return whether this is an absolute https URL with a host, no user and no fragment."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError for an invalid port
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc and not parts.fragment


def _forbidden(document: Node) -> Iterator[str]:
    # `security` and `components.securitySchemes` are ignored: six of Amazon's own sample documents have them, and their targets are READY.
    for keyword in _UNSUPPORTED_SCHEMA:
        if place := next(_places_of(document, keyword), None):
            yield f"The schema keyword {keyword} is not supported: {place}"


def _places_of(document: object, keyword: str) -> Iterator[str]:
    """Find a schema keyword, as JSON pointers; names inside `properties` and examples are data, not keywords."""
    stack: list[tuple[str, object, bool]] = [("#", document, False)]
    while stack:
        pointer, node, names_only = stack.pop()
        if isinstance(node, dict):
            if not names_only and isinstance(node.get(keyword), list):
                yield f"{pointer}/{keyword}"
            stack.extend(
                (f"{pointer}/{key}", inner, key in ("properties", "schemas") and not names_only)
                for key, inner in node.items()
                if names_only or key not in ("example", "examples", "default", "enum", "const")
            )
        elif isinstance(node, list):
            stack.extend((f"{pointer}/{index}", inner, False) for index, inner in enumerate(node))


def _each_operation(document: Node) -> Iterator[tuple[str, str, Node, Node]]:
    paths = document.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for method in METHODS:
            if isinstance(item, dict) and isinstance(item.get(method), dict):
                yield path, method, item, item[method]


def _operation_reasons(document: Node) -> Iterator[str]:
    seen: set[str] = set()
    for path, method, _, operation in _each_operation(document):
        where = f"{method.upper()} {path}"
        operation_id = operation.get("operationId")
        if not operation_id:
            yield f"{where} has no operationId."
        elif operation_id in seen:
            yield f"operationId {operation_id} is used more than once."
        seen.add(str(operation_id))
        if operation.get("callbacks"):
            yield f"{where}: callbacks are not supported."
        responses = operation.get("responses", {}).values() if isinstance(operation.get("responses"), dict) else ()
        if any(isinstance(response, dict) and response.get("links") for response in responses):
            yield f"{where}: links are not supported."
    if not seen:
        yield "The OpenAPI schema has no operations."
    if len(seen) > _TOOLS_AT_MOST:
        yield f"A target has at most {_TOOLS_AT_MOST} tools; this schema has {len(seen)} operations."


def _operations(document: Node) -> Iterator[ApiOperation]:
    schemas = Schemas(document)
    server = document["servers"][0]["url"].rstrip("/")
    for path, method, item, operation in _each_operation(document):
        declared = (*item.get("parameters", ()), *operation.get("parameters", ()))
        # A parameter of an operation replaces the one of its path with the same name and location.
        parameters = {(each.name, each.location): each for each in (_parameter(schemas, raw) for raw in declared)}
        yield ApiOperation(
            operation_id=str(operation["operationId"]),
            method=method.upper(),
            server=server,
            path=path,
            description=str(operation.get("description") or operation.get("summary") or operation["operationId"]),
            parameters=tuple(parameters.values()),
            body=_body(schemas, operation.get("requestBody")),
        )


def _parameter(schemas: Schemas, raw: Any) -> Parameter:
    node = schemas.node(raw)
    name, location = str(node.get("name", "")), str(node.get("in", ""))
    if location not in _STYLES:
        raise SchemaError(f"Parameters in {location or 'no place'} are not supported: {name}")
    if "content" in node or node.get("style", _STYLES[location]) != _STYLES[location]:
        raise SchemaError(f"Parameter serializers are not supported: {name}")
    return Parameter(
        name=name,
        location=location,
        required=bool(node.get("required")) or location == "path",
        schema=schemas.schema(node.get("schema", {"type": "string"})),
        description=str(node.get("description", "")),
    )


def _body(schemas: Schemas, raw: Any) -> RequestBody | None:
    if raw is None:
        return None
    node = schemas.node(raw)
    media = node.get("content", {}).get("application/json")
    if media is None:
        raise SchemaError("Request bodies must offer application/json.")
    return RequestBody(required=bool(node.get("required")), schema=schemas.schema(media.get("schema", {})))
