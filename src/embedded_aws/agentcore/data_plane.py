"""The endpoints of gateways: one HTTPS listener for each, and one pool of outgoing connections."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

from embedded_aws.agentcore.backend import Backend, Egress, Reply
from embedded_aws.agentcore.catalog import Catalogs
from embedded_aws.agentcore.gateway_endpoint import GatewayEndpoint
from embedded_aws.agentcore.jwt_authorizer import SigningKeys, TokenChecker
from embedded_aws.agentcore.methods import Methods
from embedded_aws.agentcore.oauth2_tokens import Oauth2Tokens
from embedded_aws.agentcore.outbound_credentials import OutboundCredentials
from embedded_aws.agentcore.records import Registry
from embedded_aws.world import Listener, World


class DataPlane:
    """Opens and closes the endpoints of gateways."""

    def __init__(self, world: World, registry: Registry, catalogs: Catalogs, allowed_hosts: frozenset[str]) -> None:
        self._world = world
        self._registry = registry
        self._catalogs = catalogs
        self._targets = Backend(Egress(world, allowed_hosts))
        # Cognito, which issues tokens for both directions, answers on the endpoint's own host, which no target may address.
        self._issuers = Backend(Egress(world, allowed_hosts | {urlsplit(world.endpoint).hostname or ""}))
        self.tokens = Oauth2Tokens(world, self._issuers, self._trust)
        self._methods = Methods(self._targets, OutboundCredentials(world, registry, self.tokens))
        self._listeners: dict[str, Listener] = {}
        self._checkers: dict[str, TokenChecker] = {}
        self._issuer_tls: ssl.SSLContext | None = None

    async def open(self, gateway_id: str) -> str:
        """Open the HTTPS listener of a gateway and return its URL."""
        app = GatewayEndpoint(
            gateway_id,
            self._registry,
            self._catalogs,
            self._methods,
            self.checker,
            deliver_logs=self._world.deliver_logs,
            record_event=self._world.record_event,
        )
        listener = await self._world.listen(app)
        self._listeners[gateway_id] = listener
        return listener.url

    async def close(self, gateway_id: str) -> None:
        """Close the listener of a gateway."""
        self._catalogs.forget(gateway_id)
        listener = self._listeners.pop(gateway_id, None)
        if listener is not None:
            await listener.close()

    async def close_all(self) -> None:
        """Close every listener and every connection."""
        await asyncio.gather(*(self.close(gateway_id) for gateway_id in list(self._listeners)))
        await self._targets.close()
        await self._issuers.close()

    def checker(self, discovery_url: str) -> TokenChecker:
        """Return the token checker of an issuer; gateways and runtimes of the same issuer share it."""
        found = self._checkers.get(discovery_url)
        if found is None:
            found = self._checkers[discovery_url] = TokenChecker(SigningKeys(discovery_url, self._fetch))
        return found

    async def _fetch(self, url: str) -> str | None:
        reply = await self._issuers.send("GET", url, tls=self._trust(), headers={"accept": "application/json"})
        return reply.text if isinstance(reply, Reply) and reply.status == 200 else None

    def _trust(self) -> ssl.SSLContext:
        # AWS trusts the public CAs that sign the certificates of its own endpoints.
        if self._issuer_tls is None:
            self._issuer_tls = ssl.create_default_context()
            self._issuer_tls.load_verify_locations(cafile=str(self._world.authority.ca_file))
        return self._issuer_tls
