"""Fetch access tokens from authorization servers by the client credentials grant: RFC 6749 section 4.4."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ssl import SSLContext
from typing import Any
from urllib.parse import quote_plus, urlencode

from embedded_aws.agentcore.backend import Backend, Reply, Unreachable
from embedded_aws.agentcore.identity_records import Oauth2Provider
from embedded_aws.agentcore.provider_secrets import key_in
from embedded_aws.world import World
from sre_core import clock
from sre_core.secret import Secret

# A token is not used in the last seconds of its life: it would expire on its way.
_MARGIN = timedelta(seconds=10)
# RFC 6749 lets a server omit the lifetime; such a token is fetched again soon.
_UNKNOWN_LIFETIME = 60


@dataclass(frozen=True)
class TokenDenied:
    """The reason why there is no token or key, for the owner of the provider to read."""

    why: str


@dataclass(frozen=True)
class _Server:
    endpoint: str
    methods: tuple[str, ...]


@dataclass(frozen=True)
class _Kept:
    token: Secret
    until: datetime


class Oauth2Tokens:
    """Fetches the tokens of credential providers, and keeps each until shortly before it expires."""

    def __init__(self, world: World, servers: Backend, trust: Callable[[], SSLContext]) -> None:
        self._world = world
        self._servers = servers
        self._trust = trust
        self._kept: dict[tuple[object, ...], _Kept] = {}

    async def token(
        self, provider: Oauth2Provider, scopes: Iterable[str], parameters: Mapping[str, str], *, again: bool = False
    ) -> Secret | TokenDenied:
        """Return an access token for these scopes, or why there is none; `again` does not look at the token that is kept."""
        text = self._world.secret(provider.secret.arn)
        found = key_in(text, provider.secret.json_key) if text is not None else None
        if found is None:
            return TokenDenied(f"The secret {provider.secret.arn} has no text under the key {provider.secret.json_key}.")
        form = {**parameters, "grant_type": "client_credentials"}
        if scope := " ".join(scopes):
            form["scope"] = scope
        secret = Secret(found)
        place = (provider.arn, provider.updated_at, secret, *sorted(form.items()))
        kept = self._kept.get(place)
        if kept is None or again or clock.now() >= kept.until:
            fetched = await self._fetch(provider, secret, form)
            if isinstance(fetched, TokenDenied):
                return fetched
            kept = self._kept[place] = fetched
        return kept.token

    async def _fetch(self, provider: Oauth2Provider, secret: Secret, form: Mapping[str, str]) -> _Kept | TokenDenied:
        server = await self._find_server(provider)
        if isinstance(server, TokenDenied):
            return server
        headers = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        if _sends_basic(provider, server):
            # RFC 6749 section 2.3.1: both are form-encoded before they are joined.
            pair = f"{quote_plus(provider.client_id)}:{quote_plus(secret.reveal())}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form = {**form, "client_id": provider.client_id, "client_secret": secret.reveal()}
        asked_at = clock.now()
        reply = await self._servers.send("POST", server.endpoint, tls=self._trust(), headers=headers, body=urlencode(form).encode())
        return _read_token(server.endpoint, reply, asked_at)

    async def _find_server(self, provider: Oauth2Provider) -> _Server | TokenDenied:
        if metadata := provider.discovery.get("authorizationServerMetadata"):
            return _Server(metadata["tokenEndpoint"], tuple(metadata.get("tokenEndpointAuthMethods", ())))
        url = provider.discovery["discoveryUrl"]
        reply = await self._servers.send("GET", url, tls=self._trust(), headers={"accept": "application/json"})
        document = _object(reply)
        endpoint, methods = document.get("token_endpoint"), document.get("token_endpoint_auth_methods_supported")
        if not isinstance(endpoint, str):
            return TokenDenied(f"The discovery document {url} names no token endpoint.{_reason(reply)}")
        return _Server(endpoint, tuple(each for each in methods if isinstance(each, str)) if isinstance(methods, list) else ())


def _sends_basic(provider: Oauth2Provider, server: _Server) -> bool:
    """Say how the client authenticates: as the provider configures it, else as the server takes it; Basic is the default of RFC 8414."""
    if configured := provider.config.get("clientAuthenticationMethod"):
        return bool(configured == "CLIENT_SECRET_BASIC")
    return not server.methods or "client_secret_basic" in server.methods


def _read_token(endpoint: str, reply: Reply | Unreachable, asked_at: datetime) -> _Kept | TokenDenied:
    document = _object(reply)
    token, lifetime = document.get("access_token"), document.get("expires_in", _UNKNOWN_LIFETIME)
    if not isinstance(token, str) or not token or not isinstance(lifetime, (int, float)):
        error = document.get("error")
        says = f" It answered: {error[:200]}." if isinstance(error, str) else _reason(reply)
        return TokenDenied(f"The token endpoint {endpoint} issued no token.{says}")
    return _Kept(Secret(token), asked_at + timedelta(seconds=lifetime) - _MARGIN)


def _reason(reply: Reply | Unreachable) -> str:
    return f" {reply.why}" if isinstance(reply, Unreachable) else f" It answered with status {reply.status}."


def _object(reply: Reply | Unreachable) -> dict[str, Any]:
    """Return the JSON object of an answer of any status; an error response of OAuth has one too."""
    try:
        found = json.loads(reply.text) if isinstance(reply, Reply) else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
