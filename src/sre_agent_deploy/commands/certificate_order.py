"""Let the machine order its certificate from an ACME authority, and wait for it: `deploy` verifies with the real one only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.commands.workspace import watch
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.later import Outputs
from sre_agent_deploy.names import prefix
from sre_agent_deploy.resources.ec2_boot import Status, own_uri, read_report
from sre_agent_deploy.resources.secretsmanager_calls import put_values, read_values
from sre_agent_deploy.tls import acme
from sre_core import clock
from sre_core.problem import Problem

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
        status_uri=f"s3://{bucket}/{prefix(config, deployment)}/status/",
        because=because,
    )


def place_order(order: Order, account: Account, user: User) -> Problem | None:
    """Ask the machine for the order and wait until its secret has the certificate. Reports why not in the authority's words."""
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
    """Explain a failed order in the authority's words, with what to do about its kind (pure)."""
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
