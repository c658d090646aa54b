"""The HTTP client of the assistant and of the backend APIs."""

from __future__ import annotations

from typing import Any

import httpx2

LOST = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)
MOST_REUSED = 16  # a pool keeps no more idle connections than this


class HttpClient(httpx2.AsyncClient):
    """A client that sends a request again where a reused connection was closed before it was answered.

    A server, or a load balancer before it, may close an idle connection at the moment at which the next request is sent on it. RFC 9112,
    9.3.1 lets a client send such a request again if that does no harm: what is sent here reads, or asks for a token or an answer. On a
    connection that was opened for the request the error is raised as it is.
    """

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request, on a new connection at the latest. Raises httpx2.HTTPError."""
        opened = False

        async def note(event: str, _: Any) -> None:
            nonlocal opened
            opened = opened or ".connect_" in event

        # Each connection that is lost leaves the pool.
        for _ in range(MOST_REUSED):
            opened, request.extensions["trace"] = False, note
            try:
                return await super().send(request, **options)
            except LOST:
                if opened:
                    raise
        return await super().send(request, **options)
