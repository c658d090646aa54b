"""The little that a raw ASGI app needs beside `Response`."""

from __future__ import annotations

from embedded_aws.request import TooLarge
from embedded_aws.response import Response
from embedded_aws.world import Receive, Scope


def headers_of(scope: Scope) -> dict[str, str]:
    """The request's headers by lower-case name, values trimmed; of a repeated header, the values joined by commas."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1").strip()
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


async def read_body(receive: Receive, at_most: int) -> bytes:
    """The request's body. Raises TooLarge as soon as it is longer than `at_most`."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > at_most:
            raise TooLarge
        if not message.get("more_body", False):
            return bytes(body)


def json_response(status: int, body: bytes, *headers: tuple[str, str]) -> Response:
    """A response whose body is JSON already."""
    return Response(status, body, (("content-type", "application/json"), *headers))
