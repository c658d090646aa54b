"""Check TLS as served: nothing is answered without it, and the certificate does not expire soon (requirement 2.4)."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Endpoints
from sre_agent_deploy.tls import expiry
from sre_core import clock
from sre_core.problem import Problem


@dataclass(frozen=True)
class ServedCertificate:
    """The validity of the served certificate, and the time of the check."""

    host: str
    not_before: datetime
    not_after: datetime
    now: datetime
    source: expiry.Source | None = None


class CertificateLasts:
    """The certificate on 443 is valid, and no renewal of it is late. A warning: it does not make a deployment incomplete."""

    id: ClassVar[str] = "certificate.lasts"
    proves: ClassVar[str] = "the certificate lasts, or is renewed in time"
    requirements: ClassVar[tuple[str, ...]] = ("2.1", "2.4")
    required: ClassVar[bool] = False

    def probe(self, world: Endpoints) -> ServedCertificate | Problem:
        parts = urlsplit(world.base_url)
        host = parts.hostname or ""
        try:
            with (
                socket.create_connection((world.public_ip, parts.port or 443), timeout=world.timeout) as connection,
                world.trust.wrap_socket(connection, server_hostname=host) as tls,
            ):
                return replace(_read_served(host, tls), source=expiry.parse_source(world.certificate_source))
        except OSError as error:
            return world.explain(world.base_url, error)

    def judge(self, facts: ServedCertificate) -> Verdict:
        problem = expiry.judge_expiry(facts.host, facts.not_before, facts.not_after, facts.now, facts.source)
        days = expiry.days_left(facts.not_after, facts.now)
        values = {"days_left": f"{days}", "not_after": clock.stamp(facts.not_after)}
        return Verdict(problem is None, f"the certificate has {days} days left", problem, values=values)


def _read_served(host: str, tls: ssl.SSLSocket) -> ServedCertificate:
    from cryptography import x509

    leaf = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    return ServedCertificate(host, leaf.not_valid_before_utc, leaf.not_valid_after_utc, clock.now())


class PlainHttpRefused:
    """Plain HTTP on the HTTPS port gets an error at most, never content of a service."""

    id: ClassVar[str] = "endpoint.plain_http"
    proves: ClassVar[str] = "plain HTTP is refused"
    requirements: ClassVar[tuple[str, ...]] = ("1.3", "2.1")
    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> Answer | Problem:
        authority = world.base_url.removeprefix("https://")
        url = f"http://{authority if ':' in authority else f'{authority}:443'}/ping"
        answer = world.http("GET", url)
        if not isinstance(answer, Problem):
            return answer
        # A connection that is closed at once is a refusal; one that can't be made proves nothing.
        return world.explain_no_connection(url) or Answer(0, b"", {})

    def judge(self, facts: Answer) -> Verdict:
        if facts.status == 0:
            return Verdict(True, "plain HTTP gets no answer")
        if 300 <= facts.status < 500:
            return Verdict(True, f"plain HTTP is answered {facts.status}")
        return Verdict(False, f"plain HTTP was answered {facts.status}", _answered_without_tls(facts.status))


def _answered_without_tls(status: int) -> Problem:
    return Problem(
        code="ENDPOINT-PLAIN-HTTP",
        what=f"A request without TLS was answered {status}.",
        why="The front door listens without TLS on a port that must have it.",
        do=(
            "Run `sre-agent-deploy deploy` again: it repairs the front door. If that does not help, see which program listens on the port.",
        ),
    )
