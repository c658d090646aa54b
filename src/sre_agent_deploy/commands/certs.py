"""`certs`: the certificate that the front door of a deployment serves now. It connects there as a user does, and asks AWS nothing."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints, unreachable
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import explain_missing_aws, is_running
from sre_agent_deploy.commands.deployments import require_state
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.resources.secretsmanager_calls import read_values
from sre_agent_deploy.tls import expiry, local_ca
from sre_agent_deploy.tls.chain import Chain, find_faults
from sre_core import clock
from sre_core.problem import Problem, Refused

# The machine looks every half minute.
_TAKEN_WITHIN, _AGAIN_AFTER = 60.0, 0.5


@dataclass(frozen=True)
class ServedCertificate:
    """The certificate that clients of a deployment see, and what is to be done about it."""

    deployment: str
    url: str
    source: expiry.Source
    presented: Presented
    problems: tuple[Problem, ...]
    now: datetime

    @property
    def days_left(self) -> int:
        return expiry.days_left(self.presented.chain.not_after, self.now)

    @property
    def renewal(self) -> str:
        """Say who renews it, and from when on."""
        chain = self.presented.chain
        begins = clock.stamp(expiry.renewal_begins(chain.not_before, chain.not_after))
        return f"{_RENEWED_BY[self.source]} from {begins} on"

    def to_json(self) -> dict[str, Any]:
        chain = self.presented.chain
        return {
            "deployment": self.deployment,
            "url": self.url,
            "names": list(chain.names),
            "issuer": self.presented.issuer,
            "trusted": not self.presented.distrust,
            "not_before": clock.stamp(chain.not_before),
            "not_after": clock.stamp(chain.not_after),
            "days_left": self.days_left,
            "source": self.source,
            "renewal": self.renewal,
            "problems": [problem.code for problem in self.problems],
        }


_RENEWED_BY: dict[expiry.Source, str] = {
    "local_ca": "by `sre-agent-deploy deploy`,",
    "letsencrypt": "by the machine itself,",
    "files": "by you: renew the files and run `sre-agent-deploy deploy`,",
}


def read_certificate(request: Request) -> ServedCertificate:
    """Read what the front door serves. Raises Refused if there is no deployment, or it does not answer."""
    located, state = require_state(request, "certs")
    if state.mode == "local" and not is_running(state):
        raise Refused(explain_missing_aws(state))
    config = located.of_deployed().config()
    address, authority = _find_front_door(state, config)
    parts = urlsplit(f"https://{authority}")
    host = parts.hostname or ""
    try:
        presented = read_presented(address, parts.port or 443, host, _authorities(config))
    except OSError as error:
        raise Refused(unreachable(f"https://{authority}", error)) from None
    now, source = clock.now(), expiry.parse_source(config.tls.source) or "files"
    return ServedCertificate(state.deployment, f"https://{authority}", source, presented, _judge(presented, host, now, source), now)


def wait_until_served(aws: Aws, secret_arn: str, endpoints: Endpoints, user: User) -> None:
    """Wait until the machine has taken the certificate that was just stored: until then its clients are right to trust the old one.

    One that never comes is reported by the verification.
    """
    stored = Chain.parse(ask_or_refuse(aws, partial(read_values, aws, secret_arn))["certificate"].reveal()).leaf
    user.note("Waiting until the machine serves the new certificate (at most a minute).")
    parts, deadline = urlsplit(endpoints.base_url), clock.elapsed() + _TAKEN_WITHIN
    while clock.elapsed() < deadline:
        with suppress(OSError):
            if read_presented(endpoints.public_ip, parts.port or 443, parts.hostname or "", ()).chain.leaf == stored:
                return
        time.sleep(_AGAIN_AFTER)
    user.warn("The machine does not serve the new certificate yet: `sre-agent-deploy certs` shows what it serves.")


def _find_front_door(state: State, config: Config) -> tuple[str, str]:
    """Find the address that the deployment has, and the host and port by which users call it. Raises Refused if it has none yet."""
    record = state.current("address")
    outputs = record.outputs if record else {}
    if "public_ip" not in outputs:
        raise Refused(_no_address(state))
    domain = config.deployment.domain_name
    return str(outputs["public_ip"]), f"{domain}{outputs['https_suffix']}" if domain else str(outputs["https_authority"])


def _authorities(config: Config) -> tuple[str, ...]:
    if config.tls.source == "local_ca":
        return local_ca.trusted_files(local_ca.folder())
    return (config.deployment.ssl_ca_path,) if config.deployment.ssl_ca_path else ()


def _judge(presented: Presented, host: str, now: datetime, source: expiry.Source) -> tuple[Problem, ...]:
    chain = presented.chain
    found = [*find_faults(chain, None, (host,)), expiry.judge_expiry(host, chain.not_before, chain.not_after, now, source)]
    problems = tuple(problem for problem in found if problem)
    if presented.distrust and not problems:
        return (_distrusted(host, presented.distrust, source),)
    return problems


def _distrusted(host: str, why: str, source: expiry.Source) -> Problem:
    first = {
        "local_ca": "Run `sre-agent-deploy deploy`: it stores a certificate of this user's authority.",
        "letsencrypt": "Run `sre-agent-deploy deploy`: it lets the machine order the certificate, and says what the authority answers.",
        "files": "Put the whole chain, leaf first, at deployment.ssl_cert_path, and a private authority at ssl_ca_path; then `deploy`.",
    }
    return Problem(
        code="TLS-NOT-TRUSTED",
        what=f"Clients do not trust the certificate that {host} serves.",
        why=f"{why[:1].upper()}{why[1:]}.",
        do=(first[source], "Then look again: `sre-agent-deploy certs`."),
    )


def _no_address(state: State) -> Problem:
    return Problem(
        code="MACHINE-NOT-CREATED",
        what=f"Deployment {state.deployment} serves no certificate yet: it has no address.",
        why="Its Elastic IP was not created, or it was released.",
        do=("Finish the deployment: `sre-agent-deploy resume`.", "See what exists: `sre-agent-deploy status`."),
    )


_ANSWER_WITHIN = 10.0


@dataclass(frozen=True)
class Presented:
    """The leaf that a server presented, and why a client of these authorities does not trust it; empty where it does."""

    chain: Chain
    distrust: str

    @property
    def issuer(self) -> str:
        """Name the authority as people know it: `Let's Encrypt R11`."""
        issuer = self.chain.leaf.issuer
        parts = (issuer.get_attributes_for_oid(oid) for oid in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME))
        return " ".join(str(part[0].value) for part in parts if part) or issuer.rfc4514_string()


def read_presented(address: str, port: int, host: str, ca_files: Iterable[str]) -> Presented:
    """Ask a server for its certificate, then if it is trusted for `host`. Raises OSError where it does not answer with TLS."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    leaf = _shake_hands(anyone, address, port, host)
    strict = ssl.create_default_context()
    for file in ca_files:
        strict.load_verify_locations(file)
    try:
        _shake_hands(strict, address, port, host)
    except ssl.SSLCertVerificationError as refused:
        return Presented(leaf, refused.verify_message)
    return Presented(leaf, "")


def _shake_hands(context: ssl.SSLContext, address: str, port: int, host: str) -> Chain:
    with (
        socket.create_connection((address, port), _ANSWER_WITHIN) as connection,
        context.wrap_socket(connection, server_hostname=host) as tls,
    ):
        return Chain((x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b""),))
