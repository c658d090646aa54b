"""An HTTP request that has arrived whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from urllib.parse import unquote

from embedded_aws.world import Receive, Scope


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


def head(scope: Scope) -> Request:
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


async def whole(begun: Request, receive: Receive, *, limit: int) -> Request:
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
