"""HTTP requests that have arrived whole, HTTP responses, and JSON as RFC 8259 defines it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any
from urllib.parse import unquote

from embedded_aws.world import Receive, Scope, Send

_LONGEST_DECOMPRESSED = 16 * 2**20


class TooLarge(Exception):
    """The body is longer than the local AWS accepts."""


class CutOff(Exception):
    """The client disconnected before its whole request had arrived."""


@dataclass(frozen=True)
class Request:
    """A request, byte for byte where a signature covers it; header names are in lower case."""

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
        """Return the value of a header ("" where absent); several of one name are joined by commas, as signatures require."""
        return self._by_name.get(name, "")

    @property
    def path(self) -> str:
        return unquote(self.raw_path)

    @cached_property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Return the parameters of the query, decoded, in the order in which they were sent."""
        pairs = (part.partition("=") for part in self.query.split("&") if part)
        return tuple((unquote(name), unquote(value)) for name, _, value in pairs)

    def parameter(self, name: str) -> str:
        return next((value for key, value in self.parameters if key == name), "")

    def decompress_body(self) -> bytes:
        """Return the body as it was before a client compressed it, as boto3 does with long ones of PutMetricData. Raises zlib.error."""
        if self.header("content-encoding") != "gzip":
            return self.body
        # 16 is gzip's own header.
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(self.body, _LONGEST_DECOMPRESSED)

    def with_headers(self, added: Iterable[tuple[str, str]]) -> Request:
        """Return the same request with these headers in place of those of the same names."""
        new = tuple(added)
        names = {name for name, _ in new}
        return replace(self, headers=(*(pair for pair in self.headers if pair[0] not in names), *new))


def read_head(scope: Scope) -> Request:
    """Return a request without its body, which is not read yet."""
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
    """Return the same request with its body. Raises TooLarge where it exceeds `limit`, declared or counted, and CutOff."""
    declared = begun.header("content-length")
    if declared.isdecimal() and int(declared) > limit:
        raise TooLarge
    return replace(begun, body=await read_body(receive, limit))


async def read_body(receive: Receive, at_most: int) -> bytes:
    """Read the body of a request. Raises TooLarge where it exceeds `at_most`, and CutOff where the client disconnects."""
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
        """Send the response; a HEAD request gets the headers only."""
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        if all(name != b"content-length" for name, _ in headers) and self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of a request by lower-case name; the values of a repeated header are joined by commas."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def json_response(status: int, body: bytes, *headers: tuple[str, str]) -> Response:
    """Create a response whose body is already JSON."""
    return Response(status, body, (("content-type", "application/json"), *headers))


def _refuse_constant(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
# Made once: `json.dumps` with options makes an encoder for each call, and answers are on the hot path.
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def parse_json(body: bytes) -> Any:
    """Parse JSON. Raises ValueError for anything that is not JSON in UTF-8, is nested too deeply, or has half a surrogate pair."""
    try:
        found = _DECODER.decode(body.decode())
        if b"\\u" in body:
            # An escaped half of a surrogate pair can't be encoded in a request or file.
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def compact_json(document: object) -> bytes:
    """Encode a document as JSON without spaces, in ASCII."""
    return _ENCODER.encode(document).encode()


class ConnectionCut(Exception):
    """The fault of a connection that ends without a response; the listener closes the connection."""
