"""Machine tokens by client credentials: asked for once, used until shortly before they expire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import httpx2

from sre_agent.oidc import Discovery, unreachable_problem
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

EARLY = 60.0  # seconds before expiry at which a token counts as used up: clocks differ and requests take time


@dataclass(frozen=True)
class Client:
    """Who asks for tokens, and for which scope."""

    client_id: str
    client_secret: Secret
    scope: str


class TokenSource:
    """Gives a valid access token of one client; concurrent askers share one request to the issuer."""

    def __init__(self, http: httpx2.AsyncClient, discovery: Discovery, client: Client) -> None:
        self._http = http
        self._discovery = discovery
        self._client = client
        self._token: Secret | None = None
        self._good_until = 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> Secret:
        """A token that is valid now. Raises Refused when the issuer gives none."""
        async with self._lock:
            if self._token is None or time.monotonic() >= self._good_until:
                self._token, lifetime = await self._ask()
                self._good_until = time.monotonic() + max(lifetime - EARLY, lifetime / 2)
            return self._token

    async def forget(self, refused: Secret) -> None:
        """Drop a token that a server refused, unless another asker has replaced it already."""
        async with self._lock:
            if self._token == refused:
                self._token = None

    async def _ask(self) -> tuple[Secret, float]:
        endpoint = (await self._discovery.issuer()).token_endpoint
        try:
            response = await self._http.post(
                endpoint,
                data={"grant_type": "client_credentials", "scope": self._client.scope},
                auth=httpx2.BasicAuth(self._client.client_id, self._client.client_secret.reveal()),
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise Refused(
                unreachable_problem(endpoint, error if isinstance(error, httpx2.HTTPError) else httpx2.HTTPError(str(error)))
            ) from error
        return self._read(endpoint, response)

    def _read(self, endpoint: str, response: httpx2.Response) -> tuple[Secret, float]:
        try:
            answer = response.json()
            if response.status_code == 200:
                return Secret(answer["access_token"]), float(answer.get("expires_in", 300))
            reason = str(answer.get("error", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            reason = ""
        raise Refused(_refused(endpoint, self._client, response.status_code, reason))


class BearerAuth(httpx2.Auth):
    """Puts the token on each request; a 401 gets one more try with a new token."""

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        token = await self._tokens.token()
        request.headers["authorization"] = f"Bearer {token.reveal()}"
        response = yield request
        if response.status_code == 401:
            await self._tokens.forget(token)
            request.headers["authorization"] = f"Bearer {(await self._tokens.token()).reveal()}"
            yield request


def _refused(endpoint: str, client: Client, status: int, reason: str) -> Problem:
    return Problem(
        code="AUTH-NO-TOKEN",
        what=f"{endpoint} gave no token to client {client.client_id}.",
        why=f"It answered {status}{f' {reason}' if reason else ''} for scope {client.scope}.",
        do=(
            "Check the deployment's clients and scopes: sre-agent-deploy verify",
            "If the client's secret was rotated, run `sre-agent-deploy deploy`: it stores the new one.",
        ),
    )
