"""A token issuer that behaves as a Cognito user pool does, on loopback."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from agent_https import Authority, https
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

GATEWAY_CLIENT, CALLER_CLIENT = "gateway-client", "caller-client"
GATEWAY_SCOPE, CALLER_SCOPE = "sre-agent/gateway.invoke", "sre-agent/assistant.invoke"
SCOPES = {GATEWAY_CLIENT: GATEWAY_SCOPE, CALLER_CLIENT: CALLER_SCOPE}


def new_key() -> RSAKey:
    """A signing key of this run, with an id."""
    key = RSAKey.generate_key(2048, auto_kid=False)
    return RSAKey.import_key({**key.as_dict(private=True), "kid": f"key-{time.monotonic_ns()}", "alg": "RS256", "use": "sig"})


@dataclass
class Issuer:
    """The keys and clients of the issuer; tests may change them while it runs."""

    keys: list[RSAKey]
    secrets: dict[str, str]
    url: str = ""
    lifetime: int = 3600
    shown_endpoint: str = ""
    """The token endpoint of the discovery document, if that is another than the real one."""
    asked: list[str] = field(default_factory=list)

    @property
    def discovery_url(self) -> str:
        return f"{self.url}/pool/.well-known/openid-configuration"

    @classmethod
    @contextmanager
    def running(cls, authority: Authority) -> Iterator[Issuer]:
        issuer = cls([new_key()], {client: f"s-{time.monotonic_ns()}" for client in SCOPES})
        routes = [
            Route("/pool/.well-known/openid-configuration", issuer._discovery),
            Route("/pool/.well-known/jwks.json", issuer._jwks),
            Route("/oauth2/token", issuer._token, methods=["POST"]),
        ]
        with https(Starlette(routes=routes), authority) as url:
            issuer.url = url
            yield issuer

    def token(self, client: str = CALLER_CLIENT, *, key: RSAKey | None = None, algorithm: str = "RS256", **changes: object) -> str:
        """An access token as Cognito makes them; `changes` replace claims, and None removes one."""
        now = int(time.time())
        claims = {
            "sub": client, "client_id": client, "token_use": "access", "scope": SCOPES.get(client, ""), "iss": f"{self.url}/pool",
            "iat": now, "exp": now + self.lifetime, "version": 2, **changes,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        key = key or self.keys[-1]
        return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, algorithms=[algorithm])

    async def _discovery(self, _: Request) -> Response:
        self.asked.append("discovery")
        document = {
            "issuer": f"{self.url}/pool",
            "token_endpoint": self.shown_endpoint or f"{self.url}/oauth2/token",
            "jwks_uri": f"{self.url}/pool/.well-known/jwks.json",
        }
        return JSONResponse(document)

    async def _jwks(self, _: Request) -> Response:
        self.asked.append("jwks")
        return JSONResponse(KeySet(list(self.keys)).as_dict(private=False))

    async def _token(self, request: Request) -> Response:
        self.asked.append("token")
        form = await request.form()
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        client, _, secret = base64.b64decode(given).decode().partition(":") if scheme == "Basic" else ("", "", "")
        if form.get("grant_type") != "client_credentials" or not secret or self.secrets.get(client) != secret:
            return JSONResponse({"error": "invalid_client"}, status_code=400)
        if form.get("scope") != SCOPES[client]:
            return JSONResponse({"error": "invalid_scope"}, status_code=400)
        return JSONResponse({"access_token": self.token(client), "expires_in": self.lifetime, "token_type": "Bearer"})
