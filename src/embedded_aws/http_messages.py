"""HTTP requests that have arrived whole, HTTP responses, and JSON as RFC 8259 defines it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from embedded_aws.world import Receive, Scope, Send


class TooLarge(Exception):
    """The body is longer than this AWS takes."""


class CutOff(Exception):
    """The client went away before all of its request had arrived."""


@dataclass(frozen=True)
class Request:
    """What the client sent, byte for byte where a signature covers it; header names are in lower case."""

    method: str
    raw_path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: str

    @cached_property
    def _by_name(self) -> dict[str, str]:
        joined: dict[str, str] = {}
        for name, value in self.headers:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
        return joined

    def header(self, name: str) -> str:
        """A header's value ("" where absent); several of one name are joined by commas, as signatures see them."""
        return self._by_name.get(name, "")

    @property
    def path(self) -> str:
        return unquote(self.raw_path)

    @cached_property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """The query's parameters, decoded, in the order they were sent."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return tuple((unquote(name), unquote(value)) for name, _, value in pairs)

    def parameter(self, name: str) -> str:
        return next((value for key, value in self.parameters if key == name), "")

    def with_headers(self, added: Iterable[tuple[str, str]]) -> Request:
        """The same request, with these headers in the place of any of their names."""
        new = tuple(added)
        names = {name for name, _ in new}
        return replace(self, headers=(*(pair for pair in self.headers if pair[0] not in names), *new))


def read_head(scope: Scope) -> Request:
    """A request as far as it is known before its body is read."""
    client = scope.get("client") or ("", 0)
    return Request(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1").strip()) for name, value in scope["headers"]),
        body=b"",
        client=client[0],
    )


async def read_whole(begun: Request, receive: Receive, *, limit: int) -> Request:
    """The same request with its body. Raises TooLarge once that passes `limit`, declared or counted, and CutOff without its end."""
    declared = begun.header("content-length")
    if declared.isdecimal() and int(declared) > limit:
        raise TooLarge
    return replace(begun, body=await read_body(receive, limit))


async def read_body(receive: Receive, at_most: int) -> bytes:
    """A request's body. Raises TooLarge as soon as it is longer than `at_most`, and CutOff where the client leaves before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CutOff
        body += message.get("body", b"")
        if len(body) > at_most:
            raise TooLarge
        if not message.get("more_body", False):
            return bytes(body)


@dataclass(frozen=True)
class Response:
    """Status, headers and body."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_json(cls, status: int, document: Mapping[str, object], *headers: tuple[str, str]) -> Response:
        return cls(status, json.dumps(document).encode(), (("content-type", "application/json"), *headers))

    async def send(self, send: Send, *, without_body: bool = False) -> None:
        """Send it; a HEAD request gets the headers only."""
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        if all(name != b"content-length" for name, _ in headers) and self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers by lower-case name, values trimmed; of a repeated header, the values joined by commas."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def json_response(status: int, body: bytes, *headers: tuple[str, str]) -> Response:
    """A response whose body is JSON already."""
    return Response(status, body, (("content-type", "application/json"), *headers))


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
# Made once: `json.dumps` with options makes an encoder for each call, and answers are on the hot path.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def parse_json(body: bytes) -> Any:
    """The document. Raises ValueError for anything that is not JSON in UTF-8, nested too deeply, or half a character."""
    try:
        found = _DECODER.decode(body.decode())
        if b"\\u" in body:
            # An escaped half of a surrogate pair is text that no request and no file can carry.
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def compact_json(document: object) -> bytes:
    """The document without spaces, in ASCII."""
    return _ENCODER.encode(document).encode()


class Cut(Exception):
    """Raised through the door; whoever holds the connection ends it."""
