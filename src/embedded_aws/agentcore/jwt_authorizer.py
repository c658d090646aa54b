"""Authorize incoming requests: check bearer tokens with the keys of their issuer."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from embedded_aws.agentcore.records import JwtAuthorizer
from sre_core import clock

type Fetch = Callable[[str], Awaitable[str | None]]

_FRESH = timedelta(minutes=5)
# Tokens with invented key ids must not become requests to the issuer.
_BETWEEN_FETCHES = timedelta(seconds=1)
_LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


class SigningKeys:
    """The RSA keys of one issuer, by key id; fetched when first needed, when old, and when an id is unknown."""

    def __init__(self, discovery_url: str, fetch: Fetch) -> None:
        self._discovery_url = discovery_url
        self._fetch = fetch
        self._keys: dict[str, RSAKey] = {}
        self._fetched = _LONG_AGO
        self._fetching = asyncio.Lock()
        self.issuer: str | None = None
        self.generation = 0

    async def refresh(self) -> None:
        """Fetch the keys where they are absent or old."""
        age = clock.now() - self._fetched
        if age > _FRESH or (not self._keys and age > _BETWEEN_FETCHES):
            await self._load()

    async def key(self, name: str) -> RSAKey | None:
        """Return the key of this id; fetch the keys again where it is unknown, because the issuer may have just created it."""
        if name not in self._keys:
            await self._load()
        return self._keys.get(name)

    async def _load(self) -> None:
        async with self._fetching:
            if clock.now() - self._fetched <= _BETWEEN_FETCHES:
                return
            self._fetched = clock.now()
            discovery = _object(await self._fetch(self._discovery_url))
            issuer, keys_url = discovery.get("issuer"), discovery.get("jwks_uri")
            found = _object(await self._fetch(keys_url)) if isinstance(keys_url, str) else {}
            keys = _rsa_keys(found.get("keys"))
            # The known keys stay valid while their issuer can't be reached.
            if isinstance(issuer, str) and keys:
                changed = issuer != self.issuer or _prints(keys) != _prints(self._keys)
                self.issuer, self._keys = issuer, keys
                self.generation += changed


def _prints(keys: Mapping[str, RSAKey]) -> dict[str, str]:
    return {name: key.thumbprint() for name, key in keys.items()}


def key_id(token: str) -> str | None:
    """Return the `kid` in the header of a token; None where this is no token."""
    first = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(first + "=" * (-len(first) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    found = header.get("kid") if isinstance(header, dict) else None
    return found if isinstance(found, str) else None


def _object(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _rsa_keys(entries: object) -> dict[str, RSAKey]:
    keys: dict[str, RSAKey] = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("kty") == "RSA" and entry.get("use", "sig") == "sig" and isinstance(entry.get("kid"), str):
            try:
                keys[entry["kid"]] = RSAKey.import_key(entry)
            except (JoseError, ValueError, KeyError):
                continue
    return keys


type Claims = Mapping[str, Any]

_TOKENS_REMEMBERED = 4096
_TOKEN_AT_MOST = 16 * 1024


@dataclass(frozen=True)
class Denied:
    """A refused token: the reason, the status (403 for a valid token, else 401), and the subject if the issuer signed it."""

    reason: str
    status: int = 401
    subject: str = ""


class TokenChecker:
    """Checks tokens of one issuer; it remembers verified tokens by their hash."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._verified: dict[bytes, Claims] = {}
        self._generation = 0

    async def check(self, token: str, authorizer: JwtAuthorizer) -> Denied | None:
        """Return why the token is refused; None where it is accepted."""
        claims = await self.read(token)
        if isinstance(claims, Denied):
            return claims
        denied = _refusal(claims, authorizer)
        return replace(denied, subject=_subject(claims)) if denied else None

    async def read(self, token: str) -> Claims | Denied:
        """Return the claims of a token that this issuer signed and that is valid now, for any client."""
        claims = await self._claims(token)
        if claims is None or claims.get("iss") != self._keys.issuer:
            return Denied("invalid_token")
        denied = _time_refusal(claims, clock.now().timestamp())
        return replace(denied, subject=_subject(claims)) if denied else claims

    async def _claims(self, token: str) -> Claims | None:
        """Return the claims of a token whose signature is valid, else None."""
        await self._keys.refresh()
        if self._generation != self._keys.generation or len(self._verified) > _TOKENS_REMEMBERED:
            self._verified.clear()
            self._generation = self._keys.generation
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if known is None and (known := await self._verify(token)) is not None:
            self._verified[digest] = known
        return known

    async def _verify(self, token: str) -> Claims | None:
        name = key_id(token) if len(token) <= _TOKEN_AT_MOST else None
        key = await self._keys.key(name) if name is not None else None
        if key is None:
            return None
        try:
            # The algorithm is fixed: a token must not choose how it is verified.
            return jwt.decode(token, key, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return None


def _subject(claims: Claims) -> str:
    return str(claims.get("sub", ""))[:128]


def _time_refusal(claims: Claims, now: float) -> Denied | None:
    """Check the time claims to the second, as docs/decisions/0005-tokens-to-the-second.md says."""
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not _is_time(expires) or not _is_time(begins):
        return Denied("invalid_token")
    if now >= float(expires):  # type: ignore[arg-type]  # `_is_time` has checked it
        return Denied("expired_token")
    return Denied("invalid_token") if now < float(begins) else None


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _refusal(claims: Claims, authorizer: JwtAuthorizer) -> Denied | None:
    audience = claims.get("aud", ())
    audiences = {audience} if isinstance(audience, str) else {each for each in audience if isinstance(each, str)}
    if authorizer.clients and claims.get("client_id") not in authorizer.clients:
        return Denied("wrong_client")
    if authorizer.audiences and not audiences & authorizer.audiences:
        return Denied("wrong_client")
    granted = str(claims.get("scope", "")).split()
    if authorizer.scopes and not set(granted) & set(authorizer.scopes):
        return Denied("insufficient_scope", 403)
    return None
