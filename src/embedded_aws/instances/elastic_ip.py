"""The Elastic IPs of this AWS: loopback addresses with a forwarder on 443 and, where it can be had, on 80."""

from __future__ import annotations

import socket
from collections.abc import Callable

from embedded_aws.instances.forwarder import Forwarder
from embedded_aws.instances.ports import listen_at, port_of

# (instance id, port asked for) -> where that instance's front door listens for it.
type FindDoor = Callable[[str, int], tuple[str, int] | None]


class ElasticIp:
    """One address, the instance behind it, and its forwarders."""

    def __init__(self, address: str, find_door: FindDoor) -> None:
        self._address = address
        self._find_door = find_door
        self._instance_id: str | None = None
        self._forwarders: list[Forwarder] = []

    async def open(self) -> int:
        """Listen, and say on which port 443 of this address really is. Raises OSError for an address this machine lacks."""
        https = listen_at(self._address, 443)
        await self._forward(https, 443)
        try:
            http = listen_at(self._address, 80, strictly=True)
        except OSError:
            # No client could learn where 80 went instead, so there is only a redirect where it can be found.
            return port_of(https)
        await self._forward(http, 80)
        return port_of(https)

    async def associate(self, instance_id: str | None) -> None:
        """From now on connections go to this instance, or nowhere; those under way end, as their machine is no longer here."""
        if instance_id != self._instance_id:
            self._instance_id = instance_id
            for forwarder in self._forwarders:
                await forwarder.cut()

    async def close(self) -> None:
        """Stop listening."""
        for forwarder in self._forwarders:
            await forwarder.close()

    async def _forward(self, listening: socket.socket, port: int) -> None:
        forwarder = Forwarder(listening, lambda: self._find_door(self._instance_id, port) if self._instance_id else None)
        await forwarder.open()
        self._forwarders.append(forwarder)
