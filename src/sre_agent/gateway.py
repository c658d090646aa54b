"""The tools, called through the AgentCore Gateway: MCP over streamable HTTP with a Cognito token."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import httpx2
from mcp import MCPError
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from sre_agent.evidence import Answer, Argument
from sre_agent.pool import Pool
from sre_agent.tools import Tool
from sre_agent.transport import is_certificate_error, name_hop
from sre_core import clock, tracing
from sre_core.problem import Problem, Refused
from sre_core.redaction import redact, redact_tree

CALL_SECONDS = 10.0
MOST_PAGES = 20  # a gateway may never stop paging


class GatewayTools:
    """The tools of one open session, by operation, on any target."""

    def __init__(self, client: Client, offered: Mapping[str, Tool], call_seconds: float = CALL_SECONDS, pool: Pool | None = None) -> None:
        self._client = client
        self._offered = offered
        self._call_seconds = call_seconds
        self._pool = pool or Pool()
        self.calls = self.failed_calls = 0

    def offered(self) -> Mapping[str, Tool]:
        """Return the tools by operation."""
        return self._offered

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        """Call one tool. A failure is part of the answer and never raised."""
        with tracing.span("call_tool", "client", facts={"sre.tool": operation}) as step:
            answer = await self._call(operation, arguments)
            step.note("sre.failed", bool(answer.failure))
        self.calls += 1
        self.failed_calls += bool(answer.failure)
        return answer

    async def _call(self, operation: str, arguments: Mapping[str, Argument]) -> Answer:
        tool = self._offered.get(operation)
        if tool is None:
            return Answer(tool=operation, arguments=arguments, at=clock.now(), failure="the gateway offers no such tool")
        known = {name: value for name, value in arguments.items() if name in tool.parameters and value != ""}
        return await self._pool.call((tool.name, tuple(sorted(known.items()))), lambda: self._send(tool, known))

    async def _send(self, tool: Tool, known: Mapping[str, Argument]) -> Answer:
        try:
            async with asyncio.timeout(self._call_seconds):
                result = await self._client.call_tool(tool.name, dict(known))
        except TimeoutError:
            return Answer(tool=tool.name, arguments=known, at=clock.now(), failure=f"no answer within {self._call_seconds:.0f} s")
        except (MCPError, httpx2.HTTPError, Refused) as error:
            return Answer(tool=tool.name, arguments=known, at=clock.now(), failure=redact(str(error)) or type(error).__name__)
        return read_result(tool.name, known, result)


def read_result(tool: str, arguments: Mapping[str, Argument], result: CallToolResult) -> Answer:
    """Turn a tool's result into an answer: parsed where it is JSON, and redacted. Size and hash are those of the original."""
    text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if result.is_error:
        return Answer(tool=tool, arguments=arguments, at=clock.now(), sha256=sha256, size=len(text), failure=redact(text[:400]))
    try:
        data = redact_tree(json.loads(text))
    except ValueError:
        data = redact(text)
    truncated = isinstance(data, dict) and data.get("truncated") is True
    return Answer(tool=tool, arguments=arguments, at=clock.now(), data=data, sha256=sha256, size=len(text), truncated=truncated)


@asynccontextmanager
async def open_tools(
    url: str, http: httpx2.AsyncClient, call_seconds: float = CALL_SECONDS, pool: Pool | None = None
) -> AsyncGenerator[GatewayTools]:
    """Open one MCP session for one investigation. Raises Refused when the gateway can't be used at all."""
    try:
        async with Client(streamable_http_client(url, http_client=http), read_timeout_seconds=call_seconds) as client:
            yield GatewayTools(client, await _list_tools(client), call_seconds, pool)
    except* Refused as refused:
        raise Refused(*_problems(refused)) from refused
    except* (MCPError, httpx2.HTTPError, OSError, TimeoutError) as failed:
        raise Refused(_unusable(url, failed)) from failed


async def _list_tools(client: Client) -> dict[str, Tool]:
    """List the tools by operation. The gateway names them `<target>___<operationId>`."""
    tools: dict[str, Tool] = {}
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            tools[tool.name.rpartition("___")[2]] = Tool(tool.name, tool.description or "", tool.input_schema)
        cursor = page.next_cursor
        if not cursor:
            break
    return tools


def _problems(group: BaseExceptionGroup[Refused]) -> list[Problem]:
    found: list[Problem] = []
    for error in group.exceptions:
        found.extend(error.problems if isinstance(error, Refused) else _problems(error))
    return found


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _unusable(url: str, failed: BaseException) -> Problem:
    cause = _first(failed)
    if is_certificate_error(cause):
        return Problem(
            code="GATEWAY-TLS-NOT-VERIFIED",
            what=f"The certificate of the gateway at {url} is not trusted.",
            why=redact(str(cause)),
            do=("Set SSL_CERT_FILE to the authority that signed it.", "Never turn verification off."),
            context=name_hop(cause),
        )
    return Problem(
        code="GATEWAY-UNUSABLE",
        what=f"The gateway at {url} could not be used.",
        why=redact(str(cause)) or type(cause).__name__,
        do=(
            "Check gateway, targets and tokens: sre-agent-deploy verify",
            "If a token was refused, the assistant's client is not among the gateway's allowed clients: deploy again.",
        ),
        context=name_hop(cause),
    )
