"""An Elastic IP: connections to its ports go on, byte for byte, to whichever instance it is associated with."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

# Where connections go at this moment: an address and port, or None while nothing answers there.
type Target = Callable[[], tuple[str, int] | None]

_CHUNK = 65536


class Forwarder:
    """One listening port. A connection that finds no instance is closed at once, as it is refused on AWS."""

    def __init__(self, listening: socket.socket, target: Target) -> None:
        self._listening = listening
        self._target = target
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Accept connections from now on."""
        self._server = await asyncio.start_server(self._accept, sock=self._listening)

    async def close(self) -> None:
        """Stop listening and end every connection."""
        self._server.close()
        await self.cut()

    async def cut(self) -> None:
        """End the connections under way: the address has moved, and the machine they knew is no longer behind it."""
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
            # One side broke off, which ended the other direction too; a half-close that comes too late (ENOTCONN) is one way to learn it.
            pass
        finally:
            onward_writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until the source ends, then say so to the sink: either side may finish first."""
    while data := await source.read(_CHUNK):
        sink.write(data)
        await sink.drain()
    sink.write_eof()
