"""One assistant: its connections, its token, and an investigation for each question."""

from __future__ import annotations

import httpx2

from sre_agent import supervisor, transport
from sre_agent.gateway import open_tools
from sre_agent.oidc import Discovery
from sre_agent.report import Report
from sre_agent.settings import Settings
from sre_agent.tokens import BearerAuth, Client, TokenSource


class Assistant:
    """Holds what questions share: connections to gateway and issuer. Nothing of one question is kept for the next."""

    def __init__(self, gateway_url: str, gateway_http: httpx2.AsyncClient, issuer_http: httpx2.AsyncClient) -> None:
        self._gateway_url = gateway_url
        self._gateway_http = gateway_http
        self._issuer_http = issuer_http

    async def investigate(self, prompt: str) -> Report:
        """The answer to one question. Raises Refused when no tool can be reached at all."""
        async with open_tools(self._gateway_url, self._gateway_http) as tools:
            return await supervisor.investigate(prompt, tools)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._gateway_http.aclose()
        await self._issuer_http.aclose()


def assemble(settings: Settings, issuer_http: httpx2.AsyncClient, discovery: Discovery) -> Assistant:
    """An assistant that asks the gateway with its own client's token."""
    client = Client(settings.gateway_client_id, settings.gateway_client_secret, settings.gateway_scope)
    tokens = TokenSource(issuer_http, discovery, client)
    return Assistant(settings.gateway_url, transport.create_client(auth=BearerAuth(tokens), seconds=15.0), issuer_http)
