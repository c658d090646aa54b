"""Trace each operation of a service as a step of its caller's trace."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sre_core import tracing
from sre_services.auth import HEALTH_PATH


class Traced:
    """ASGI middleware that opens a span for each operation. It has the operation's path, and no value of a parameter."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == HEALTH_PATH:
            await self.app(scope, receive, send)
            return
        parent = Headers(scope=scope).get(tracing.HEADER, "")
        with tracing.span("operation", "server", parent=parent, facts={"http.request.method": scope["method"]}) as span:

            async def observe(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.note("http.response.status_code", message["status"])
                await send(message)

            await self.app(scope, receive, observe)
            if route := scope.get("route"):
                span.note("http.route", route.path)
