"""Open the front door of an instance: its ports, with TLS, in front of the Unix sockets of the services."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from socket import socket

import aiohttp

from embedded_aws.instances import proxy
from embedded_aws.instances.credentials import Credentials, write_certificate
from embedded_aws.instances.progress import StepFailed
from embedded_aws.instances.proxy import redirect_to_https
from embedded_aws.instances.services import answers, service_session
from embedded_aws.listener import listen_at, port_of, serve_sockets
from embedded_aws.world import NotAuthorized, World
from sre_core import log
from sre_core.machine import FrontDoor, Listener, MachineService

# A real machine looks every half minute; here looking costs nothing.
LOOK_EVERY = 1.0


@dataclass(frozen=True)
class OpenListener:
    """A TLS port of machine.json, and the real port that this computer provided."""

    wanted: Listener
    actual_port: int


@dataclass(frozen=True)
class OpenDoor:
    """The addresses and ports on which the front door of a running instance listens."""

    address: str
    listeners: tuple[OpenListener, ...]
    redirect: tuple[int, int] | None
    certificate_sha256: bytes

    def report(self) -> list[dict[str, object]]:
        """Return the TLS listeners as `ready.json` reports them."""
        return [{"port": each.wanted.port, "address": self.address, "actual_port": each.actual_port} for each in self.listeners]

    def public_port(self, port: int) -> int | None:
        """Return the real port of `port` for requests from outside the VPC; None where it is closed to them."""
        if self.redirect and self.redirect[0] == port:
            return self.redirect[1]
        return next((each.actual_port for each in self.listeners if (each.wanted.port, each.wanted.scope) == (port, "public")), None)

    def url(self, service: str) -> str | None:
        """Return the URL, with a slash at its end, at which the front door publishes a service."""
        for each in self.listeners:
            for route in each.wanted.routes:
                if route.service == service:
                    return f"https://{self.address}:{each.actual_port}{route.path.rstrip('/')}/"
        return None

    async def leads_to(self, services: tuple[MachineService, ...]) -> None:
        """Check that every published health path answers through the front door with its certificate. Raises StepFailed."""
        pinned = aiohttp.Fingerprint(self.certificate_sha256)
        async with aiohttp.ClientSession() as client:
            for service in services:
                base = self.url(service.name)
                if base and not await answers(client, base + service.health_path.lstrip("/"), pinned):
                    raise StepFailed(f"The service {service.name} is well but does not answer through the front door at {base}.")


async def open_front_door(
    door: FrontDoor,
    address: str,
    sockets: Mapping[str, Path],
    credentials: Credentials,
    opened: AsyncExitStack,
    *,
    world: World | None = None,
    proofs: Path | None = None,
) -> OpenDoor:
    """Open every listener on `address`; all close with `opened`. Raises StepFailed where a certificate or address can't be used.

    With a `world`, a certificate that its Secrets Manager gets later is served too. `proofs` are files for an ACME authority.
    """
    context = server_context(credentials.certificate_file, credentials.key_file)
    services = {name: await opened.enter_async_context(service_session(str(path))) for name, path in sockets.items()}
    try:
        listening = [(listener, _listening(address, listener.port, opened)) for listener in door.listeners]
        redirecting = _listening(address, door.redirect_port, opened) if door.redirect_port else None
    except OSError as refused:
        raise StepFailed(f"The front door can't listen on {address}: {refused.strerror}.") from refused
    routes = {port_of(bound): listener.routes for listener, bound in listening}
    await opened.enter_async_context(serve_sockets(proxy.proxy(routes, services), [bound for _, bound in listening], context))
    if world:
        opened.callback(asyncio.create_task(_follow_certificate(world, door, credentials, context)).cancel)
    if redirecting:
        await opened.enter_async_context(serve_sockets(redirect_to_https(proofs), [redirecting], None))
    return OpenDoor(
        address=address,
        listeners=tuple(OpenListener(listener, port_of(bound)) for listener, bound in listening),
        redirect=(door.redirect_port, port_of(redirecting)) if door.redirect_port and redirecting else None,
        certificate_sha256=leaf_fingerprint(credentials.certificate_file),
    )


async def _follow_certificate(world: World, door: FrontDoor, credentials: Credentials, context: ssl.SSLContext) -> None:
    """Serve new connections with what Secrets Manager has; what can't be used is logged once, and the one before is served on."""
    served, events = _stored_certificate(world, door), log.get()
    while True:
        await asyncio.sleep(LOOK_EVERY)
        found = _stored_certificate(world, door)
        if found == served:
            continue
        served = found
        try:
            write_certificate(world, door.certificate, credentials.certificate_file, credentials.key_file)
            server_context(credentials.certificate_file, credentials.key_file)
            context.load_cert_chain(credentials.certificate_file, credentials.key_file)
        except (StepFailed, NotAuthorized) as unusable:
            events.error("certificate.not_taken", because=str(unusable))


def _stored_certificate(world: World, door: FrontDoor) -> str | None:
    try:
        return world.secret(door.certificate.secret_arn)
    except NotAuthorized:
        return None


def _listening(address: str, port: int, opened: AsyncExitStack) -> socket:
    listening = listen_at(address, port)
    opened.callback(listening.close)
    return listening


_CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
    )
)


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later with forward secrecy. Raises StepFailed where certificate and key do not match."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    # OpenSSL's default offers curves outside the profile; Python 3.12 can name exactly one.
    context.set_ecdh_curve("prime256v1")
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as refused:
        raise StepFailed("The certificate and its private key are no usable pair of PEM texts.", str(refused)) from refused
    return context


def leaf_fingerprint(certificate: Path) -> bytes:
    """Return the SHA-256 of the first certificate of a chain, by which clients recognise the server."""
    first, end, _ = certificate.read_text(encoding="utf-8").partition("-----END CERTIFICATE-----")
    return sha256(ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :] + end + "\n")).digest()
