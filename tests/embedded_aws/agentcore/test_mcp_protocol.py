"""MCP over streamable HTTP, message by message: two versions of the protocol, and the answers to malformed and hostile requests."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from embedded_aws.http_messages import headers_of

from .conftest import openapi

STATELESS = "2026-07-28"
LEGACY = ["2025-03-26", "2025-06-18", "2025-11-25"]
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
TOOL = "pods___search_logs"


def stateless(method: str, version: str = STATELESS, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A request of the stateless era and the headers that belong to it."""
    meta = {VERSION_KEY: version, CAPABILITIES_KEY: {}}
    headers = {"mcp-protocol-version": version, "mcp-method": method}
    if "name" in params:
        headers["mcp-name"] = params["name"]
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, **params}}, headers


@pytest.fixture
def ready(gateway: Any, make_target: Any) -> Any:
    """A gateway with three tools."""
    make_target(gateway)
    return gateway


@pytest.mark.parametrize("version", LEGACY)
def test_the_handshake(ready: Any, caller_of: Any, version: str) -> None:
    """initialize agrees on the version asked for; notifications are taken with 202; there is no stream to GET."""
    caller = caller_of(ready)
    result = caller.rpc("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}})[
        "result"
    ]
    assert (result["protocolVersion"], result["serverInfo"]["name"]) == (version, ready["name"])
    headers = {"mcp-protocol-version": version}
    answer = caller.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)
    assert (answer.status_code, answer.content) == (202, b"")
    assert caller.rpc("ping", **headers)["result"] == {}
    assert len(caller.rpc("tools/list", **headers)["result"]["tools"]) == 3


def test_a_handshake_for_an_unknown_version(ready: Any, caller_of: Any) -> None:
    """The gateway offers the newest version that has a handshake."""
    result = caller_of(ready).rpc("initialize", {"protocolVersion": "2024-11-05", "capabilities": {}})["result"]
    assert result["protocolVersion"] == LEGACY[-1]


