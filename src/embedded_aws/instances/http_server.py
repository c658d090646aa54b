"""An HTTP server inside this process that leaves its signals, its logging and its name alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Generator, Sequence

import uvicorn

from embedded_aws.world import AsgiApp


class _Guest(uvicorn.Server):
    """A uvicorn server that is a guest in somebody else's process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # The host process decides what SIGTERM means.
        yield


@contextlib.asynccontextmanager
async def serving(app: AsgiApp, listening: Sequence[socket.socket], tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    """Serve `app` while the context is open; requests under way get a second to end. Whoever opened the sockets closes them."""
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", loop="none", interface="asgi3", log_config=None, access_log=False,
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
