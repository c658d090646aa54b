"""Where a gateway may send requests: to addresses of this AWS's own, and to hosts that were allowed by name."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from embedded_aws.world import World


class EgressRefused(OSError):
    """A host that a gateway must not reach. An OSError, because aiohttp asks while it connects."""


class Egress(AbstractResolver):
    """Decides by the address that a name has, at the moment of connecting: a name that changes its address gains nothing."""

    def __init__(self, world: World, allowed_hosts: frozenset[str]) -> None:
        self._world = world
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)

    def refusal(self, url: str) -> str | None:
        """Why this URL must not be called; None where it may be."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https":
            return "only https URLs are called"
        if host in self._allowed_hosts:
            return None
        address = self._world.resolve(host)
        if address is None:
            return f"the host {host} can't be resolved"
        if not self._world.owned_address(address):
            return f"the host {host} ({address}) is no address of this AWS's instances"
        return None

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """The address to connect to. aiohttp does not ask for hosts that are addresses already: `refusal` covers those."""
        address = self._world.resolve(host)
        if host.lower() in self._allowed_hosts and address is None:
            return await ThreadedResolver().resolve(host, port, family)
        if address is None or not (host.lower() in self._allowed_hosts or self._world.owned_address(address)):
            raise EgressRefused(f"the host {host} must not be reached")
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)]

    async def close(self) -> None:
        """Nothing is held."""
