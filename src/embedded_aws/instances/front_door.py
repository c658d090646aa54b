"""The built-in front door: the ports of one instance, with TLS, in front of the services' Unix sockets."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from socket import socket

import aiohttp

from embedded_aws.instances import proxy, tls, upstream
from embedded_aws.instances.credentials import Credentials
from embedded_aws.instances.failure import StepFailed
from embedded_aws.instances.http_server import serving
from embedded_aws.instances.ports import listen_at, port_of
from embedded_aws.instances.redirect import redirect_to_https
from sre_core.machine import FrontDoor, Listener, MachineService


@dataclass(frozen=True)
class OpenListener:
    """A TLS port as machine.json asks for it, and the port that this machine could give."""

    wanted: Listener
    actual_port: int


@dataclass(frozen=True)
class OpenDoor:
    """Where the front door of a running instance really listens."""

    address: str
    listeners: tuple[OpenListener, ...]
    redirect: tuple[int, int] | None
    certificate_sha256: bytes

    def report(self) -> list[dict[str, object]]:
        """The TLS listeners, as `ready.json` tells them."""
        return [{"port": each.wanted.port, "address": self.address, "actual_port": each.actual_port} for each in self.listeners]

    def public_port(self, port: int) -> int | None:
        """Where requests to `port` from outside the VPC arrive; None where nothing is open to them."""
        if self.redirect and self.redirect[0] == port:
            return self.redirect[1]
        return next((each.actual_port for each in self.listeners if (each.wanted.port, each.wanted.scope) == (port, "public")), None)

    def url(self, service: str) -> str | None:
        """The URL, with a slash at its end, at which this door publishes a service."""
        for each in self.listeners:
            for route in each.wanted.routes:
                if route.service == service:
                    return f"https://{self.address}:{each.actual_port}{route.path.rstrip('/')}/"
        return None

    async def leads_to(self, services: tuple[MachineService, ...]) -> None:
        """Every published health path answers through this door, with the machine's certificate; else StepFailed."""
        pinned = aiohttp.Fingerprint(self.certificate_sha256)
        async with aiohttp.ClientSession() as client:
            for service in services:
                base = self.url(service.name)
                if base and not await upstream.answers(client, base + service.health_path.lstrip("/"), pinned):
                    raise StepFailed(f"The service {service.name} is well but does not answer through the front door at {base}.")


async def open_front_door(
    door: FrontDoor, address: str, sockets: Mapping[str, Path], credentials: Credentials, opened: AsyncExitStack
) -> OpenDoor:
    """Open every listener on `address`; all close with `opened`. StepFailed where the certificate or address can't be used."""
    context = tls.server_context(credentials.certificate_file, credentials.key_file)
    services = {name: await opened.enter_async_context(upstream.session(str(path))) for name, path in sockets.items()}
    try:
        listening = [(listener, _listening(address, listener.port, opened)) for listener in door.listeners]
        redirecting = _listening(address, door.redirect_port, opened) if door.redirect_port else None
    except OSError as refused:
        raise StepFailed(f"The front door can't listen on {address}: {refused.strerror}.") from refused
    routes = {port_of(bound): listener.routes for listener, bound in listening}
    await opened.enter_async_context(serving(proxy.proxy(routes, services), [bound for _, bound in listening], context))
    if redirecting:
        await opened.enter_async_context(serving(redirect_to_https(), [redirecting], None))
    return OpenDoor(
        address=address,
        listeners=tuple(OpenListener(listener, port_of(bound)) for listener, bound in listening),
        redirect=(door.redirect_port, port_of(redirecting)) if door.redirect_port and redirecting else None,
        certificate_sha256=tls.leaf_fingerprint(credentials.certificate_file),
    )


def _listening(address: str, port: int, opened: AsyncExitStack) -> socket:
    listening = listen_at(address, port)
    opened.callback(listening.close)
    return listening
