"""A request is not lost with a connection that the server closed while it was idle, and is sent only once on a new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest

from sre_core.http_client import MOST_REUSED, HttpClient

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Impatient:
    """A server that answers the first `patience` requests of a connection, and closes it when the next one comes."""

    patience: int
    url: str = ""
    connections: list[int] = field(default_factory=list)
    """How many requests came on each."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.connections)
        self.connections.append(0)
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = next((int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            self.connections[number] += 1
            if self.connections[number] > self.patience:
                break
            writer.write(ANSWER)
        writer.close()


@asynccontextmanager
async def impatient(patience: int) -> AsyncIterator[tuple[Impatient, HttpClient]]:
    found = Impatient(patience)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server, HttpClient(trust_env=False) as http:
        yield found, http


@pytest.mark.parametrize("ask", [lambda http, url: http.get(url), lambda http, url: http.post(url, json={"method": "tools/list"})])
def test_a_connection_that_was_closed_while_idle(ask: Callable[[HttpClient, str], object]) -> None:
    """The request is answered on a new connection, with its whole body."""

    async def run() -> None:
        async with impatient(1) as (server, http):
            assert [(await ask(http, server.url)).text for _ in range(3)] == ["ok"] * 3
            assert server.connections == [2, 2, 1]

    asyncio.run(run())


def test_all_connections_were_closed_while_idle() -> None:
    """Four requests at once left four connections: one request tries each, then a new one."""

    async def run() -> None:
        async with impatient(1) as (server, http):
            await asyncio.gather(*(http.get(server.url) for _ in range(4)))
            assert len(server.connections) == 4
            assert (await http.get(server.url)).text == "ok"
            assert server.connections == [2, 2, 2, 2, 1]

    asyncio.run(run())


def test_a_stream_on_a_connection_that_was_closed_while_idle() -> None:
    """The gateway's answers are read as streams: they begin on a new connection too."""

    async def run() -> None:
        async with impatient(1) as (server, http):
            for _ in range(2):
                async with http.stream("POST", server.url, content=b"{}") as answer:
                    assert await answer.aread() == b"ok"
            assert server.connections == [2, 1]

    asyncio.run(run())


def test_a_new_connection_that_is_closed() -> None:
    """A server that answers nobody is asked once."""

    async def run() -> None:
        async with impatient(0) as (server, http):
            with pytest.raises(httpx2.RemoteProtocolError):
                await http.get(server.url)
            assert server.connections == [1]

    asyncio.run(run())


def test_a_transport_that_reports_no_connections() -> None:
    """Where it is not known whether a connection is new, a request that is always lost fails after a number of attempts."""
    sent = 0

    class Losing(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            nonlocal sent
            sent += 1
            if sent > 100:
                raise AssertionError("it is sent for ever")
            raise httpx2.RemoteProtocolError("closed", request=request)

    async def run() -> None:
        async with HttpClient(transport=Losing()) as http:
            with pytest.raises(httpx2.RemoteProtocolError):
                await http.get("http://127.0.0.1/")

    asyncio.run(run())
    assert sent == MOST_REUSED + 1
