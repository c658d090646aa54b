"""The network of one machine: a network namespace of its own, and relays that connect it to this computer's loopback.

`machine` has 10.0.0.10 and its own 127.0.0.1, and is empty where a virtual machine has them; `vpc`, at the other end of its cable, has the
metadata service's address. Nothing else can be reached from there, and this computer's network is not touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import ipaddress
import os
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ADDRESS, ROUTER, METADATA, MAC = "10.0.0.10", "10.0.0.1", "169.254.169.254", "02:00:00:00:00:10"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of <sched.h>


@dataclass(frozen=True)
class Network:
    """The two namespaces, by name."""

    machine: str
    vpc: str

    @property
    def path(self) -> str:
        return f"/run/netns/{self.machine}"

    @property
    def vpc_path(self) -> str:
        return f"/run/netns/{self.vpc}"


@contextlib.contextmanager
def opened(instance_id: str, ipv6: str, *, vm: bool = False) -> Iterator[Network]:
    """Create the namespaces of one machine; they end with the block. A virtual machine brings its end of the cable along."""
    network = namespaces_of(instance_id)
    try:
        for namespace in (network.machine, network.vpc):
            _ip("netns", "add", namespace)
            _ip("-n", namespace, "link", "set", "lo", "up")
        if vm:
            _ip("-n", network.vpc, "tuntap", "add", "dev", "eth0", "mode", "tap")
        else:
            _connect_machine(network, ipv6)
        for address in (f"{ROUTER}/24", f"{METADATA}/32"):
            _ip("-n", network.vpc, "address", "add", address, "dev", "eth0")
        if ipv6:
            _ip("-n", network.vpc, "address", "add", f"{find_ipv6_router(ipv6)}/64", "dev", "eth0", "nodad")
        _ip("-n", network.vpc, "link", "set", "eth0", "up")
        yield network
    finally:
        for namespace in (network.machine, network.vpc):
            subprocess.run(["ip", "netns", "delete", namespace], stderr=subprocess.DEVNULL, check=False)


def find_ipv6_router(ipv6: str) -> str:
    """Return the first address of a machine's subnet, which no machine of EC2 gets."""
    return str(ipaddress.IPv6Interface(f"{ipv6}/64").network[1])


def _connect_machine(network: Network, ipv6: str) -> None:
    _ip("-n", network.machine, "link", "add", "eth0", "address", MAC, "type", "veth", "peer", "name", "eth0", "netns", network.vpc)
    _ip("-n", network.machine, "address", "add", f"{ADDRESS}/24", "dev", "eth0")
    if ipv6:
        _ip("-n", network.machine, "address", "add", f"{ipv6}/64", "dev", "eth0", "nodad")
    _ip("-n", network.machine, "link", "set", "eth0", "up")
    _ip("-n", network.machine, "route", "add", "default", "via", ROUTER)


def namespaces_of(instance_id: str) -> Network:
    """Return the namespaces of an instance."""
    name = f"sre-{instance_id[-8:]}"
    return Network(name, f"{name}-vpc")


def socket_in(namespace: str, kind: socket.SocketKind = socket.SOCK_STREAM, family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    """Open a socket in a namespace: a socket stays where it was opened, in every process that uses it."""
    made: list[socket.socket] = []

    def work() -> None:
        with Path("/run/netns", namespace).open() as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _NEW_NETWORK):
                raise OSError(ctypes.get_errno(), f"could not enter the namespace {namespace}")
        made.append(socket.socket(family, kind))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    made[0].setblocking(False)
    return made[0]


def listening_in(namespace: str, address: str, port: int) -> socket.socket:
    """Listen on a port of a namespace."""
    sock = socket_in(namespace)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen(128)
    return sock


@contextlib.asynccontextmanager
async def names_recorded(network: Network, file: Path) -> AsyncIterator[None]:
    """Answer the machine that no name exists, and write each that it asks for, one a line: what it would fetch from the internet."""
    sock = socket_in(network.vpc, socket.SOCK_DGRAM)
    sock.bind((ROUTER, 53))
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _NoNames(file), sock=sock)
    try:
        yield
    finally:
        transport.close()


class _NoNames(asyncio.DatagramProtocol):
    def __init__(self, file: Path) -> None:
        self._file = file

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        import dns.message
        import dns.rcode

        question = dns.message.from_wire(data)
        with self._file.open("a") as file:
            file.writelines(f"{each.name.to_text(omit_final_dot=True)}\n" for each in question.question)
        answer = dns.message.make_response(question)
        answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)


@contextlib.asynccontextmanager
async def endpoints_relayed(namespace: str, address: str, ports: set[int]) -> AsyncIterator[None]:
    """Let these ports of an address lead to the same ports of this computer's loopback."""
    async with contextlib.AsyncExitStack() as stack:
        for port in ports:
            await stack.enter_async_context(_relayed(listening_in(namespace, address, port), None, ("127.0.0.1", port)))
        yield


@contextlib.asynccontextmanager
async def ports_relayed(network: Network, address: str, ports: tuple[int, ...]) -> AsyncIterator[dict[int, int]]:
    """Lead free ports of `address` on this computer to the machine's ports; yields which."""
    async with contextlib.AsyncExitStack() as stack:
        chosen: dict[int, int] = {}
        for port in ports:
            listening = socket.create_server((address, 0))
            await stack.enter_async_context(_relayed(listening, network.vpc, (ADDRESS, port)))
            chosen[port] = listening.getsockname()[1]
        yield chosen


@contextlib.asynccontextmanager
async def _relayed(listening: socket.socket, namespace: str | None, to: tuple[str, int]) -> AsyncIterator[None]:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = socket_in(namespace) if namespace else socket.socket()
        onward.setblocking(False)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(onward, to), 10)
            onward_reader, onward_writer = await asyncio.open_connection(sock=onward)
        except (OSError, TimeoutError):
            writer.close()
            return
        await asyncio.gather(_pump(reader, onward_writer), _pump(onward_reader, writer), return_exceptions=True)
        onward_writer.close()
        writer.close()

    server = await asyncio.start_server(accept, sock=listening)
    try:
        yield
    finally:
        server.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.write_eof()
    except OSError:
        sink.close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"})
