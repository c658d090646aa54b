"""A request is looked at once it has arrived whole, and never grows past what may be sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from embedded_aws.http_messages import CutOff, TooLarge, read_body


def read(*messages: dict[str, Any], at_most: int = 10) -> bytes:
    arriving = iter(messages)

    async def receive() -> dict[str, Any]:
        return next(arriving)

    return asyncio.run(read_body(receive, at_most))


def part(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_parts_are_joined() -> None:
    """In their order, up to the last byte that may be sent."""
    assert read(part(b"01234"), part(b"56789", more=False)) == b"0123456789"
    assert read({"type": "http.request"}) == b""


def test_too_long() -> None:
    """Reading ends at the limit: no request can fill this machine's memory."""
    with pytest.raises(TooLarge):
        read(part(b"01234"), part(b"567890"))


def test_a_client_that_leaves() -> None:
    """Half a request is none, even where its half could be understood."""
    with pytest.raises(CutOff):
        read(part(b"{}"), {"type": "http.disconnect"})
