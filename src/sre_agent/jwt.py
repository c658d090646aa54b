"""Authorisation of callers: access tokens of one client with one scope, checked against the issuer's keys."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from sre_agent.oidc import Discovery, unreachable_problem
from sre_core import clock
from sre_core.problem import Refused

FRESH_FOR = 300.0  # seconds, so that a key which the issuer has withdrawn is not trusted for longer
REFETCH_AFTER = 10.0  # seconds, so that a flood of unknown key ids does not become a flood of requests to the issuer

type Reason = Literal["missing_token", "invalid_token", "expired_token", "wrong_client", "insufficient_scope"]


@dataclass(frozen=True)
class Caller:
    """A caller whose token is valid."""

    client_id: str
    subject: str


@dataclass(frozen=True)
class Denial:
    """The reason why a request is refused, as a fixed word, and the subject of its token if the issuer signed it."""

    reason: Reason
    subject: str = ""

    @property
    def status(self) -> int:
        """403 for a good token that may not do this, 401 for everything else (RFC 6750)."""
        return 403 if self.reason == "insufficient_scope" else 401

    @property
    def challenge(self) -> str:
        """The `www-authenticate` header: no error code where no token was sent (RFC 6750, 3.1)."""
        if self.reason == "missing_token":
            return "Bearer"
        error = "insufficient_scope" if self.reason == "insufficient_scope" else "invalid_token"
        return f'Bearer error="{error}"'


class Keys:
    """The issuer's signing keys, fetched again when they are old and when a token names an unknown one."""

    def __init__(self, http: httpx2.AsyncClient, discovery: Discovery, now: Callable[[], float] = clock.elapsed) -> None:
        self._http = http
        self._now = now
        self._discovery = discovery
        self._keys: KeySet | None = None
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    async def find(self, key_id: str) -> KeySet:
        """Return the key set, fetched again if old or without `key_id`. Raises Refused when the issuer never answered."""
        async with self._lock:
            age = self._now() - self._read_at
            known = self._keys is not None and any(key.kid == key_id for key in self._keys.keys)
            if self._keys is None:
                self._keys, self._read_at = await self._fetch(), self._now()
            elif age > FRESH_FOR or (not known and age > REFETCH_AFTER):
                self._read_at = self._now()
                # The known keys stay valid while their issuer can't be reached.
                with suppress(Refused):
                    self._keys = await self._fetch()
            return self._keys

    async def _fetch(self) -> KeySet:
        url = (await self._discovery.issuer()).jwks_uri
        try:
            response = await self._http.get(url, auth=None)
            response.raise_for_status()
            return KeySet.import_key_set(response.json())
        except (httpx2.HTTPError, ValueError, JoseError) as error:
            cause = error if isinstance(error, httpx2.HTTPError) else httpx2.HTTPError(f"not a key set: {error}")
            raise Refused(unreachable_problem(url, cause)) from error


class Verifier:
    """Turns an `Authorization` header into a Caller or a Denial."""

    def __init__(self, keys: Keys, discovery: Discovery, *, client_id: str, scope: str) -> None:
        self._keys = keys
        self._discovery = discovery
        self._client_id = client_id
        self._scope = scope

    async def check(self, authorization: str | None) -> Caller | Denial:
        """Check signature (RS256 only), issuer, expiry, kind, client and scope, in this order."""
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return Denial("missing_token")
        claims = await self._claims(token.strip())
        if claims is None:
            return Denial("invalid_token")
        return check_claims(claims, (await self._discovery.issuer()).issuer, self._client_id, self._scope, clock.now().timestamp())

    async def _claims(self, token: str) -> Mapping[str, object] | None:
        key_id = _key_id(token)
        if key_id is None:
            return None
        try:
            return jwt.decode(token, await self._keys.find(key_id), algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return None


def check_claims(claims: Mapping[str, object], issuer: str, client_id: str, scope: str, now: float) -> Caller | Denial:
    """Check the claims of a correctly signed token, to the second: docs/decisions/0005-tokens-to-the-second.md."""
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if claims.get("iss") != issuer or claims.get("token_use") != "access" or not _is_time(expires) or not _is_time(begins):
        return Denial("invalid_token")
    subject = str(claims.get("sub", ""))[:128]
    if now >= float(str(expires)):
        return Denial("expired_token", subject)
    if now < float(str(begins)):
        return Denial("invalid_token", subject)
    if claims.get("client_id") != client_id:
        return Denial("wrong_client", subject)
    if scope not in str(claims.get("scope", "")).split():
        return Denial("insufficient_scope", subject)
    return Caller(client_id=client_id, subject=subject)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key_id(token: str) -> str | None:
    """Read the key id in the header, before anything is verified; None when this is not a signed token with a key id."""
    from joserfc.jws import extract_compact

    try:
        return str(extract_compact(token.encode()).headers()["kid"])
    except (JoseError, ValueError, KeyError):
        return None
