"""An issuer's signing keys, found through its discovery document."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from sre_core import clock

type Fetch = Callable[[str], Awaitable[str | None]]

_FRESH = timedelta(minutes=5)
# Tokens with invented key ids must not become requests to the issuer.
_BETWEEN_FETCHES = timedelta(seconds=1)
_LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


class SigningKeys:
    """The RSA keys of one issuer, by key id; fetched when first needed, when old, and when an id is not known."""

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
        """The key of this id; the issuer may have begun to use it a moment ago."""
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
            # An issuer that can't be reached now doesn't make its keys wrong.
            if isinstance(issuer, str) and keys:
                changed = issuer != self.issuer or _prints(keys) != _prints(self._keys)
                self.issuer, self._keys = issuer, keys
                self.generation += changed


def _prints(keys: Mapping[str, RSAKey]) -> dict[str, str]:
    return {name: key.thumbprint() for name, key in keys.items()}


def key_id(token: str) -> str | None:
    """The `kid` of a token's header; None where this is no token."""
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
