"""Requests as they travel: what AWS's own model says of them, byte by byte, without botocore's help."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedded_aws.agentcore import operations
from embedded_aws.agentcore.control import ControlPlane
from embedded_aws.agentcore.errors import ApiError
from embedded_aws.agentcore.model import Model

MODEL = Model.of("bedrock-agentcore-control")


def send(aws: Any, method: str, path: str, body: bytes = b"", query: str = "") -> tuple[int, dict[str, str], Any]:
    """One request straight into the app, as it arrives after its signature was verified."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def keep(message: Any) -> None:
        sent.append(message)

    async def exchange() -> None:
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(), "headers": []}
        await ControlPlane(aws.account)(scope, receive, keep)

    asyncio.run(exchange())
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, json.loads(sent[1]["body"]) if sent[1]["body"] else None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "SerializationException"),
        (b"[]", "SerializationException"),
        (b'{"name": "\\ud800"}', "SerializationException"),
        (b"[" * 100_000, "SerializationException"),
        (b'{"name": 7}', "SerializationException"),
        (b'{"tags": []}', "SerializationException"),
        (b"{}", "ValidationException"),
        (b'{"name": null}', "ValidationException"),
    ],
)
def test_what_is_no_request(aws: Any, body: bytes, code: str) -> None:
    """400, the type in the header, and a message."""
    status, headers, answer = send(aws, "POST", "/gateways/", body)
    assert (status, headers["x-amzn-errortype"]) == (400, code)
    assert answer["message"]
    assert headers["x-amzn-requestid"]


def test_a_request_that_is_too_large(aws: Any) -> None:
    """Beyond 6 MB nothing is read."""
    assert send(aws, "POST", "/gateways/", b" " * (6 * 1024 * 1024 + 1))[0] == 413


def test_operations_that_are_not_here(aws: Any) -> None:
    """Other paths, and AWS's operations that this AWS lacks, are named as unknown."""
    for method, path in (("GET", "/nothing/"), ("DELETE", "/gateways/"), ("PUT", "/memories/create")):
        status, headers, _ = send(aws, method, path)
        assert (status, headers["x-amzn-errortype"]) == (404, "UnknownOperationException")


def test_paths_are_decoded_once(aws: Any) -> None:
    """An encoded slash belongs to the label: an ARN is one segment."""
    arn = "arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A123456789012%3Agateway%2Fnone-0123456789"
    status, _, answer = send(aws, "GET", f"/tags/{arn}")
    assert (status, answer["message"]) == (
        404,
        "Resource not found: arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/none-0123456789",
    )


def test_numbers_in_the_query(aws: Any) -> None:
    """maxResults is a number within its bounds."""
    assert send(aws, "GET", "/gateways/", query="maxResults=x")[1]["x-amzn-errortype"] == "SerializationException"
    assert send(aws, "GET", "/gateways/", query="maxResults=0")[2]["fieldList"][0]["name"] == "maxResults"
    assert send(aws, "GET", "/gateways/", query="maxResults=1001")[2]["fieldList"][0]["name"] == "maxResults"


def test_every_broken_constraint_is_reported_at_once() -> None:
    """Each is reported with AWS's text and its place."""
    request = {"name": "a_b", "description": "", "authorizerType": "X", "authorizerConfiguration": {}}
    found = {each.name: each.message for each in MODEL.violations("CreateGatewayRequest", request)}
    assert found == {
        "name": "Member must satisfy regular expression pattern: ([0-9a-zA-Z][-]?){1,48}",
        "description": "Member must have length greater than or equal to 1",
        "roleArn": "Member must not be null",
        "authorizerType": "Member must satisfy enum value set: [CUSTOM_JWT, AWS_IAM, NONE, AUTHENTICATE_ONLY]",
        "authorizerConfiguration": "Exactly one member must be set of: customJWTAuthorizer",
    }


@given(st.from_regex(r"([0-9a-zA-Z]-?){1,48}", fullmatch=True))
def test_names_that_the_pattern_allows(name: str) -> None:
    """Every name that matches AWS's pattern passes."""
    assert not list(MODEL.violations("GatewayName", name))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["name", "roleArn", "tags", "authorizerConfiguration", "protocolConfiguration", "interceptorConfigurations"])


@given(st.dictionaries(MEMBERS, JSON))
def test_any_json_is_judged_and_never_crashes(body: dict[str, Any]) -> None:
    """Any request is refused with a reason or described by its shape."""
    found = operations.operation_at("POST", "/gateways/")
    assert found is not None
    operation, labels = found
    try:
        request = operations.request_of(operation, labels, "", json.dumps(body).encode())
    except ApiError as refused:
        assert refused.type == "SerializationException"
        return
    assert MODEL.project(operation.input_shape, request) == request
    assert list(MODEL.violations(operation.input_shape, request))
