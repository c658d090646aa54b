"""Send the requests of a gateway, within limits of size, time and destination."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from embedded_aws.world import World

_ANSWER_AT_MOST = 6 * 1024 * 1024
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
_AGENT = "AmazonBedrockAgentCoreGateway"


@dataclass(frozen=True)
class Reply:
    """The response of a server, of any status."""

    status: int
    text: str


@dataclass(frozen=True)
class Unreachable:
    """The reason why there is no response, for the owner of the gateway to read."""

    why: str


class Backend:
    """One pool of connections for all gateways; a connection is reused only with the same trusted certificates."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress
        self._open: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, url: str, *, tls: ssl.SSLContext, headers: Mapping[str, str], body: bytes | None = None
    ) -> Reply | Unreachable:
        """Send one request and return the response; the URL is sent unchanged, percent signs included."""
        if refused := self._egress.refusal(url):
            return Unreachable(f"The request was not sent: {refused}.")
        try:
            async with self._session().request(
                method, URL(url, encoded=True), data=body, headers=headers, ssl=tls, allow_redirects=False
            ) as response:
                return await _read(response)
        except aiohttp.ClientConnectorCertificateError as refused_certificate:
            return Unreachable(f"The server's certificate was not accepted: {refused_certificate.certificate_error}")
        except TimeoutError:
            return Unreachable("The server did not answer in time.")
        except aiohttp.ClientConnectorError as failure:
            return Unreachable(f"The server can't be reached: {failure.os_error}")
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            # Without the text of the exception: it may quote the URL, and the URL may contain the API key.
            return Unreachable(f"The request failed: {type(failure).__name__}")

    async def close(self) -> None:
        """Close every connection."""
        if self._open is not None:
            await self._open.close()

    def _session(self) -> aiohttp.ClientSession:
        # Created at first use: a session belongs to the event loop that creates it.
        if self._open is None:
            connector = aiohttp.TCPConnector(resolver=self._egress, use_dns_cache=False, limit=200)
            self._open = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_TIMEOUT,
                trust_env=False,
                headers={"user-agent": _AGENT},
            )
        return self._open


async def _read(response: aiohttp.ClientResponse) -> Reply | Unreachable:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > _ANSWER_AT_MOST:
            response.close()
            return Unreachable("The answer is larger than 6 MB.")
    return Reply(response.status, content.decode("utf-8", errors="replace"))


class EgressRefused(OSError):
    """The error for a host that a gateway must not reach. An OSError, because aiohttp resolves names while it connects."""


class Egress(AbstractResolver):
    """The permitted destinations of gateways: addresses of the local AWS, and hosts that were allowed by name."""

    def __init__(self, world: World, allowed_hosts: frozenset[str]) -> None:
        self._world = world
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)

    def refusal(self, url: str) -> str | None:
        """Return why this URL must not be called; None where it may be."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme != "https":
            return "only https URLs are called"
        if host in self._allowed_hosts:
            return None
        address = self._world.resolve(host)
        if address is None:
            return f"the host {host} can't be resolved"
        if not self._world.owned_address(address):
            return f"the host {host} ({address}) is no address of an instance of the local AWS"
        return None

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Return the address to connect to. aiohttp does not resolve hosts that are addresses already: `refusal` covers those."""
        address = self._world.resolve(host)
        if host.lower() in self._allowed_hosts and address is None:
            return await ThreadedResolver().resolve(host, port, family)
        if address is None or not (host.lower() in self._allowed_hosts or self._world.owned_address(address)):
            raise EgressRefused(f"the host {host} must not be reached")
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""
