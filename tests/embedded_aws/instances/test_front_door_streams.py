"""Bodies pass the front door as they come, within limits, and failures of a service are said in JSON."""

from __future__ import annotations

import asyncio
import io
import time
from pathlib import Path

import aiohttp
import pytest

from embedded_aws.instances.proxy import LARGEST_BODY

pytestmark = pytest.mark.anyio


@pytest.fixture
async def base(machine) -> str:
    launch = machine("alpha", "beta")
    return f"https://{launch.address}:{(await launch.ready())[443]}"


async def test_an_answer_that_streams(base: str, browser) -> None:
    """Each event arrives when the service sends it, not when the answer ends."""
    began = time.monotonic()
    async with browser.get(base + "/stream") as answer:
        assert await answer.content.readline() == b"data: 0\n"
        # The whole answer takes twenty seconds.
        assert time.monotonic() - began < 15


async def test_a_client_that_leaves(world, base: str, browser, eventually) -> None:
    """The service is notified, and stops its work."""
    async with browser.get(base + "/stream") as answer:
        await answer.content.readline()
        answer.close()
    log: Path = world.folder / "instances/i-1/logs/alpha.log"
    await eventually(lambda: "stream.abandoned" in log.read_text())


async def test_a_body_that_streams(base: str, browser) -> None:
    """A chunked request body reaches the service whole."""

    async def chunks():
        for _ in range(100):
            yield b"x" * 1000

    async with browser.post(base + "/echo", data=chunks()) as answer:
        assert (await answer.json())["length"] == 100_000


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_that_is_too_large(base: str, browser, declared: bool) -> None:
    """413 in JSON, whether the client declares the size or streams."""

    async def chunks():
        for _ in range(LARGEST_BODY // 65536 + 2):
            yield b"x" * 65536

    try:
        async with browser.post(base + "/echo", data=io.BytesIO(b"x" * (LARGEST_BODY + 1)) if declared else chunks()) as answer:
            assert answer.status == 413
            assert (await answer.json())["error"]["code"] == "FRONT-DOOR-BODY-TOO-LARGE"
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError):
        # A server may also close before it has read what it refuses, and the reset may overtake its answer, or the end of it; the next
        # request shows that it only refused.
        async with browser.get(base + "/health") as answer:
            assert answer.status == 200


async def test_a_service_that_is_down(base: str, browser) -> None:
    """502 with a code and a sentence, for that service only."""
    async with browser.get(base + "/die") as answer:
        assert answer.status == 502
        assert (await answer.json())["error"]["code"] == "FRONT-DOOR-SERVICE-UNAVAILABLE"
    async with browser.get(base + "/api/beta/health") as answer:
        assert answer.status == 200


async def test_a_service_that_stops_in_the_middle(base: str, browser) -> None:
    """A cut answer is cut for the client too, never passed off as whole."""
    with pytest.raises(aiohttp.ClientPayloadError):
        async with browser.get(base + "/cut") as answer:
            await answer.read()


async def test_many_requests_at_once(base: str, browser) -> None:
    """Concurrent requests get each their own answer."""

    async def ask(number: int) -> str:
        async with browser.get(f"{base}/echo?n={number}") as answer:
            return (await answer.json())["path"]

    assert await asyncio.gather(*map(ask, range(60))) == [f"/echo?n={number}" for number in range(60)]


async def test_head_and_other_methods(base: str, browser) -> None:
    """HEAD has a length and no body; DELETE and PUT pass."""
    async with browser.head(base + "/echo") as answer:
        assert int(answer.headers["Content-Length"]) > 0
        assert await answer.read() == b""
    for method in ("DELETE", "PUT"):
        async with browser.request(method, base + "/echo", data=b"12345") as answer:
            assert (await answer.json())["length"] == 5
            assert (await answer.json())["method"] == method
