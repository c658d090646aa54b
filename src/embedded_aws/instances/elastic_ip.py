"""The Elastic IPs of the local AWS: loopback addresses that forward connections to an instance."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from embedded_aws.listener import listen_at, port_of

# (instance id, port asked for) -> where that instance's front door listens for it.
type FindDoor = Callable[[str, int], tuple[str, int] | None]


class ElasticIp:
    """One address, the instance that it is associated with, and its forwarders."""

    def __init__(self, address: str, find_door: FindDoor, https_port: int = 443) -> None:
        self._address = address
        self._find_door = find_door
        self._https_port = https_port
        self._instance_id: str | None = None
        self._forwarders: list[Forwarder] = []

    async def open(self) -> int:
        """Listen, and return the real port that is used for 443. Raises OSError for an address that this computer lacks."""
        https = listen_at(self._address, self._https_port)
        await self._forward(https, 443)
        try:
            http = listen_at(self._address, 80, strictly=True)
        except OSError:
            # No client could find out another port than 80, so a redirect from one would be useless.
            return port_of(https)
        await self._forward(http, 80)
        return port_of(https)

    async def associate(self, instance_id: str | None) -> None:
        """Forward new connections to this instance, or to none; open connections end, because their instance has lost the address."""
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


# Where connections go at this moment: an address and port, or None while nothing answers there.
type Target = Callable[[], tuple[str, int] | None]

_CHUNK = 65536


class Forwarder:
    """One listening port. Without an instance, a connection is closed at once, as AWS refuses it."""

    def __init__(self, listening: socket.socket, target: Target) -> None:
        self._listening = listening
        self._target = target
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to accept connections."""
        self._server = await asyncio.start_server(self._accept, sock=self._listening)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """End the open connections: the address is now associated with another instance."""
        cut = list(self._connections)
        for connection in cut:
            connection.cancel()
        await asyncio.gather(*cut, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._forward(reader, writer)
        except asyncio.CancelledError:
            # It was cut. A cancelled handler would be reported as a fault of the server.
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._target()
        if target is None:
            return
        try:
            onward_reader, onward_writer = await asyncio.open_connection(*target)
        except OSError:
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, onward_writer))
                both.create_task(_pump(onward_reader, writer))
        except* OSError:
            # One side disconnected, which ends the other direction too; a late half-close fails with ENOTCONN.
            pass
        finally:
            onward_writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until the source ends, then end the sink: either side may finish first, or disconnect."""
    # uvloop raises RuntimeError where asyncio ignores what is written to a connection that is closed.
    while (data := await source.read(_CHUNK)) and not sink.is_closing():
        sink.write(data)
        await sink.drain()
    if not sink.is_closing():
        sink.write_eof()
