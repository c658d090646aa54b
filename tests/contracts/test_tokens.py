"""Gateway and assistant check tokens each with code of their own; the same token must mean the same at both doors."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from embedded_aws.agentcore.jwt_authorizer import SigningKeys, TokenChecker
from embedded_aws.agentcore.records import JwtAuthorizer
from sre_agent.jwt import Denial, Keys, Verifier
from sre_agent.oidc import Discovery

ISSUER = "https://issuer.example/pool"
DISCOVERY_URL = f"{ISSUER}/.well-known/openid-configuration"
CLIENT, SCOPE = "the-client", "sre-agent/ask"
HOUR = 3600


def key(name: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})


KEY = key("known")


def token(signed_by: RSAKey = KEY, **changes: object) -> str:
    """An access token as Cognito makes it for a machine; None takes a claim away."""
    now = int(time.time())
    claims = {"iss": ISSUER, "client_id": CLIENT, "token_use": "access", "scope": SCOPE, "iat": now, "exp": now + HOUR, **changes}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": signed_by.kid}, kept, signed_by)


def unsigned() -> str:
    header, body, _ = token().split(".")
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": KEY.kid}).encode()).rstrip(b"=").decode()
    assert header
    return f"{none}.{body}."


TOKENS: dict[str, tuple[Any, str]] = {
    "good": (token, ""),
    "several scopes": (lambda: token(scope=f"other {SCOPE}"), ""),
    "expired": (lambda: token(exp=int(time.time()) - HOUR), "expired_token"),
    "not valid yet": (lambda: token(nbf=int(time.time()) + HOUR), "invalid_token"),
    "expired a moment ago": (lambda: token(exp=int(time.time()) - 2), "expired_token"),
    "valid in a moment": (lambda: token(nbf=int(time.time()) + 30), "invalid_token"),
    "no expiry": (lambda: token(exp=None), "invalid_token"),
    "an expiry that is no number": (lambda: token(exp=str(int(time.time()) + HOUR)), "invalid_token"),
    "another issuer": (lambda: token(iss="https://elsewhere.example"), "invalid_token"),
    "another client": (lambda: token(client_id="another"), "wrong_client"),
    "no client": (lambda: token(client_id=None), "wrong_client"),
    "another scope": (lambda: token(scope="sre-agent/other"), "insufficient_scope"),
    "the scope's beginning only": (lambda: token(scope=SCOPE[:-1]), "insufficient_scope"),
    "no scope": (lambda: token(scope=None), "insufficient_scope"),
    "an unknown key": (lambda: token(key("unknown")), "invalid_token"),
    "another key under a known name": (lambda: token(key("known")), "invalid_token"),
    "no signature": (unsigned, "invalid_token"),
    "no token at all": (lambda: "abc.def", "invalid_token"),
}
STATUS = {"": 200, "insufficient_scope": 403}


def issuer() -> httpx2.AsyncClient:
    """A client of an issuer's two public documents."""
    document = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks.json", "token_endpoint": f"{ISSUER}/token"}
    routes = [
        Route("/pool/.well-known/openid-configuration", lambda _: JSONResponse(document)),
        Route("/pool/jwks.json", lambda _: JSONResponse(KeySet([KEY]).as_dict(private=False))),
    ]
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(Starlette(routes=routes)))


async def at_the_assistant(given: str) -> tuple[int, str]:
    async with issuer() as http:
        discovery = Discovery(http, DISCOVERY_URL)
        outcome = await Verifier(Keys(http, discovery), discovery, client_id=CLIENT, scope=SCOPE).check(f"Bearer {given}")
    return (outcome.status, outcome.reason) if isinstance(outcome, Denial) else (200, "")


async def at_the_gateway(given: str) -> tuple[int, str]:
    async with issuer() as http:

        async def fetch(url: str) -> str:
            return (await http.get(url)).text

        authorizer = JwtAuthorizer(DISCOVERY_URL, frozenset({CLIENT}), frozenset(), (SCOPE,))
        denied = await TokenChecker(SigningKeys(DISCOVERY_URL, fetch)).check(given, authorizer)
    return (denied.status, denied.reason) if denied else (200, "")


@pytest.mark.parametrize("kind", TOKENS)
def test_both_doors_answer_alike(kind: str) -> None:
    """With the same status and the same word in the security event, so that one alert watches both."""
    make, reason = TOKENS[kind]
    given = make()
    wanted = (STATUS.get(reason, 401), reason)
    assert asyncio.run(at_the_gateway(given)) == wanted
    assert asyncio.run(at_the_assistant(given)) == wanted


def test_the_assistant_takes_access_tokens_only() -> None:
    """An id token says who a user is, not what they may do. (A gateway looks at no `token_use`: OAuth has no such claim.)"""
    assert asyncio.run(at_the_assistant(token(token_use="id"))) == (401, "invalid_token")