def test_other_http_methods(ready: Any, caller_of: Any, http: Any, issuer: Any) -> None:
    """GET is 405 with what is allowed; DELETE finds no session; other paths are not there."""
    bearer = {"authorization": f"Bearer {issuer.token()}"}
    answer = http.get(ready["gatewayUrl"], headers={**bearer, "accept": "text/event-stream"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, DELETE")
    assert http.delete(ready["gatewayUrl"], headers={**bearer, "mcp-session-id": "none"}).status_code == 404
    assert http.put(ready["gatewayUrl"], headers=bearer).status_code == 405
    assert http.get(ready["gatewayUrl"].removesuffix("/mcp"), headers=bearer).status_code == 404
    assert http.get(ready["gatewayUrl"]).status_code == 401


def test_tools_as_they_are_listed(ready: Any, caller_of: Any) -> None:
    """Names are target___operationId; schemas hold every parameter and the body's properties, without references."""
    tools = {tool["name"]: tool for tool in caller_of(ready).rpc("tools/list")["result"]["tools"]}
    assert list(tools) == ["pods___get_pod_status", "pods___add_note", "pods___search_logs"]
    assert tools["pods___get_pod_status"]["description"] == "Status of a pod"
    assert tools["pods___get_pod_status"]["inputSchema"]["required"] == ["pod_name"]
    assert tools["pods___get_pod_status"]["inputSchema"]["properties"]["namespace"] == {
        "type": "string",
        "enum": ["prod", "dev"],
        "description": "Where to look",
    }
    assert tools["pods___add_note"]["inputSchema"]["required"] == ["text"]


def test_tools_come_in_pages(gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """nextCursor leads through every tool once; an invented cursor is refused."""
    paths = {f"/p{n}": {"get": {"operationId": f"op_{n}", "responses": {}}} for n in range(120)}
    make_target(gateway, document=openapi(api.url, paths=paths))
    caller, names, cursor = caller_of(gateway), [], None
    while True:
        result = caller.rpc("tools/list", {"cursor": cursor} if cursor else {})["result"]
        names += [tool["name"] for tool in result["tools"]]
        if (cursor := result.get("nextCursor")) is None:
            break
    assert names == [f"pods___op_{n}" for n in range(120)]
    assert caller.rpc("tools/list", {"cursor": "?"})["error"]["code"] == -32602
    assert caller.rpc("tools/list", {"cursor": 7})["error"]["code"] == -32602


def test_paging_can_be_disabled(make_gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """disableMcpListToolsPagination lists all at once."""
    gateway = make_gateway(protocolConfiguration={"mcp": {"disableMcpListToolsPagination": True}})
    paths = {f"/p{n}": {"get": {"operationId": f"op_{n}", "responses": {}}} for n in range(120)}
    make_target(gateway, document=openapi(api.url, paths=paths))
    result = caller_of(gateway).rpc("tools/list")["result"]
    assert (len(result["tools"]), "nextCursor" in result) == (120, False)


def test_the_stateless_era(ready: Any, caller_of: Any) -> None:
    """server/discover, then any method, each request complete in itself; results say that they are complete."""
    caller = caller_of(ready)
    body, headers = stateless("server/discover")
    discovered = caller.post(body, headers=headers).json()["result"]
    assert discovered["supportedVersions"] == [*LEGACY, STATELESS]
    assert (discovered["resultType"], discovered["ttlMs"], discovered["cacheScope"]) == ("complete", 0, "private")
    body, headers = stateless("tools/call", name=TOOL, arguments={})
    answer = caller.post(body, headers=headers)
    assert answer.json()["result"]["isError"] is False
    assert "mcp-session-id" not in answer.headers
    encoded = {**headers, "mcp-name": f"=?base64?{base64.b64encode(TOOL.encode()).decode()}?="}
    assert caller.post(body, headers=encoded).json()["result"]["isError"] is False
    notification = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
    assert caller.post(notification, headers={"mcp-protocol-version": STATELESS}).status_code == 202


def test_header_values_are_trimmed() -> None:
    """Space around a value means nothing; a header that is sent twice agrees with nothing."""
    scope = {"headers": [(b"Mcp-Method", b" tools/call "), (b"mcp-name", b"a"), (b"mcp-name", b"a")]}
    assert headers_of(scope) == {"mcp-method": "tools/call", "mcp-name": "a, a"}


@pytest.mark.parametrize(
    "changes",
    [{"mcp-method": "tools/list"}, {"mcp-name": "pods___add_note"}, {"mcp-protocol-version": "2025-11-25"}, {"mcp-name": "=?base64?!?="}],
)
def test_headers_that_contradict_the_body(ready: Any, caller_of: Any, changes: Any) -> None:
    """An intermediary that reads the headers must not see another request than the gateway does."""
    body, headers = stateless("tools/call", name=TOOL, arguments={})
    answer = caller_of(ready).post(body, headers={**headers, **changes})
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (400, -32020, 1)


def test_a_version_that_is_not_served(ready: Any, caller_of: Any) -> None:
    """The answer names the versions that are."""
    body, headers = stateless("tools/list", version="2030-01-01")
    answer = caller_of(ready).post(body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == -32022
    assert answer.json()["error"]["data"] == {"supported": [*LEGACY, STATELESS], "requested": "2030-01-01"}


def test_a_gateway_that_serves_one_version(make_gateway: Any, caller_of: Any) -> None:
    """supportedVersions is kept: other versions are refused in either era."""
    caller = caller_of(make_gateway(protocolConfiguration={"mcp": {"supportedVersions": ["2025-06-18"]}}))
    assert caller.rpc("initialize", {"protocolVersion": "2025-11-25"})["result"]["protocolVersion"] == "2025-06-18"
    body, headers = stateless("server/discover")
    assert caller.post(body, headers=headers).json()["error"]["data"]["supported"] == ["2025-06-18"]
    assert caller.rpc("tools/list", **{"mcp-protocol-version": "2025-11-25"})["error"]["code"] == -32022


def test_methods_that_do_not_exist(ready: Any, caller_of: Any) -> None:
    """404 in the stateless era, 200 before it; each era has methods that the other lacks."""
    caller = caller_of(ready)
    for method in ("resources/list", "server/discover"):
        answer = caller.post({"jsonrpc": "2.0", "id": 1, "method": method})
        assert (answer.status_code, answer.json()["error"]["code"]) == (200, -32601)
    for method in ("resources/list", "initialize", "ping"):
        body, headers = stateless(method)
        answer = caller.post(body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)


def test_an_envelope_that_is_incomplete(ready: Any, caller_of: Any) -> None:
    """A stateless request without its version and capabilities is refused with what it lacks."""
    body, headers = stateless("tools/list")
    del body["params"]["_meta"][CAPABILITIES_KEY]
    assert caller_of(ready).post(body, headers=headers).json()["error"]["code"] == -32602
    del body["params"]["_meta"]
    assert caller_of(ready).post(body, headers=headers).json()["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b'{"jsonrpc": "2.0", "id": ' + b"9" * 5000 + b', "method": "ping"}', -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "\\ud800"}}', -32700),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"n": NaN}}', -32700),
        ('{"jsonrpc": "2.0", "id": 1, "method": "ping"}'.encode("utf-16"), -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600),
        (b'"ping"', -32600),
        (b'{"id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 7}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600),
    ],
)
def test_what_is_no_message(shared_gateway: Any, caller_of: Any, body: bytes, code: int) -> None:
    """Every other body gets 400 and a JSON-RPC error; batches are not served."""
    answer = caller_of(shared_gateway).post(body)
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (400, code, None)


def test_a_huge_request(shared_gateway: Any, caller_of: Any) -> None:
    """Beyond 6 MB it is refused, and the gateway lives on."""
    caller = caller_of(shared_gateway)
    assert caller.post(b"[" + b" " * (6 * 1024 * 1024) + b"]").status_code == 413
    assert caller.rpc("ping")["result"] == {}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"accept": "text/html"}, 406),
        ({"accept": "application/json"}, 200),
        ({"accept": "*/*"}, 200),
        ({"accept": "text/event-stream, application/json;q=0.5"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_types_of_content(shared_gateway: Any, caller_of: Any, headers: Any, status: int) -> None:
    """JSON in, JSON out; a type that a page could send without a preflight request (text/plain) is refused."""
    assert caller_of(shared_gateway).post({"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers=headers).status_code == status


def test_an_answer_to_nothing(shared_gateway: Any, caller_of: Any) -> None:
    """A posted response is taken and dropped: the gateway asks its clients for nothing."""
    assert caller_of(shared_gateway).post({"jsonrpc": "2.0", "id": 1, "result": {}}).status_code == 202


def test_sessions_where_they_are_configured(make_gateway: Any, caller_of: Any, http: Any, issuer: Any) -> None:
    """With a session timeout, initialize gives an id that every request needs until DELETE ends it."""
    gateway = make_gateway(protocolConfiguration={"mcp": {"sessionConfiguration": {"sessionTimeoutInSeconds": 900}}})
    caller = caller_of(gateway)
    begun = caller.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}})
    session = {"mcp-session-id": begun.headers["mcp-session-id"]}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    assert caller.post(ping, headers=session).status_code == 200
    assert caller.post(ping).status_code == 400
    assert caller.post(ping, headers={"mcp-session-id": "invented"}).status_code == 404
    bearer = {"authorization": f"Bearer {issuer.token()}"}
    assert http.delete(gateway["gatewayUrl"], headers={**bearer, **session}).status_code == 200
    assert caller.post(ping, headers=session).status_code == 404


def test_searching_for_tools(make_gateway: Any, make_target: Any, caller_of: Any) -> None:
    """The search tool is listed first and ranks by the question; its result is structured, and the same as text."""
    gateway = make_gateway(protocolConfiguration={"mcp": {"searchType": "SEMANTIC"}})
    make_target(gateway)
    caller = caller_of(gateway)
    assert caller.rpc("tools/list")["result"]["tools"][0]["name"] == "x_amz_bedrock_agentcore_search"
    result = caller.call("x_amz_bedrock_agentcore_search", query="what is the status of my pods?")
    found = [tool["name"] for tool in result["structuredContent"]["tools"]]
    assert found[0] == "pods___get_pod_status"
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    assert caller.call("x_amz_bedrock_agentcore_search", query="zzz")["structuredContent"] == {"tools": []}
    assert caller.call("x_amz_bedrock_agentcore_search")["isError"] is True


def test_search_where_it_is_not_configured(ready: Any, caller_of: Any) -> None:
    """Without searchType there is no such tool."""
    error = caller_of(ready).rpc("tools/call", {"name": "x_amz_bedrock_agentcore_search", "arguments": {"query": "pods"}})["error"]
    assert error["code"] == -32602
