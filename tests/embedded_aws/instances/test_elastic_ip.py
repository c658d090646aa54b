"""An Elastic IP leads to the instance that it is associated with, and to nothing otherwise."""

from __future__ import annotations

import asyncio
import json
import socket
import struct

import aiohttp
import pytest

from embedded_aws.instances.elastic_ip import Forwarder

pytestmark = pytest.mark.anyio


@pytest.fixture
def two_machines(world, machine):
    """Two launches whose services have different names."""
    first, second = machine("alpha", number=1), machine("beta", number=2)
    certificate = world.authority.issue(first.address, second.address, "127.0.0.1")
    world.secrets["arn:certificate"] = json.dumps({"certificate": certificate.chain, "private_key": certificate.key})
    return first, second


async def service_at(browser: aiohttp.ClientSession, address: str, port: int) -> str:
    async with browser.get(f"https://{address}:{port}/health", server_hostname="127.0.0.1") as answer:
        return (await answer.json())["service"]


async def refused(address: str, port: int) -> bool:
    """Return true if a connection is closed without a byte."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        return await asyncio.wait_for(reader.read(), 10) == b""
    finally:
        writer.close()


async def test_an_address_that_moves(host, two_machines, browser, loopback) -> None:
    """Connections go to the associated instance; a move changes that at once, and so does its end."""
    address = loopback()
    port = await host.allocate_address("eip-1", address)
    assert await refused(address, port)
    first, second = two_machines
    await first.ready("i-1")
    await second.ready("i-2")
    await host.associate_address("eip-1", "i-1")
    assert await service_at(browser, address, port) == "alpha"
    await host.associate_address("eip-1", "i-2")
    assert await service_at(browser, address, port) == "beta"
    await host.disassociate_address("eip-1")
    assert await refused(address, port)


async def test_an_instance_that_boots_behind_its_address(host, machine, browser, loopback) -> None:
    """An address may be associated before the instance is ready; until then connections are closed."""
    address, launch = loopback(), machine("alpha")
    port = await host.allocate_address("eip-1", address)
    await host.associate_address("eip-1", "i-1")
    assert await refused(address, port)
    await launch.ready("i-1")
    assert await service_at(browser, address, port) == "alpha"
    await host.terminate("i-1")
    assert await refused(address, port)


async def test_a_connection_under_way_when_the_address_moves(host, two_machines, browser, loopback) -> None:
    """It ends, as the machine at its other end is no longer behind the address."""
    address = loopback()
    port = await host.allocate_address("eip-1", address)
    first, second = two_machines
    await first.ready("i-1")
    await second.ready("i-2")
    await host.associate_address("eip-1", "i-1")
    async with browser.get(f"https://{address}:{port}/stream", server_hostname="127.0.0.1") as answer:
        await answer.content.readline()
        await host.associate_address("eip-1", "i-2")
        with pytest.raises(aiohttp.ClientError):
            await answer.read()


async def test_ports_of_the_vpc(host, machine, loopback) -> None:
    """A port that is open inside the VPC only can't be reached through the address."""
    launch = machine("alpha")
    launch.machine["front_door"]["listeners"][0]["scope"] = "vpc"
    address = loopback()
    port = await host.allocate_address("eip-1", address)
    await launch.ready("i-1")
    await host.associate_address("eip-1", "i-1")
    assert await refused(address, port)


async def test_released(host, loopback) -> None:
    """A released address listens no more."""
    address = loopback()
    port = await host.allocate_address("eip-1", address)
    await host.release_address("eip-1")
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address, port)


async def test_a_taken_443(host, loopback) -> None:
    """The answer is the port on which the address really listens."""
    address = loopback()
    taken = await asyncio.start_server(lambda reader, writer: None, address, 443)
    async with taken:
        port = await host.allocate_address("eip-1", address)
        assert port != 443
        assert await refused(address, port)


async def test_both_sides_that_break_off_at_once(loopback) -> None:
    """Connections that end in any order are no error: nothing is written to the log of this AWS."""
    loop, bugs = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: bugs.append(context))
    with socket.create_server((loopback(), 0)) as onward:
        onward.setblocking(False)
        listening = socket.create_server((loopback(), 0))
        forwarder = Forwarder(listening, onward.getsockname)
        await forwarder.open()
        for turns in range(8):
            caller = socket.create_connection(listening.getsockname())
            served, _ = await loop.sock_accept(onward)
            caller.close()
            # Somewhere among these turns, the caller's end was read and is about to be passed on.
            for _ in range(turns):
                await asyncio.sleep(0)
            # Linger 0: broken off by a reset, as by a process that is killed.
            served.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            served.close()
            await asyncio.sleep(0.01)
        await forwarder.close()
    assert bugs == []
