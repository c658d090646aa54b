"""Check that the gateway lists the tools, and call one of each target."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.verification import access
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints
from sre_core import release
from sre_core.hops import CALLED
from sre_core.problem import Problem

if TYPE_CHECKING:
    from mcp import Client
    from mcp.types import ListToolsResult


@asynccontextmanager
async def session(world: Endpoints) -> AsyncGenerator[Client | Problem]:
    """Open an MCP session with the gateway as the assistant does: streamable HTTP, the gateway client's token."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    # A failure becomes a Problem here; the library would also print its traceback to the terminal.
    logging.getLogger("mcp").addHandler(logging.NullHandler())
    token = await asyncio.to_thread(access.request_token, world, world.gateway_client)
    if isinstance(token, Problem):
        yield token
        return
    headers = {"Authorization": f"Bearer {token.reveal()}"}
    async with (
        httpx2.AsyncClient(verify=world.trust, headers=headers, timeout=world.timeout, trust_env=False) as http,
        Client(streamable_http_client(world.gateway_url, http_client=http), read_timeout_seconds=world.timeout) as client,
    ):
        yield client


async def _list_tools(world: Endpoints) -> tuple[str, ...] | Problem:
    async with session(world) as client:
        if isinstance(client, Problem):
            return client
        return await list_every_page(lambda cursor: client.list_tools(cursor=cursor))


async def list_every_page(page: Callable[[str | None], Awaitable[ListToolsResult]]) -> tuple[str, ...] | Problem:
    """List the names on all pages. At worst there is one page for each tool."""
    names: list[str] = []
    cursor: str | None = None
    for _ in range(release.count_tools()):
        listed = await page(cursor)
        names += [tool.name for tool in listed.tools]
        cursor = listed.next_cursor
        if not cursor:
            return tuple(names)
    return _endless(len(names))


async def _call_tools(world: Endpoints) -> dict[str, str] | Problem:
    """Call a tool of each target and return its error; empty where it worked."""
    async with session(world) as client:
        if isinstance(client, Problem):
            return client
        answers = {target: await client.call_tool(f"{target}___{operation}", {}) for target, operation in CALLED.items()}
        return {target: _error_text(answer.content) if answer.is_error else "" for target, answer in answers.items()}


def _error_text(content: Sequence[object]) -> str:
    """Join the texts of a failed call."""
    words = " ".join(str(getattr(part, "text", part)) for part in content)
    return words[:300] or "it failed without a message"


def _run_session[T](world: Endpoints, ask: Callable[[Endpoints], Awaitable[T | Problem]]) -> T | Problem:
    """Run one session; turn any failure into a Problem."""
    import httpx2
    from mcp import MCPError

    broken: list[BaseException] = []

    async def whole() -> T | Problem | None:
        try:
            return await ask(world)
        except* (MCPError, httpx2.HTTPError, OSError) as group:
            broken.extend(group.exceptions)
        return None

    answer = asyncio.run(whole())
    return _no_session(world.gateway_url, broken) if answer is None else answer


class ToolsListed:
    """The gateway lists all tools of the four targets to the one client that may see them."""

    id: ClassVar[str] = "gateway.tools_listed"
    proves: ClassVar[str] = "the gateway lists every tool"
    requirements: ClassVar[tuple[str, ...]] = ("4.3",)
    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> tuple[str, ...] | Problem:
        return _run_session(world, _list_tools)

    def judge(self, facts: tuple[str, ...]) -> Verdict:
        tools = [name for name in facts if "___" in name]
        if len(tools) == release.count_tools():
            return Verdict(True, f"the gateway lists {len(tools)} tools")
        return Verdict(False, f"the gateway lists {len(tools)} tools, not {release.count_tools()}", _incomplete(tools))


class ToolsCalled:
    """One tool of each target is called through the gateway, with its API key, down to the backend and back."""

    id: ClassVar[str] = "gateway.tools_called"
    proves: ClassVar[str] = "a tool of each target can be called through the gateway"
    requirements: ClassVar[tuple[str, ...]] = ("2.3", "4.3")
    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> dict[str, str] | Problem:
        return _run_session(world, _call_tools)

    def judge(self, facts: dict[str, str]) -> Verdict:
        failed = {target: error for target, error in facts.items() if error}
        if not failed:
            return Verdict(True, f"called through the gateway: {', '.join(f'{target}.{CALLED[target]}' for target in facts)}")
        return Verdict(False, f"calls failed for {', '.join(failed)}", _not_called(failed))


def _incomplete(tools: list[str]) -> Problem:
    absent = [service.name for service in release.backends() if not any(tool.startswith(f"{service.name}___") for tool in tools)]
    return Problem(
        code="GATEWAY-TOOLS-MISSING",
        what=f"The gateway lists {len(tools)} tools, not {release.count_tools()}.",
        why=f"No tool comes from: {', '.join(absent)}." if absent else "A target read an OpenAPI document of another version.",
        do=("Look at the targets' status reasons (Bedrock AgentCore > Gateways).", "Run `sre-agent-deploy deploy` again; it repairs them."),
    )


def _endless(count: int) -> Problem:
    return Problem(
        code="GATEWAY-LIST-ENDLESS",
        what=f"The gateway's list of tools did not end within {release.count_tools()} pages.",
        why=f"After {count} tools it named another page; this deployment has {release.count_tools()}.",
        do=(
            "Delete targets of the gateway that do not belong to this deployment (Bedrock AgentCore > Gateways).",
            "Run `sre-agent-deploy verify` again.",
        ),
    )


def _not_called(failed: dict[str, str]) -> Problem:
    errors = {error: [target for target, each in failed.items() if each == error] for error in failed.values()}
    # What the gateway does not explain is mostly its own: it can't read the key.
    opaque = all("internal error" in error for error in errors)
    return Problem(
        code="GATEWAY-CALL-FAILED",
        what=f"Tools are listed but can't be called: {', '.join(failed)}.",
        why=" | ".join(f"{', '.join(targets)}: {error}" for error, targets in errors.items()),
        do=(
            *(_LACKS_KEY, _NAME_LEADS_ELSEWHERE)[:: 1 if opaque else -1],
            "Run `sre-agent-deploy deploy` again; it repairs what differs from the configuration.",
        ),
        context={"services": ", ".join(failed)},
    )


_LACKS_KEY = "If it says 'internal error': the gateway's role may lack GetResourceApiKey; set gateway.debug to see more."
_NAME_LEADS_ELSEWHERE = (
    "The gateway calls the backends by name: deployment.domain_name must resolve to this deployment's Elastic IP "
    "(an A record; set hosted_zone_id to have it created)."
)


def _no_session(url: str, broken: list[BaseException]) -> Problem:
    return Problem(
        code="GATEWAY-UNREACHABLE",
        what="No MCP session with the gateway could be opened.",
        why="; ".join(f"{type(error).__name__}: {error}" for error in broken)[:400],
        do=(
            f"Check that this machine reaches the gateway: `curl -sv {url}` must show HTTP status 401.",
            "Run `sre-agent-deploy verify` again.",
        ),
        context={"url": url, "part": "gateway"},
    )
