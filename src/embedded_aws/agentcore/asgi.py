"""The little that a raw ASGI app needs beside `Response`."""

from __future__ import annotations

from embedded_aws.response import Response
from embedded_aws.world import Scope


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
