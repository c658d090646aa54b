"""The certificate that is really served has time left; its owner hears in time when it has not (requirement 2.4)."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from sre_agent_deploy.checks.after.deployed import Deployed, unreachable
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.tls import expiry
from sre_core import clock
from sre_core.problem import Problem


@dataclass(frozen=True)
class Served:
    """The validity of a certificate, and when it was looked at."""

    host: str
    not_before: datetime
    not_after: datetime
    now: datetime


class CertificateLasts:
    """The certificate on 443 is verified and has more than 30 days left. A warning: it does not make a deployment incomplete."""

    id: ClassVar[str] = "certificate.lasts"
    proves: ClassVar[str] = "the certificate has more than 30 days left"
    requirements: ClassVar[tuple[str, ...]] = ("2.1", "2.4")
    required: ClassVar[bool] = False

    def probe(self, world: Deployed) -> Served | Problem:
        parts = urlsplit(world.base_url)
        host = parts.hostname or ""
        try:
            with (
                socket.create_connection((world.public_ip, parts.port or 443), timeout=world.timeout) as connection,
                world.trust.wrap_socket(connection, server_hostname=host) as tls,
            ):
                return _served(host, tls)
        except OSError as error:
            return unreachable(world.base_url, error)

    def judge(self, facts: Served) -> Verdict:
        problem = expiry.judged(facts.host, facts.not_before, facts.not_after, facts.now)
        return Verdict(problem is None, f"the certificate has {expiry.days_left(facts.not_after, facts.now)} days left", problem)


def _served(host: str, tls: ssl.SSLSocket) -> Served:
    from cryptography import x509

    leaf = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    return Served(host, leaf.not_valid_before_utc, leaf.not_valid_after_utc, clock.now())
