"""One assistant: its connections, its token, its reasoner, and an investigation for each question."""

from __future__ import annotations

import httpx2

from sre_agent import supervisor, transport
from sre_agent.gateway import CALL_SECONDS, open_tools
from sre_agent.oidc import Discovery
from sre_agent.pool import Pool
from sre_agent.reasoner import Reasoner
from sre_agent.report import Report
from sre_agent.request import Request
from sre_agent.settings import Settings
from sre_agent.tokens import BearerAuth, Client, TokenSource
from sre_agent.watching import Watch, WatchedTools


class Assistant:
    """Holds what questions share: the reasoner, and the connections to gateway and issuer. Nothing of one question stays for the next."""

    def __init__(
        self,
        gateway_url: str,
        gateway_http: httpx2.AsyncClient,
        issuer_http: httpx2.AsyncClient,
        *,
        reasoner: Reasoner,
        call_seconds: float = CALL_SECONDS,
        pool: Pool | None = None,
    ) -> None:
        self._gateway_url = gateway_url
        self._gateway_http = gateway_http
        self._issuer_http = issuer_http
        self._reasoner = reasoner
        self._call_seconds = call_seconds
        self._pool = pool or Pool()

    async def investigate(self, prompt: str) -> Report:
        """Answer a question that comes without options."""
        return await self.answer(Request(prompt=prompt))

    async def answer(self, request: Request, watch: Watch | None = None) -> Report:
        """Answer one question, and show each call to `watch`.

        Raises Refused when no tool can be reached at all, and Busy when too many wait.
        """
        async with self._pool.enter(), open_tools(self._gateway_url, self._gateway_http, self._call_seconds, self._pool) as tools:
            return await supervisor.answer(request, WatchedTools(tools, watch) if watch else tools, self._reasoner, watch)

    async def close(self) -> None:
        """Close the connections."""
        await self._gateway_http.aclose()
        await self._issuer_http.aclose()


def assemble(settings: Settings, issuer_http: httpx2.AsyncClient, discovery: Discovery, reasoner: Reasoner) -> Assistant:
    """Assemble an assistant that calls the gateway with its own client's token."""
    client = Client(settings.gateway_client_id, settings.gateway_client_secret, settings.gateway_scope)
    tokens = TokenSource(issuer_http, discovery, client)
    gateway_http = transport.create_client(auth=BearerAuth(tokens), seconds=15.0)
    return Assistant(settings.gateway_url, gateway_http, issuer_http, reasoner=reasoner)
