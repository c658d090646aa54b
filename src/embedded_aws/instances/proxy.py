"""Handle one request to the front door: find the service, pass the request on, stream the answer; redirect plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from embedded_aws.instances.routing import EVERY_ANSWER, Destination, Refusal, client_headers, find_destination, service_headers
from embedded_aws.world import AsgiApp, Receive, Scope, Send
from sre_core import log, security_event
from sre_core.machine import CHALLENGE_PATH, Route

# What AgentCore's gateway accepts as a payload.
LARGEST_BODY = 6 * 1024 * 1024

_TOO_LARGE = Refusal(413, "FRONT-DOOR-BODY-TOO-LARGE", f"A request body may have {LARGEST_BODY} bytes.", "body_too_large")


class _Stopped(Exception):
    """Ends the stream that the service reads: the client disconnected, or sent too much."""


def proxy(routes: Mapping[int, Sequence[Route]], services: Mapping[str, aiohttp.ClientSession]) -> AsgiApp:
    """Return the ASGI app behind all TLS ports; each port has its own routes."""
    events = log.get()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raw_path = scope["raw_path"].decode("latin-1")
        where = find_destination(raw_path, routes[scope["server"][1]])
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        exchange = _Exchange(scope, receive, send)
        if isinstance(where, Refusal):
            return await exchange.refuse(where)
        if int(declared) > LARGEST_BODY:
            return await exchange.refuse(_TOO_LARGE)
        try:
            await exchange.run(services[where.service], where)
        except TimeoutError:
            await exchange.give_up(_unavailable(504, where.service, "took too long"))
        except (aiohttp.ClientError, OSError) as down:
            events.warning("front_door.service_unavailable", service=where.service, because=type(down).__name__)
            await exchange.give_up(_unavailable(502, where.service, "does not answer"))

    return app


class _Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send = send
        self._id = uuid.uuid4().hex
        self._answered = False
        self._too_large = False
        self._body_read = asyncio.Event()

    async def run(self, service: aiohttp.ClientSession, where: Destination) -> None:
        """Pass the request on, and stop as soon as the client disconnects."""
        passing = asyncio.create_task(self._pass_on(service, where))
        leaving = asyncio.create_task(self._client_leaves())
        try:
            await asyncio.wait((passing, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            passing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await passing

    async def give_up(self, refusal: Refusal) -> None:
        """Send an error. Where the response has begun already, the server cuts the connection instead."""
        if not self._answered:
            await self.refuse(_TOO_LARGE if self._too_large else refusal)

    async def refuse(self, refusal: Refusal) -> None:
        """Send an error of the front door itself; what was forbidden leaves a security event."""
        if refusal.reason:
            security_event.log_denied(
                service="front-door",
                reason=refusal.reason,
                method=self._scope["method"],
                path=self._scope["raw_path"].decode("latin-1"),
                client=self._scope["client"][0],
                status=refusal.status,
                request_id=self._id,
            )
        body = json.dumps({"error": {"code": refusal.code, "message": refusal.message}}).encode()
        await answer(self._send, refusal.status, body, (b"content-type", b"application/json"), (b"x-request-id", self._id.encode()))

    async def _pass_on(self, service: aiohttp.ClientSession, where: Destination) -> None:
        query = self._scope["query_string"].decode("latin-1")
        url = URL(f"http://service{where.path}" + (f"?{query}" if query else ""), encoded=True)
        sent = service_headers(self._scope["headers"], self._scope["client"][0], self._id)
        body = self._body() if self._has_body() else None
        async with service.request(self._scope["method"], url, headers=sent, data=body, allow_redirects=False) as answer:
            self._answered = True
            received = [*client_headers(answer.raw_headers), (b"x-request-id", self._id.encode())]
            await self._send({"type": "http.response.start", "status": answer.status, "headers": received})
            async for chunk in answer.content.iter_any():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})

    def _has_body(self) -> bool:
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self._scope["headers"])

    async def _body(self) -> AsyncIterator[bytes]:
        total, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _Stopped
            total += len(message["body"])
            self._too_large = total > LARGEST_BODY
            if self._too_large:
                raise _Stopped
            more = message.get("more_body", False)
            yield message["body"]
        self._body_read.set()

    async def _client_leaves(self) -> None:
        if self._has_body():
            # Until the body is read, its reader receives the message that the client has disconnected.
            await self._body_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _unavailable(status: int, service: str, how: str) -> Refusal:
    return Refusal(status, "FRONT-DOOR-SERVICE-UNAVAILABLE", f"The service {service} {how}. Try again in a moment.")


async def answer(send: Send, status: int, body: bytes, *extra: tuple[bytes, bytes]) -> None:
    """Send a whole response of the front door itself."""
    start: dict[str, Any] = {
        "type": "http.response.start",
        "status": status,
        "headers": [*extra, (b"content-length", str(len(body)).encode()), *EVERY_ANSWER],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})


_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")


_TOKEN = re.compile(r"[A-Za-z0-9_-]+")


def redirect_to_https(proofs: Path | None = None) -> AsgiApp:
    """Answer every request with 308 to the same host and path; clients keep method and body.

    With `proofs`, an ACME authority finds the files of that folder, as nginx of a real machine shows them.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if proofs and (path := scope["path"]).startswith(CHALLENGE_PATH):
            token = path.removeprefix(CHALLENGE_PATH)
            found = _TOKEN.fullmatch(token) and (proofs / token).is_file()
            return await answer(send, 200 if found else 404, (proofs / token).read_bytes() if found else b"")
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        known = _HOST.fullmatch(host)
        if not known:
            return await answer(send, 400, b"")
        query = b"?" + scope["query_string"] if scope["query_string"] else b""
        location = b"https://" + known[1].encode() + scope["raw_path"] + query
        return await answer(send, 308, b"", (b"location", location))

    return app
