"""`certs`: the certificate of a front door, as it is served now. It connects there as a user does, and asks AWS nothing.

A machine that orders its certificate from an ACME authority is let order it first: `deploy` verifies with the real one only.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints, unreachable
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import explain_missing_aws, is_running
from sre_agent_deploy.commands.status import require_state
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.commands.workspace import watch
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.names import prefix
from sre_agent_deploy.resources.ec2_boot import Status, own_uri, read_report
from sre_agent_deploy.resources.secretsmanager_calls import put_values, read_values
from sre_agent_deploy.tls import acme, expiry, local_ca
from sre_agent_deploy.tls.chain import Chain, find_faults
from sre_core import clock
from sre_core.machine import STATUS_FOLDER
from sre_core.problem import Problem, Refused


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


# The machine looks at the secret every half minute, and gives an authority five minutes for each domain.
_LONGEST = timedelta(minutes=12)


@dataclass(frozen=True)
class Order:
    """One order that is due: the secret, the machine that is asked, and what its owner may have to put right."""

    domain: str
    directory: str
    secret_arn: str
    instance_id: str
    public_ip: str
    status_uri: str
    because: str


def find_order(config: Config, aws: Aws, deployment: str, outputs: Mapping[str, Outputs]) -> Order | None:
    """Find out if the machine has to order a certificate before clients can trust it; None where it has one, or orders none."""
    if config.tls.source != "letsencrypt":
        return None
    arn = str(outputs["certificate"]["secret_arn"])
    stored = ask_or_refuse(aws, partial(read_values, aws, arn))
    settings, because = acme.read_settings(stored), acme.explain_due(stored, clock.now())
    if settings is None or not because:
        return None
    bucket, address = outputs["bucket"]["bucket_name"], outputs.get("address", {}).get("public_ip", "")
    return Order(
        domain=config.deployment.domain_name,
        directory=settings.directory,
        secret_arn=arn,
        instance_id=str(outputs["instance"]["instance_id"]),
        public_ip=str(address),
        status_uri=f"s3://{bucket}/{prefix(config, deployment)}/{STATUS_FOLDER}/",
        because=because,
    )


def place_order(order: Order, account: Account, user: User) -> Problem | None:
    """Ask the machine for the order and wait until its secret has the certificate. A failure is reported with the authority's text."""
    user.note(f"The machine orders a certificate for {order.domain} from {order.directory}: {order.because}.")
    with watch(account, user) as watched:
        aws, progress = watched.aws, watched.aws.progress
        before = ask_or_refuse(aws, partial(_read_report, aws, order))
        ask_or_refuse(aws, partial(_ask, aws, order))
        for poll in progress.poll("ready", f"{order.instance_id} to order its certificate", _LONGEST):
            if not acme.explain_due(ask_or_refuse(aws, partial(read_values, aws, order.secret_arn)), clock.now()):
                return None
            status = ask_or_refuse(aws, partial(_read_report, aws, order))
            if status and status != before:
                poll.status = f"{order.directory} to prove {order.domain}"
                if status.state == "failed":
                    return explain_failure(order, status)
        return progress.interrupted_or(_silent(order))


def _ask(aws: Aws, order: Order) -> None:
    stored = read_values(aws, order.secret_arn)
    put_values(aws, order.secret_arn, acme.ask_for_order(stored, order.instance_id, clock.stamp()), description="")


def _read_report(aws: Aws, order: Order) -> Status | None:
    return read_report(aws, own_uri(order.status_uri, order.instance_id), acme.REPORT)


def _parse_refusals(output: str) -> tuple[tuple[str, str], ...]:
    """Parse the problem documents of a report into the last word of each type, and its detail (pure)."""
    try:
        documents = json.loads(output)
        return tuple((str(each["type"]).rpartition(":")[2], str(each.get("detail", ""))) for each in documents)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()


def explain_failure(order: Order, status: Status) -> Problem:
    """Explain a failed order with the authority's text, and with what to do about its kind (pure)."""
    refusals = _parse_refusals(status.output)
    words = "; ".join(f"{detail} ({kind})" for kind, detail in refusals) or status.output.strip()[-600:]
    advice = tuple(dict.fromkeys(_ADVICE[kind].format(order=order) for kind, _ in refusals if kind in _ADVICE))
    return Problem(
        code="TLS-ORDER-FAILED",
        what=f"No certificate was issued for {order.domain}: {status.what.partition(': ')[0].rstrip('.')}.",
        why=words or status.what,
        do=(*(advice or (_LOOK.format(order=order),)), "Run `sre-agent-deploy deploy` again: the machine then tries at once."),
        context={"directory": order.directory, "instance_id": order.instance_id, "errors": ", ".join(kind for kind, _ in refusals)},
    )


_LOOK = "Look at what the machine logged: `sre-agent-deploy exec sudo journalctl -u sre-agent-certificate-order`."
_REACH = (
    "Let port 80 of {order.public_ip} be reached from the internet: see the subnet's network ACL and its route to an internet gateway, "
    "or set tls.challenge to dns-01."
)
_POINT = (
    "Point {order.domain} to {order.public_ip}: an A record at its DNS provider, and no AAAA record. Check: `dig +short {order.domain}`."
)
# By the last word of the ACME error type: https://www.rfc-editor.org/rfc/rfc8555#section-6.7
_ADVICE = {
    "caa": "Let the domain's CAA records allow the authority, for Let's Encrypt: {order.domain}. CAA 0 issue \"letsencrypt.org\".",
    "connection": f"{_POINT} {_REACH}",
    "dns": f"{_POINT} With dns-01, see that the hosted zone is the one that public DNS delegates to.",
    "dnssec": "Correct the domain's DNSSEC: its DS record must belong to the key of its zone.",
    "externalAccountRequired": "Use an authority without external account binding; this version does not send one.",
    "incorrectResponse": f"Another server answered for the domain. {_POINT}",
    "invalidContact": "Set tls.email to an address that exists, or leave it empty.",
    "invalidEmail": "Set tls.email to an address that exists, or leave it empty.",
    "rateLimited": "Wait until the time that the authority names, and try with tls.staging: true meanwhile.",
    "rejectedIdentifier": "Set deployment.domain_name to a name of yours: the authority's policy excludes this one.",
    "slow": "Run the command again: the authority took too long.",
    "unauthorized": f"Another server answered for the domain. {_POINT}",
    "unknownHost": _POINT,
    "unreachable": "Let the machine reach the authority: outbound HTTPS, and for a private one tls.directory_ca_path.",
    "unsupportedContact": "Set tls.email to an address that exists, or leave it empty.",
}


def _silent(order: Order) -> Problem:
    return Problem(
        code="TLS-ORDER-SILENT",
        what=f"The machine {order.instance_id} did not order a certificate for {order.domain} within {_LONGEST.seconds // 60} minutes.",
        why="It has reported neither a certificate nor a failure: its program does not run, or AWS refuses what it calls.",
        do=(_LOOK.format(order=order), "Run `sre-agent-deploy deploy` again."),
    )


# The machine looks every half minute.
_TAKEN_WITHIN, _AGAIN_AFTER = 60.0, 0.5
