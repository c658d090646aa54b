"""HTTP and HTTPS servers inside this process, and the sockets that they listen on."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import tempfile
import uuid
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from embedded_aws.http_messages import ConnectionCut
from embedded_aws.world import AsgiApp, Receive, Scope, Send, ServerCertificate
from sre_core import security_event

_CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
_CLOSE_TIMEOUT = 3
# AWS's signatures cover headers that some AWS clients make large (policies in presigned URLs).
LARGEST_HEAD = 64 * 1024
LONGEST_HEAD_SECONDS = 30.0


class Joined:
    """A transport that sends together what is written in one step of the event loop.

    uvicorn writes the head and the body of a response one after the other: two TLS records, and two calls of the kernel.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def _send(self) -> None:
        # uvloop raises RuntimeError where asyncio ignores what is written to a connection that is closed.
        if self._written and not self._transport.is_closing():
            self._transport.write(b"".join(self._written))
        self._written.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _BoundedHeads(HttpToolsProtocol):
    """One connection on which the head of a request has a largest size and a longest time; httptools bounds neither."""

    _head_bytes = 0
    _in_head = True
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        super().connection_made(transport)
        self.transport = cast("asyncio.Transport", Joined(transport, self.loop))
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._head_bytes = self._head_bytes + len(data) if self._in_head else 0
        if self._head_bytes > LARGEST_HEAD:
            self._refuse_head(431, "Request Header Fields Too Large", "head_too_large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._cancel_timer()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._cancel_timer()
        self._in_head = True
        self._head_timer = self.loop.call_later(LONGEST_HEAD_SECONDS, self._refuse_head, 408, "Request Timeout", "head_too_slow")

    def _cancel_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def send_400_response(self, msg: str) -> None:
        self._refuse_head(400, "Bad Request", "malformed_request")

    def _refuse_head(self, status: int, phrase: str, reason: str) -> None:
        self._cancel_timer()
        if self.transport.is_closing():
            return
        client, request_id = self.client[0] if self.client else "", str(uuid.uuid4())
        security_event.log_denied(
            service="embedded-aws", reason=reason, method="", path="", client=client, status=status, request_id=request_id
        )
        head = f"HTTP/1.1 {status} {phrase}\r\nconnection: close\r\ncontent-length: 0\r\nx-request-id: {request_id}\r\n\r\n"
        self.transport.write(head.encode())
        self.transport.close()


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to its process, and reports when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.answers = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answers.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(set(self.server_state.tasks), timeout=_CLOSE_TIMEOUT)
        # Clients keep idle connections and never answer the close_notify of TLS: waiting for that would take half a minute.
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    async def call(self, app: AsgiApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; where it raises ConnectionCut, close the connection without a response."""
        try:
            await app(scope, receive, send)
        except ConnectionCut:
            for connection in list(self.server_state.connections):
                if getattr(connection, "client", None) == scope["client"]:
                    connection.transport.abort()
            # uvicorn sends its 500 unless it knows that the connection is gone.
            await receive()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpsListener:
    """One HTTPS server; it answers until `close`."""

    def __init__(self, server: _Server, task: asyncio.Task[None], url: str) -> None:
        self._server = server
        self._task = task
        self._url = url

    @property
    def url(self) -> str:
        return self._url

    async def close(self) -> None:
        """Stop listening, and let requests in progress end within a few seconds."""
        self._server.should_exit = True
        await asyncio.wait({self._task})


async def serve(app: AsgiApp, certificate: ServerCertificate, listening: socket.socket, folder: Path) -> HttpsListener:
    """Serve `app` over TLS on a socket that is already bound."""
    context = tls_context(certificate, folder)

    async def app_or_cut(scope: Scope, receive: Receive, send: Send) -> None:
        await server.call(app, scope, receive, send)

    config = uvicorn.Config(
        app_or_cut,
        ssl_context_factory=lambda _config, _default: context,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http=_BoundedHeads,
        ws="none",
        timeout_keep_alive=75,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    answers = asyncio.create_task(server.answers.wait())
    await asyncio.wait({task, answers}, return_when=asyncio.FIRST_COMPLETED)
    if not server.answers.is_set():
        answers.cancel()
        task.result()  # raises what ended it
    address, port = listening.getsockname()[:2]
    return HttpsListener(server, task, f"https://{address}:{port}")


def bind(address: str, port: int) -> socket.socket:
    """Open a listening socket. Raises OSError where the address is in use."""
    # asyncio turns off Nagle's delay, 40 ms an answer, only for sockets that are TCP by name.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        # From here clients can connect: they wait until the server answers, and are not refused.
        listening.listen(1024)
    except OSError:
        listening.close()
        raise
    return listening


def tls_context(certificate: ServerCertificate, folder: Path) -> ssl.SSLContext:
    """Return a context for TLS 1.2 or newer, with the ciphers of the Mozilla intermediate profile for an ECDSA key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    # One curve of the profile, which every client has: Python can name one only, and OpenSSL's own list has others.
    context.set_ecdh_curve("prime256v1")
    context.set_alpn_protocols(["http/1.1"])
    # OpenSSL reads keys from files only; this one exists, readable by its owner alone, for that one call.
    with tempfile.NamedTemporaryFile(dir=folder, prefix="key-", suffix=".pem") as file:
        file.write((certificate.key + certificate.chain).encode())
        file.flush()
        context.load_cert_chain(file.name)
    return context


class _Guest(uvicorn.Server):
    """A uvicorn server that leaves signals to its process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # The host process decides what SIGTERM means.
        yield


@contextlib.asynccontextmanager
async def serve_sockets(app: AsgiApp, listening: Sequence[socket.socket], tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    """Serve `app` while the context is open; requests in progress get a second to end. The caller closes the sockets."""
    config = uvicorn.Config(
        app, http=_BoundedHeads, ws="none", lifespan="off", loop="none", interface="asgi3", log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_keep_alive=60, timeout_graceful_shutdown=1,
        ssl_context_factory=(lambda _config, _default: tls) if tls else None,
    )  # fmt: skip
    server = _Guest(config)
    task = asyncio.create_task(server.serve(sockets=list(listening)))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110  # uvicorn offers nothing to wait for
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await task


_NOT_OURS = frozenset((errno.EACCES, errno.EPERM, errno.EADDRINUSE))


def listen_at(address: str, port: int, *, strictly: bool = False) -> socket.socket:
    """Open a listening TCP socket on `port`, else (unless `strictly`) on a free one. Raises OSError where neither is available."""
    try:
        return _listening(address, port)
    except OSError as refused:
        if strictly or refused.errno not in _NOT_OURS:
            raise
    return _listening(address, 0)


def port_of(listening: socket.socket) -> int:
    """Return the real port of a socket."""
    return int(listening.getsockname()[1])


def _listening(address: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        opened.listen(512)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened
