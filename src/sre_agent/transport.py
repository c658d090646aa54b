"""HTTPS clients: certificates are always verified, and every request has a time limit."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from functools import cache

import httpx2

from sre_core import tracing
from sre_core.http_client import HttpClient
from sre_core.problem import Problem, Refused


@cache
def load_trust(ca_file: str = "") -> ssl.SSLContext:
    """Load the system's certificate authorities, the one in SSL_CERT_FILE, and `ca_file`; once, because it takes 20 ms."""
    try:
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Refused(_unreadable(ca_file, str(error))) from error
    return context


def create_client(
    *,
    ca_file: str = "",
    auth: httpx2.Auth | None = None,
    seconds: float = 10.0,
    connect_seconds: float = 5.0,
    proxies: bool = True,
    traced: bool = False,
) -> httpx2.AsyncClient:
    """Create an HTTP client with connection reuse; `proxies=False` ignores proxy settings of the environment.

    With `traced` each request names the step of the trace that sends it.
    """
    return HttpClient(
        auth=auth,
        verify=load_trust(ca_file),
        timeout=httpx2.Timeout(seconds, connect=min(seconds, connect_seconds)),
        limits=httpx2.Limits(max_connections=32, max_keepalive_connections=16, keepalive_expiry=30.0),
        trust_env=proxies,
        event_hooks={"request": [_name_step]} if traced else None,
    )


async def _name_step(request: httpx2.Request) -> None:
    request.headers.update(tracing.headers())


def name_hop(error: BaseException) -> dict[str, str]:
    """Name the hop at which a request failed, for the context of a Problem; nothing where it was answered."""
    if is_certificate_error(error):
        return {"hop": "tls"}
    if any(isinstance(each, socket.gaierror) for each in _list_causes(error)):
        return {"hop": "dns"}
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return {"hop": "tcp"}
    return {"hop": "http"} if isinstance(error, httpx2.TransportError) else {}


def _list_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def is_certificate_error(error: BaseException | None) -> bool:
    """Return True when a connection failed because the certificate was not trusted."""
    return any(isinstance(each, ssl.SSLError) or "CERTIFICATE_VERIFY_FAILED" in str(each) for each in _list_causes(error))


def _unreadable(ca_file: str, reason: str) -> Problem:
    return Problem(
        code="ASSISTANT-CA-UNREADABLE",
        what=f"The certificate authority file {ca_file or '(SSL_CERT_FILE)'} can't be used.",
        why=reason,
        do=(
            "Deploy again, which writes the file: sre-agent-deploy deploy --config config.yaml",
            "Or correct ca_file in the connection file, or SSL_CERT_FILE. Never turn verification off.",
        ),
    )
