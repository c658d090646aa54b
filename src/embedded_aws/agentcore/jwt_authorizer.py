"""Inbound authorization: whether a bearer token is one that a gateway's JWT authorizer accepts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from embedded_aws.agentcore.records import JwtAuthorizer
from embedded_aws.agentcore.signing_keys import SigningKeys, key_id
from sre_core import clock

type Claims = Mapping[str, Any]

_TOKENS_REMEMBERED = 4096
_TOKEN_AT_MOST = 16 * 1024


@dataclass(frozen=True)
class Denied:
    """A refusal: the word for the security event, and whether the token itself was fine (403) or not (401)."""

    reason: str
    status: int = 401


class TokenChecker:
    """Checks tokens of one issuer; what it has verified once it knows again by its hash."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._verified: dict[bytes, Claims] = {}
        self._generation = 0

    async def check(self, token: str, authorizer: JwtAuthorizer) -> Denied | None:
        """None where the token is accepted."""
        claims = await self._claims(token)
        if claims is None or claims.get("iss") != self._keys.issuer:
            return Denied("invalid_token")
        return _time_refusal(claims, clock.now().timestamp()) or _refusal(claims, authorizer)

    async def _claims(self, token: str) -> Claims | None:
        """The claims of a token whose signature is good, else None."""
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
            # The algorithm is pinned: a token must not choose how it is checked.
            return jwt.decode(token, key, algorithms=["RS256"]).claims
        except (JoseError, ValueError):
            return None


def _time_refusal(claims: Claims, now: float) -> Denied | None:
    """To the second, as docs/decisions/0005-tokens-to-the-second.md says."""
    expires, begins = claims.get("exp"), claims.get("nbf", 0)
    if not _is_time(expires) or not _is_time(begins):
        return Denied("invalid_token")
    if now >= float(expires):  # type: ignore[arg-type]  # `_is_time` looked
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
