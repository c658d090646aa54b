"""The only way to tools: failures of one tool stay with that tool."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from agent_gateway import Gateway
from agent_https import BUSY, Authority, connect
from agent_issuer import CALLER_CLIENT, GATEWAY_CLIENT, GATEWAY_SCOPE, SCOPES, Issuer
from mcp.types import Tool

from sre_agent import transport
from sre_agent.evidence import Answer
from sre_agent.gateway import GatewayTools, open_tools
from sre_agent.oidc import Discovery
from sre_agent.tokens import BearerAuth, Client, TokenSource
from sre_core.problem import Refused
from sre_core.secret import Secret

ANSWER = json.dumps({"items": [{"name": "a", "note": "password=hunter2"}], "truncated": True, "total": 9})


async def backend(tool: str, arguments: Mapping[str, Any]) -> tuple[int, str]:
    """One tool answers, one fails, one answers no JSON."""
    if tool.endswith("get_pod_status"):
        return 200, ANSWER
    return (500, "broken token=abcdef123") if tool.endswith("search_logs") else (200, "plain words")


def tool(name: str, *parameters: str) -> Tool:
    schema = {"type": "object", "properties": {parameter: {"type": "string"} for parameter in parameters}}
    return Tool(name=name, description="", input_schema=schema)


TOOLS = [tool("kubernetes___get_pod_status", "namespace"), tool("logs___search_logs", "pattern"), tool("odd-target___say")]


def asked(
    issuer: Issuer,
    authority: Authority,
    use: Callable[[GatewayTools, Gateway], Awaitable[Any]],
    *,
    client: str = GATEWAY_CLIENT,
    refuse_next: int = 0,
) -> Any:
    """Return the result of `use` with an open session to a running gateway."""

    async def run(gateway: Gateway) -> Any:
        async with connect(authority) as issuer_http:
            wanted = Client(client, Secret(issuer.secrets[client]), SCOPES[client])
            tokens = TokenSource(issuer_http, Discovery(issuer_http, issuer.discovery_url), wanted)
            async with connect(authority, BearerAuth(tokens)) as http, open_tools(gateway.url, http, BUSY) as tools:
                gateway.refuse_next = refuse_next
                return await use(tools, gateway)

    with Gateway.running(TOOLS, backend, issuer, authority) as gateway:
        return asyncio.run(run(gateway))


def test_an_answer(issuer: Issuer, authority: Authority) -> None:
    """JSON is parsed and redacted; hash and size are of what came; cut answers say so; unknown arguments are not sent."""

    async def use(tools: GatewayTools, gateway: Gateway) -> tuple[Answer, list[Any]]:
        return await tools.call("get_pod_status", namespace="shop", colour="red"), gateway.calls

    answer, calls = asked(issuer, authority, use)
    assert answer.tool == "kubernetes___get_pod_status"
    assert "hunter2" not in json.dumps(answer.data)
    assert (answer.sha256, answer.size, answer.truncated) == (hashlib.sha256(ANSWER.encode()).hexdigest(), len(ANSWER), True)
    assert calls == [("kubernetes___get_pod_status", {"namespace": "shop"})]


def test_a_tool_that_fails(issuer: Issuer, authority: Authority) -> None:
    """A failing tool and an absent one are answers with a failure, redacted; others are not disturbed."""

    async def use(tools: GatewayTools, gateway: Gateway) -> list[Answer]:
        return await asyncio.gather(tools.call("search_logs"), tools.call("no_such"), tools.call("say"))

    failed, absent, fine = asked(issuer, authority, use)
    assert "500" in failed.failure
    assert "abcdef123" not in failed.failure
    assert absent.failure
    assert (fine.data, fine.failure) == ("plain words", "")


def test_a_token_refused_once(issuer: Issuer, authority: Authority) -> None:
    """When the gateway refuses a token, a new one is fetched and the call succeeds."""

    async def use(tools: GatewayTools, gateway: Gateway) -> Answer:
        return await tools.call("say")

    assert not asked(issuer, authority, use, refuse_next=1).failure


def test_a_gateway_that_refuses(issuer: Issuer, authority: Authority) -> None:
    """A client that the gateway does not allow gets a Problem, not a traceback."""

    async def use(tools: GatewayTools, gateway: Gateway) -> None:
        raise AssertionError("no session may open")

    with pytest.raises(Refused) as refused:
        asked(issuer, authority, use, client=CALLER_CLIENT)
    assert refused.value.problems[0].code == "GATEWAY-UNUSABLE"


@pytest.mark.parametrize(("url", "code"), [("https://127.0.0.1:9/mcp", "GATEWAY-UNUSABLE"), ("", "GATEWAY-TLS-NOT-VERIFIED")])
def test_a_gateway_that_is_down_or_not_trusted(issuer: Issuer, authority: Authority, url: str, code: str) -> None:
    """Each way of not reaching it has its own Problem."""

    async def run() -> None:
        async with transport.create_client() as http, open_tools(url or f"{issuer.url}/mcp", http):
            raise AssertionError("no session may open")

    with pytest.raises(Refused) as refused:
        asyncio.run(run())
    assert [problem.code for problem in refused.value.problems] == [code]


def test_scope_of_the_gateway_client() -> None:
    """The gateway's client and the caller's differ in scope, so that each is refused at the other's door."""
    assert SCOPES[GATEWAY_CLIENT] == GATEWAY_SCOPE != SCOPES[CALLER_CLIENT]
