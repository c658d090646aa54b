"""A limit of the whole process: more operations at once than threads wait for one another, so that one more is refused at once."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from sre_services.error_responses import error_response

# Starlette has 40 threads; the others are for the health path, which answers under load, too.
MOST_AT_ONCE = 32
_RETRY_SECONDS = 1


class LimitAtOnce:
    """ASGI middleware that answers 429 with `Retry-After` while as many operations run as may."""

    def __init__(self, app: ASGIApp, *, most: int, free: str) -> None:
        self.app, self._most, self._free = app, most, free
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self._free:
            return await self.app(scope, receive, send)
        if self._running >= self._most:
            return await _busy(self._most)(scope, receive, send)
        self._running += 1
        try:
            return await self.app(scope, receive, send)
        finally:
            self._running -= 1


def _busy(most: int) -> ASGIApp:
    do = [f"Ask again in {_RETRY_SECONDS} second.", "If it is always so, ask for less at once."]
    message = f"The service is busy with {most} other requests."
    return error_response(429, "TOO-MANY-REQUESTS", message, do, headers={"Retry-After": str(_RETRY_SECONDS)})
