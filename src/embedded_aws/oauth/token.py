"""The decision of the token endpoint: a token, or the refusal.

https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus

from joserfc import jwt

from embedded_aws.oauth.pools import Client, Pool
from sre_core.secret import Secret

_NEEDS_A_USER = frozenset({"authorization_code", "refresh_token"})


@dataclass(frozen=True)
class TokenRequest:
    """A parsed request: the fields of the form, and the credentials of the client from any place where they may be sent."""

    grant_type: str
    scope: str
    client_id: str
    client_secret: Secret


@dataclass(frozen=True)
class Refused:
    """An OAuth error, RFC 6749 section 5.2, and the client that the request names if the pool has it."""

    error: str
    client_id: str = ""


@dataclass(frozen=True)
class Granted:
    """A token, and its lifetime in seconds."""

    access_token: Secret
    expires_in: int


def parse(authorization: str, form: Mapping[str, str]) -> TokenRequest | Refused:
    """Parse client_secret_basic and client_secret_post."""
    if "grant_type" not in form:
        return Refused("invalid_request")
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    if authorization.lower().startswith("basic "):
        try:
            decoded = base64.b64decode(authorization[6:], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return Refused("invalid_client")
        client_id, _, secret = (unquote_plus(part) for part in decoded.partition(":"))
    return TokenRequest(form["grant_type"], form.get("scope", ""), client_id, Secret(secret))


def grant(request: TokenRequest, pool: Pool, issuer: str, now: datetime) -> Granted | Refused:
    """Return an access token for a machine client, or why it is refused."""
    decided = _decide(request, pool, issuer, now)
    # A name that the pool does not have may be a secret in the wrong place.
    if isinstance(decided, Refused) and request.client_id in pool.clients:
        return Refused(decided.error, request.client_id)
    return decided


def _decide(request: TokenRequest, pool: Pool, issuer: str, now: datetime) -> Granted | Refused:
    client = pool.clients.get(request.client_id)
    if client is None or request.client_secret not in client.secrets:
        return Refused("invalid_client")
    if request.grant_type in _NEEDS_A_USER:
        return Refused("invalid_grant")  # no user can sign in here, so no code or refresh token was ever issued
    if request.grant_type != "client_credentials":
        return Refused("unsupported_grant_type")
    if "client_credentials" not in client.flows:
        return Refused("unauthorized_client")
    scopes = _scopes(request, client, pool)
    return scopes if isinstance(scopes, Refused) else _issue(client, pool, issuer, scopes, now)


def _scopes(request: TokenRequest, client: Client, pool: Pool) -> tuple[str, ...] | Refused:
    allowed = tuple(scope for scope in client.scopes if scope in pool.scopes)
    if not allowed:
        return Refused("invalid_grant")
    # Cognito gives all of a client's custom scopes to a request that names none.
    asked = tuple(request.scope.split()) or allowed
    return asked if set(asked) <= set(allowed) else Refused("invalid_scope")


def _issue(client: Client, pool: Pool, issuer: str, scopes: tuple[str, ...], now: datetime) -> Granted:
    issued_at = int(now.timestamp())
    lifetime = int(client.access_token_validity.total_seconds())
    claims = {
        "sub": client.client_id,
        "token_use": "access",
        "scope": " ".join(scopes),
        "auth_time": issued_at,
        "iss": issuer,
        "exp": issued_at + lifetime,
        "iat": issued_at,
        "version": 2,
        "jti": str(uuid.uuid4()),
        "client_id": client.client_id,
    }
    return Granted(Secret(jwt.encode({"kid": pool.key.kid, "alg": "RS256"}, claims, pool.key)), lifetime)
