"""What is written in one step of the event loop is sent together, and never to a connection that is closed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvloop

from embedded_aws.listener import Joined


def answered(act: Callable[[Joined], None]) -> tuple[bytes, list[str]]:
    """Let a server act once on each connection; return what the client reads, and what the event loop reports."""
    bugs: list[str] = []

    class Acting(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            act(Joined(transport, asyncio.get_running_loop()))

    async def run() -> bytes:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: bugs.append(str(context.get("exception"))))
        async with await loop.create_server(Acting, "127.0.0.1", 0) as server:
            with socket.create_connection(server.sockets[0].getsockname()) as client:
                client.setblocking(False)
                try:
                    return await loop.sock_recv(client, 100)
                except ConnectionResetError:
                    return b""

    return asyncio.run(run(), loop_factory=uvloop.new_event_loop), bugs


def test_two_writes() -> None:
    """Head and body come in one piece."""

    def act(joined: Joined) -> None:
        joined.write(b"head ")
        joined.write(b"body")

    assert answered(act) == (b"head body", [])


def test_a_write_before_the_end() -> None:
    """What was written before the connection is closed is sent."""

    def act(joined: Joined) -> None:
        joined.write(b"refused")
        joined.close()

    assert answered(act) == (b"refused", [])


def test_a_client_that_has_gone() -> None:
    """An answer to a connection that was lost meanwhile is dropped: nothing is written to the log of this AWS."""

    def act(joined: Joined) -> None:
        joined.abort()
        joined.write(b"nobody reads this")

    assert answered(act) == (b"", [])
