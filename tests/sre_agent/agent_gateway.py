"""An MCP gateway as AgentCore has one: real streamable HTTP, `<target>___<operation>` names, a token at the door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from agent_https import Authority, https
from agent_issuer import GATEWAY_CLIENT, Issuer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from mcp.server.lowlevel import Server
from mcp.types import CallToolResult, ListToolsResult, TextContent, Tool
from starlette.responses import JSONResponse

type Backend = Callable[[str, Mapping[str, Any]], Awaitable[tuple[int, str]]]


@dataclass
class Gateway:
    """The tools and who answers them; tests may change it while it runs."""

    tools: list[Tool]
    backend: Backend
    issuer: Issuer
    url: str = ""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuse_next: int = 0

    @classmethod
    @contextmanager
    def running(cls, tools: list[Tool], backend: Backend, issuer: Issuer, authority: Authority) -> Iterator[Gateway]:
        gateway = cls(tools, backend, issuer)
        server: Server[Any] = Server("gateway", on_list_tools=gateway._list, on_call_tool=gateway._call)
        app = server.streamable_http_app(json_response=True, stateless_http=True)
        with https(gateway._door(app), authority) as url:
            gateway.url = f"{url}/mcp"
            yield gateway

    async def _list(self, ctx: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=self.tools)

    async def _call(self, ctx: Any, params: Any) -> CallToolResult:
        arguments = params.arguments or {}
        self.calls.append((params.name, arguments))
        status, text = await self.backend(params.name, arguments)
        if status >= 400:
            text = f"OpenAPIClientException - Error executing HTTP request: API request failed with status: {status} - {text}"
        return CallToolResult(content=[TextContent(type="text", text=text)], is_error=status >= 400)

    def _door(self, app: Any) -> Any:
        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and not self._may_enter(scope):
                self.refuse_next = max(0, self.refuse_next - 1)
                refusal = {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "Invalid Bearer token"}}
                return await JSONResponse(refusal, status_code=401)(scope, receive, send)
            return await app(scope, receive, send)

        return guarded

    def _may_enter(self, scope: Any) -> bool:
        header = dict(scope["headers"]).get(b"authorization", b"").decode()
        try:
            claims = jwt.decode(header.removeprefix("Bearer "), KeySet(list(self.issuer.keys)), algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return False
        return claims["client_id"] == GATEWAY_CLIENT and not self.refuse_next
