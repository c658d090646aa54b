"""OpenAPI documents become tools or are refused with reasons. Pure: no AWS is needed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_aws.agentcore.openapi import ApiOperation, Unusable, is_https, read

SERVER = {"url": "https://api.example.com/v1"}


def document(*, version: str = "3.1.0", schemas: Any = None, operation: Any = None, **changes: Any) -> bytes:
    """A document of one operation, `GET /things/{id}`."""
    described = {"operationId": "get_thing", "responses": {"200": {"description": "OK"}}, **(operation or {})}
    whole = {
        "openapi": version,
        "servers": [SERVER],
        "paths": {"/things/{id}": {"get": described}},
        "components": {"schemas": schemas or {}},
        **changes,
    }
    return json.dumps(whole).encode()


def operation_of(source: bytes) -> ApiOperation:
    found = read(source)
    assert not isinstance(found, Unusable), found.reasons
    return found[0]


def reasons_of(source: bytes) -> str:
    found = read(source)
    assert isinstance(found, Unusable)
    return "\n".join(found.reasons)


def test_yaml_is_read_like_json() -> None:
    """AgentCore takes both."""
    source = b"""
openapi: 3.0.3
servers: [{url: https://api.example.com/}]
paths:
  /things:
    get: {operationId: list_things, description: All things, responses: {}}
"""
    operation = operation_of(source)
    assert (operation.operation_id, operation.server, operation.description) == ("list_things", "https://api.example.com", "All things")


def test_parameters_of_the_path_and_of_the_operation() -> None:
    """An operation's parameter replaces its path's; references are followed."""
    shared = [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
        {"name": "limit", "in": "query", "schema": {"type": "integer"}},
    ]
    own = [{"$ref": "#/components/parameters/Limit"}]
    limit = {"name": "limit", "in": "query", "schema": {"$ref": "#/components/schemas/Small"}}
    whole = json.loads(document(operation={"parameters": own}, schemas={"Small": {"type": "integer", "maximum": 9}}))
    whole["paths"]["/things/{id}"]["parameters"] = shared
    whole["components"]["parameters"] = {"Limit": limit}
    parameters = {each.name: each for each in operation_of(json.dumps(whole).encode()).parameters}
    assert list(parameters) == ["id", "limit"]
    assert parameters["limit"].schema == {"type": "integer", "maximum": 9}
    assert parameters["id"].required


def test_version_3_0_in_the_words_of_json_schema() -> None:
    """`nullable` and boolean bounds mean the same afterwards; what only OpenAPI knows is gone."""
    amount = {"type": "integer", "minimum": 0, "exclusiveMinimum": True, "nullable": True, "example": 3, "xml": {}}
    parameter = {"name": "amount", "in": "query", "schema": amount}
    found = operation_of(document(version="3.0.0", operation={"parameters": [parameter]})).parameters[0].schema
    assert found == {"type": ["integer", "null"], "exclusiveMinimum": 0}


@pytest.mark.parametrize("keyword", ["oneOf", "anyOf", "allOf"])
def test_schema_keywords_that_agentcore_lacks(keyword: str) -> None:
    """They are found at any place, and the place is named."""
    schemas = {"Thing": {"type": "object", "properties": {"a": {keyword: [{"type": "string"}]}}}}
    assert f"{keyword} is not supported: #/components/schemas/Thing/properties/a/{keyword}" in reasons_of(document(schemas=schemas))


def test_names_that_look_like_keywords() -> None:
    """A property or a schema may be called anyOf, and an example may hold anything."""
    schemas = {
        "anyOf": {"type": "object", "properties": {"oneOf": {"type": "array"}}},
        "Other": {"type": "object", "example": {"allOf": [1]}},
    }
    assert operation_of(document(schemas=schemas)).operation_id == "get_thing"


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        ({"operationId": ""}, "no operationId"),
        ({"callbacks": {"a": {}}}, "callbacks are not supported"),
        ({"responses": {"200": {"links": {"a": {}}}}}, "links are not supported"),
        ({"parameters": [{"name": "a", "in": "cookie", "schema": {}}]}, "Parameters in cookie"),
        ({"parameters": [{"name": "a", "in": "query", "style": "deepObject", "schema": {}}]}, "serializers"),
        ({"parameters": [{"name": "a", "in": "query", "content": {"application/json": {}}}]}, "serializers"),
        ({"parameters": [{"$ref": "#/components/parameters/Absent"}]}, "leads nowhere"),
        ({"parameters": [{"$ref": "https://elsewhere/a.json"}]}, "other documents"),
        ({"parameters": ["text"]}, "something else where an object belongs"),
        ({"requestBody": {"content": {"text/plain": {}}}}, "application/json"),
    ],
)
def test_operations_that_make_no_tool(operation: Any, says: str) -> None:
    """Each reason says what is in the way."""
    assert says in reasons_of(document(operation=operation))


def test_every_reason_is_reported_at_once() -> None:
    """A document with several faults gets all reasons in one answer."""
    found = read(document(operation={"operationId": "", "callbacks": {"a": {}}}, servers=[]))
    assert isinstance(found, Unusable)
    assert len(found.reasons) == 3


def test_how_an_api_wants_to_be_called() -> None:
    """`securitySchemes` and `security`, of the document or of an operation, are accepted and ignored: the target says which key is sent."""
    plain = json.loads(document())
    key = {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}}
    wants_key = json.loads(document(operation={"security": [{"key": []}]}, security=[{"key": []}]))
    wants_key["components"] = {**plain.get("components", {}), **key}
    assert operation_of(json.dumps(wants_key).encode()) == operation_of(document(operation={}))


def test_an_operation_id_that_is_used_twice() -> None:
    """Two tools can't have one name."""
    paths = {path: {"get": {"operationId": "same", "responses": {}}} for path in ("/a", "/b")}
    assert "same is used more than once" in reasons_of(document(paths=paths))


def test_references_in_a_circle() -> None:
    """A schema that contains itself is refused and not followed for ever."""
    schemas = {"Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}}
    body = {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}}}
    assert "recursive or too large" in reasons_of(document(schemas=schemas, operation=body))
    alias = {"A": {"$ref": "#/components/schemas/B"}, "B": {"$ref": "#/components/schemas/A"}}
    body = {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}}
    assert "circle" in reasons_of(document(schemas=alias, operation=body))


def test_a_schema_that_doubles_with_each_reference() -> None:
    """A small document can't become a huge one."""
    schemas: dict[str, Any] = {"S0": {"type": "string"}}
    for level in range(1, 40):
        inner = {"$ref": f"#/components/schemas/S{level - 1}"}
        schemas[f"S{level}"] = {"type": "object", "properties": {"a": inner, "b": inner}}
    body = {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S39"}}}}}
    assert "recursive or too large" in reasons_of(document(schemas=schemas, operation=body))


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://api.example.com", True),
        ("https://127.64.1.2:40123/api", True),
        ("https://[::1]/", True),
        ("http://api.example.com", False),
        ("//api.example.com", False),
        ("https://", False),
        ("https://user@api.example.com", False),
        ("https://api.example.com:port", False),
        ("https://api.example.com/#a", False),
        ("HTTPS://API.EXAMPLE.COM", True),
    ],
)
def test_server_urls(url: str, good: bool) -> None:
    """Absolute https URLs without a user or a fragment."""
    assert is_https(url) is good


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)).map(json.dumps).map(str.encode)
)
def test_anything_else_is_refused_politely(source: bytes) -> None:
    """No bytes make the reader fail: they make no tools and at least one reason."""
    found = read(source)
    assert isinstance(found, Unusable)
    assert found.reasons
