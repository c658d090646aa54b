"""A source's HTTP client: pooled, with a deadline for each request, and every failure as a Problem that says what to correct."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from sre_core import tracing
from sre_core.http_client import HttpClient
from sre_core.problem import Refused
from sre_services.sources import failures
from sre_services.sources.settings import Settings

REQUEST_SECONDS = 10.0
CONNECT_SECONDS = 3.0
MOST_CONNECTIONS = 16
TIMEOUT = httpx2.Timeout(REQUEST_SECONDS, connect=CONNECT_SECONDS)
LIMITS = httpx2.Limits(max_connections=MOST_CONNECTIONS, max_keepalive_connections=MOST_CONNECTIONS, keepalive_expiry=30.0)


@dataclass(frozen=True)
class SourceClient:
    """Requests that read from one source. `name` and `url` are for people, who have to find it."""

    name: str
    url: str
    http: httpx2.AsyncClient

    async def get(
        self, path: str, parameters: Mapping[str, Any] | None = None, *, permission: str = "", headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """Ask for a path. Raises Refused with a Problem; `permission` is what a 403 means to lack."""
        return await self._send("GET", path, permission, params=parameters, headers=headers)

    async def _send(self, method: str, path: str, permission: str, **content: Any) -> httpx2.Response:
        try:
            with tracing.span("read_source", "client", facts={"sre.source": self.name, "http.request.method": method}) as step:
                async with asyncio.timeout(REQUEST_SECONDS):
                    answer = await self.http.request(method, path, **content)
                step.note("http.response.status_code", answer.status_code)
        except (httpx2.HTTPError, OSError, TimeoutError) as fault:
            raise Refused(failures.explain_no_answer(self.name, self.url, fault)) from None
        if answer.status_code >= 400:
            raise Refused(failures.explain_refusal(self.name, self.url, answer, permission or path))
        return answer

    async def get_json(self, path: str, parameters: Mapping[str, Any] | None = None, *, permission: str = "") -> Any:
        """Ask for a path and parse its JSON. Raises Refused."""
        return self._parse(await self.get(path, parameters, permission=permission))

    async def post_json(self, path: str, document: Any, *, permission: str = "") -> Any:
        """Send a question as JSON and parse the answer's. Raises Refused."""
        return self._parse(await self._send("POST", path, permission, json=document))

    def _parse(self, answer: httpx2.Response) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise Refused(failures.not_understood(self.name, self.url, "It is not JSON.")) from None


def open_client(settings: Settings, name: str, auth: httpx2.Auth | None = None) -> SourceClient:
    """Open the client of a source with a `url`, and where they are set a bearer `token`, `username` and `password`, and a `ca`.

    `auth` takes their place where requests prove in another way who sends them.
    """
    url = settings.require("url").rstrip("/")
    return SourceClient(
        name,
        url,
        HttpClient(
            base_url=url,
            verify=_trust(settings),
            auth=auth or _basic(settings),
            headers=_headers(settings),
            timeout=TIMEOUT,
            limits=LIMITS,
        ),
    )


def _headers(settings: Settings) -> dict[str, str]:
    token, tenant = settings.credential("token"), settings.get("tenant")
    bearer = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
    # Mimir and Loki keep the data of several tenants apart by this header.
    return bearer | ({"X-Scope-OrgID": tenant} if tenant else {})


def _basic(settings: Settings) -> httpx2.BasicAuth | None:
    password = settings.credential("password")
    return httpx2.BasicAuth(settings.require("username"), password.reveal()) if password else None


def _trust(settings: Settings) -> ssl.SSLContext:
    """Trust the system's certificate authorities and, where it is set, the source's own."""
    context, authority = ssl.create_default_context(), settings.credential("ca")
    try:
        if authority:
            context.load_verify_locations(cadata=authority.reveal())
    except ssl.SSLError as fault:
        raise Refused(failures.unusable_authority(settings.source, str(fault))) from None
    return context
