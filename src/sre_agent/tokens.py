"""Machine tokens by client credentials: requested once, and used until shortly before they expire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import httpx2

from sre_agent.oidc import Discovery, unreachable_problem
from sre_agent.transport import is_certificate_error
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

EARLY = 60.0  # seconds before expiry at which a token is replaced: clocks differ and requests take time


@dataclass(frozen=True)
class SecretFile:
    """The file of a secret that may be rotated while this process runs: it is read for each token."""

    file: Path

    def read(self) -> Secret:
        """Read the secret. Raises OSError."""
        return Secret(self.file.read_text(encoding="utf-8").strip())


@dataclass(frozen=True)
class Client:
    """An app client, and the scope of its tokens."""

    client_id: str
    client_secret: Secret | SecretFile
    scope: str

    def read_secret(self) -> Secret:
        """Return the secret as it is now."""
        return self.client_secret.read() if isinstance(self.client_secret, SecretFile) else self.client_secret


class TokenSource:
    """Provides a valid access token of one client; concurrent callers share one request to the issuer."""

    def __init__(self, http: httpx2.AsyncClient, discovery: Discovery, client: Client, prefix_endpoint: str = "") -> None:
        """Use `prefix_endpoint` while the endpoint of the discovery document can't be reached: its DNS record may be missing still."""
        self._http = http
        self._discovery = discovery
        self._client = client
        self._prefix_endpoint = prefix_endpoint
        self._token: Secret | None = None
        self._good_until = 0.0
        self._lock = asyncio.Lock()

    async def token(self) -> Secret:
        """Return a token that is valid now. Raises Refused when the issuer does not issue one."""
        async with self._lock:
            if self._token is None or time.monotonic() >= self._good_until:
                self._token, lifetime = await self._request()
                self._good_until = time.monotonic() + max(lifetime - EARLY, lifetime / 2)
            return self._token

    async def forget(self, refused: Secret) -> None:
        """Drop a token that a server refused, unless it was replaced already."""
        async with self._lock:
            if self._token == refused:
                self._token = None

    async def _request(self) -> tuple[Secret, float]:
        endpoint = (await self._discovery.issuer()).token_endpoint
        return await self._request_at(endpoint, instead=self._prefix_endpoint)

    async def _request_at(self, endpoint: str, *, instead: str = "") -> tuple[Secret, float]:
        try:
            response = await self._http.post(
                endpoint,
                data={"grant_type": "client_credentials", "scope": self._client.scope},
                auth=httpx2.BasicAuth(self._client.client_id, self._client.read_secret().reveal()),
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # A certificate that is not trusted is reported, not avoided.
            if instead and isinstance(error, httpx2.ConnectError) and not is_certificate_error(error):
                return await self._request_at(instead)
            raise Refused(
                unreachable_problem(endpoint, error if isinstance(error, httpx2.HTTPError) else httpx2.HTTPError(str(error)))
            ) from error
        return self._parse(endpoint, response)

    def _parse(self, endpoint: str, response: httpx2.Response) -> tuple[Secret, float]:
        try:
            answer = response.json()
            if response.status_code == 200:
                return Secret(answer["access_token"]), float(answer.get("expires_in", 300))
            reason = str(answer.get("error", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            reason = ""
        raise Refused(_refused(endpoint, self._client, response.status_code, reason))


class BearerAuth(httpx2.Auth):
    """Adds the token to each request, and retries once with a new token after a 401."""

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
        what=f"{endpoint} issued no token to client {client.client_id}.",
        why=f"It answered {status}{f' {reason}' if reason else ''} for scope {client.scope}.",
        do=(
            "Check the deployment's clients and scopes: sre-agent-deploy verify",
            "If the client's secret was rotated, run `sre-agent-deploy deploy`: it stores the new one.",
        ),
    )
