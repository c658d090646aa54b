"""Decide, for each request to the front door, which service gets it and which headers pass. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sre_core.machine import Route

# Paths that two readers could understand differently are refused, not interpreted: an encoded slash, backslash or NUL,
# a plain backslash, an empty segment, and the segments `.` and `..` in any spelling.
_AMBIGUOUS = re.compile(r"%2f|%5c|%00|\\|//|(?:^|/)(?:\.|%2e){1,2}(?=/|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Destination:
    """A service, and the path to request from it."""

    service: str
    path: str


@dataclass(frozen=True)
class Refusal:
    """A response of the front door itself; `reason` is the word of its security event, empty where nothing was forbidden."""

    status: int
    code: str
    message: str
    reason: str = ""


def find_destination(path: str, routes: Sequence[Route]) -> Destination | Refusal:
    """Find the longest route that is a prefix of the percent-encoded path, and replace that prefix by `/`."""
    if not path.startswith("/") or _AMBIGUOUS.search(path):
        message = "The path has empty, dot or encoded-slash segments. Send it in its plain form."
        return Refusal(400, "FRONT-DOOR-PATH-AMBIGUOUS", message, "ambiguous_path")
    matching = [route for route in routes if path.startswith(route.path)]
    if not matching:
        return Refusal(404, "FRONT-DOOR-NO-ROUTE", "No service is published below this path.", "no_route")
    longest = max(matching, key=lambda route: len(route.path))
    return Destination(longest.service, "/" + path[len(longest.path) :].removeprefix("/"))


type Headers = list[tuple[bytes, bytes]]

# RFC 9110 section 7.6.1: they belong to one connection. `Expect` is answered by the front door itself.
_ONE_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect")
)
# Only the front door knows who asked and how; a client's own claim would be believed by a service.
_CLAIMS = frozenset((b"forwarded", b"x-real-ip", b"x-original-url", b"x-rewrite-url", b"x-request-id", b"proxy"))
_ANSWERED_HERE = frozenset((b"server", b"date", b"strict-transport-security", b"x-content-type-options", b"x-request-id"))

EVERY_ANSWER: tuple[tuple[bytes, bytes], ...] = (
    (b"strict-transport-security", b"max-age=63072000"),
    (b"x-content-type-options", b"nosniff"),
)


def service_headers(headers: Iterable[tuple[bytes, bytes]], client: str, request_id: str) -> list[tuple[str, str]]:
    """Return the headers that the service gets: those of the client, the real origin of the request and its id."""
    received = list(headers)
    hidden = _ONE_CONNECTION | _CLAIMS | _connection_headers(received)
    # Some frameworks read X_Api_Key as X-Api-Key; nginx drops names with an underscore, and so does this front door.
    kept = [
        (name.decode("latin-1"), value.decode("utf-8", "replace"))
        for name, value in received
        if name not in hidden and not name.startswith((b"x-forwarded-", b"proxy-")) and b"_" not in name
    ]
    return [*kept, ("x-forwarded-for", client), ("x-forwarded-proto", "https"), ("x-request-id", request_id)]


def client_headers(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers that the client gets: without those that name the server program."""
    received = [(name.lower(), value) for name, value in headers]
    hidden = _ONE_CONNECTION | _ANSWERED_HERE | _connection_headers(received)
    return [*((name, value) for name, value in received if name not in hidden), *EVERY_ANSWER]


def _connection_headers(headers: Headers) -> frozenset[bytes]:
    lists = (value for name, value in headers if name == b"connection")
    return frozenset(name.strip().lower() for value in lists for name in value.split(b","))
