"""A tool's arguments become an HTTP request, and each argument of any value stays in its place."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from embedded_aws.agentcore.openapi import ApiOperation, Parameter, RequestBody
from embedded_aws.agentcore.outbound_credentials import with_key
from embedded_aws.agentcore.records import OutboundKey
from embedded_aws.agentcore.tools import Tool
from sre_core.secret import Secret

STRING = {"type": "string"}


def tool(*parameters: Parameter, body: RequestBody | None = None) -> Tool:
    return Tool.of("pods", ApiOperation("get", "GET", "https://api.example.com/v1", "/a/{one}/b", "", parameters, body))


def parameter(name: str, location: str, **schema: Any) -> Parameter:
    return Parameter(name, location, location == "path", schema or STRING, "")


TEXT = st.text(st.characters(codec="utf-8"))


@given(one=TEXT, two=TEXT, many=st.lists(TEXT))
def test_arguments_stay_in_their_place(one: str, two: str, many: list[str]) -> None:
    """Path and query come apart again into exactly what went in; no argument reaches another part of the URL."""
    subject = tool(parameter("one", "path"), parameter("two", "query"), parameter("many", "query", type="array", items=STRING))
    arguments = {"one": one, "two": two, "many": many}
    if subject.refusal(arguments):
        assert one in ("", ".", "..")
        return
    url = urlsplit(subject.outbound(arguments).url)
    assert (url.scheme, url.netloc, url.fragment) == ("https", "api.example.com", "")
    _, version, a, segment, b = url.path.split("/")
    assert (version, a, unquote(segment), b) == ("v1", "a", one, "b")
    assert parse_qsl(url.query, keep_blank_values=True) == [("two", two), *(("many", item) for item in many)]


@given(value=st.text())
def test_header_arguments(value: str) -> None:
    """A header's value is printable ASCII or refused: it can't begin another header."""
    subject = tool(parameter("x-note", "header"))
    refused = subject.refusal({"x-note": value})
    assert (refused is None) == (value.isascii() and value.isprintable())


def test_headers_that_a_parameter_must_not_set() -> None:
    """A schema can't make callers write credentials, types or the host."""
    names = ("Authorization", "Content-Type", "Host", "Cookie", "X-Fine")
    subject = tool(*(parameter(name, "header") for name in names))
    assert dict(subject.outbound(dict.fromkeys(names, "v")).headers) == {"X-Fine": "v"}


def test_the_key_wins_over_a_parameter_of_its_name() -> None:
    """A caller can't replace the API key by an argument."""
    request = tool(parameter("x-api-key", "header")).outbound({"x-api-key": "mine"})
    sent = with_key(request, Secret("the-key"), OutboundKey("arn", "HEADER", "X-API-Key", ""))
    assert dict(sent.headers) == {"X-API-Key": "the-key"}


def test_values_are_written_as_json_writes_them() -> None:
    """Booleans and numbers look as APIs expect them; null means that the argument was not given."""
    subject = tool(parameter("flag", "query", type="boolean"), parameter("n", "query", type="number"), parameter("none", "query"))
    assert subject.outbound({"flag": True, "n": 1.5, "none": None}).url.endswith("?flag=true&n=1.5")


def test_bodies() -> None:
    """An object's properties are arguments; any other body is the argument `body`; an optional one may be absent."""
    note = {"type": "object", "properties": {"text": STRING}, "required": ["text"]}
    needed = tool(body=RequestBody(True, note))
    assert needed.input_schema["required"] == ["text"]
    assert needed.outbound({"text": "a"}).body == b'{"text": "a"}'
    optional = tool(body=RequestBody(False, note))
    assert "required" not in optional.input_schema
    assert optional.outbound({}).body is None
    listed = tool(body=RequestBody(True, {"type": "array", "items": STRING}))
    assert json.loads(listed.outbound({"body": ["a"]}).body or b"") == ["a"]
    assert "'body'" in str(listed.refusal({}))
