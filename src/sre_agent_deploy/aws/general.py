"""What AWS's errors say where no resource has advice of its own: one Problem for each kind of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from sre_agent_deploy.aws.errors import SKEWED, Kind, code_of, date_of, kind_of, message_of, status_of
from sre_agent_deploy.aws.unanswered import no_credentials
from sre_core import clock
from sre_core.problem import Problem

# AWS allows 5 minutes, S3 and EC2 15; an answer takes seconds.
_TOLERATED = timedelta(minutes=4)
_AGAIN = "Run the same command again; it continues where it stopped."


@dataclass(frozen=True)
class Refused:
    """An error as AWS sent it. `said` is its message, or its code where it has none."""

    operation: str
    code: str
    status: int
    said: str


def general(error: Any) -> Problem:
    """The Problem of a ClientError by its kind; AWS-UNEXPECTED where a code says nothing that is known."""
    code, status = code_of(error), status_of(error)
    refused = Refused(error.operation_name, code, status, message_of(error) or code)
    kind = kind_of(code, status)
    if kind == "expired" and (code in SKEWED or abs(_ahead(error)) > _TOLERATED):
        return _clock_wrong(_ahead(error))
    return _TOLD.get(kind, _unexpected)(refused)


def _ahead(error: Any) -> timedelta:
    """How far this machine's clock is ahead of AWS's; nothing where AWS did not say its time."""
    try:
        return clock.now() - parsedate_to_datetime(date_of(error))
    except (ValueError, TypeError):  # no date, or one without a time zone
        return timedelta(0)


def _clock_wrong(ahead: timedelta) -> Problem:
    minutes = round(abs(ahead).total_seconds() / 60)
    difference = f"{minutes} minutes {'ahead of' if ahead > timedelta(0) else 'behind'} AWS's" if minutes else "not AWS's"
    return Problem(
        code="AWS-CLOCK-WRONG",
        what=f"AWS does not accept what this machine signs: its clock is {difference}.",
        why="A signature is valid for minutes around the time that it names, so that nobody can use it later.",
        do=("Set the clock, for example with `sudo timedatectl set-ntp true`, and compare with `date -u`.", _AGAIN),
        aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html",
    )


def _denied(refused: Refused) -> Problem:
    return Problem(
        code="AWS-ACCESS-DENIED",
        what=f"AWS refused {refused.operation}: {refused.said}",
        why="The credentials in use lack the permission for this call, or a service control policy forbids it.",
        do=(
            f"Allow the action for {refused.operation} in the policy of the identity you deploy with.",
            "Run the same command again; it continues.",
        ),
        aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html",
    )


def _expired(refused: Refused) -> Problem:
    return no_credentials(f"{refused.operation} answered {refused.code}.")


def _throttled(refused: Refused) -> Problem:
    return Problem(
        code="AWS-THROTTLED",
        what=f"AWS throttled {refused.operation} for longer than `retries.throttled` allows.",
        why="This account sends more requests of this kind than its quota allows.",
        do=("Run the same command again in a few minutes; it continues where it stopped.", "Or set `retries.throttled` higher."),
    )


def _busy(refused: Refused) -> Problem:
    return Problem(
        code="AWS-BUSY",
        what=f"AWS refused {refused.operation} for longer than `retries.throttled` allows: {refused.said}",
        why="It has not finished an earlier change of the same thing, or somebody else changes it, too.",
        do=(
            "Run the same command again in a few minutes; it continues where it stopped.",
            "If it fails again, see under CloudTrail > Event history who else changes it.",
        ),
    )


def _account(refused: Refused) -> Problem:
    return Problem(
        code="AWS-ACCOUNT-NOT-READY",
        what=f"This account can't use {refused.operation}: {refused.said}",
        why="It is not activated yet, is blocked, or has not subscribed to this service or image.",
        do=(
            "Read AWS's messages to the account's email address, and Billing and Cost Management > Payment preferences.",
            "A new account may need some hours; if it takes longer, ask AWS Support.",
            _AGAIN,
        ),
        aws_docs="https://repost.aws/knowledge-center/create-and-activate-aws-account",
    )


def _quota(refused: Refused) -> Problem:
    return Problem(
        code="AWS-QUOTA",
        what=f"{refused.operation} would exceed a quota of this account: {refused.said}",
        why=f"AWS answered {refused.code}; quotas hold for one account in one region.",
        do=("Delete what nobody uses, or ask for more under Service Quotas.", _AGAIN),
        aws_docs="https://docs.aws.amazon.com/servicequotas/latest/userguide/request-quota-increase.html",
    )


def _absent(refused: Refused) -> Problem:
    return Problem(
        code="AWS-NOT-FOUND",
        what=f"{refused.operation} found nothing: {refused.said}",
        why="It was deleted meanwhile, or the configuration names what this account does not have in this region.",
        do=(
            "Run the same command again; it looks anew and makes what is missing.",
            "If it fails again, correct the name or id in the configuration that AWS's words mention.",
        ),
    )


def _value(refused: Refused) -> Problem:
    return Problem(
        code="AWS-VALUE-REFUSED",
        what=f"{refused.operation} does not accept a value: {refused.said}",
        why=f"AWS answered {refused.code}: it judges some values by rules of its own, or by your organization's tag policies.",
        do=(
            "Correct the value in the configuration that AWS's words are about, and run the same command again.",
            "If it is none of the configuration's, report this as a fault of this tool, with the request id below.",
        ),
    )


def _unexpected(refused: Refused) -> Problem:
    return Problem(
        code="AWS-UNEXPECTED",
        what=f"{refused.operation} failed: {refused.said}",
        why=f"AWS answered {refused.code} (HTTP {refused.status}), which this tool has no specific advice for.",
        do=(_AGAIN, "If it fails again, give AWS Support the request id below."),
    )


_TOLD: Mapping[Kind, Callable[[Refused], Problem]] = {
    "denied": _denied,
    "expired": _expired,
    "throttled": _throttled,
    "busy": _busy,
    "account": _account,
    "quota": _quota,
    "absent": _absent,
    "value": _value,
}
