"""The Problems of AWS's errors for which no resource has its own advice: one for each kind of error,
and one for each of botocore's own exceptions: there are no credentials, no answer came, or the call is invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from sre_agent_deploy.aws.errors import SKEWED, Kind, code_of, date_of, kind_of, message_of, status_of
from sre_core import clock
from sre_core.problem import Problem

# AWS allows a difference of 5 minutes, S3 and EC2 15; an answer takes seconds.
_TOLERATED = timedelta(minutes=4)
_LATER = "Run the same command again in a few minutes: it continues where it stopped."
_AGAIN = "Then run the same command again: it continues where it stopped."


@dataclass(frozen=True)
class Refused:
    """An error as AWS sent it. `message` is its code where it has no message."""

    operation: str
    code: str
    status: int
    message: str


def general(error: Any) -> Problem:
    """Build the Problem of a ClientError by its kind; AWS-UNEXPECTED for an unknown code."""
    code, status = code_of(error), status_of(error)
    refused = Refused(error.operation_name, code, status, message_of(error) or code)
    kind = kind_of(code, status)
    if kind == "expired" and (code in SKEWED or abs(_ahead(error)) > _TOLERATED):
        return _clock_wrong(_ahead(error))
    return _PROBLEMS.get(kind, _unexpected)(refused)


def _ahead(error: Any) -> timedelta:
    """Compute how far this machine's clock is ahead of AWS's; 0 where the answer has no time."""
    try:
        return clock.now() - parsedate_to_datetime(date_of(error))
    except (ValueError, TypeError):  # no date, or one without a time zone
        return timedelta(0)


def _clock_wrong(ahead: timedelta) -> Problem:
    minutes = round(abs(ahead).total_seconds() / 60)
    difference = f"{minutes} minutes {'ahead of' if ahead > timedelta(0) else 'behind'} AWS's" if minutes else "not AWS's"
    return Problem(
        code="AWS-CLOCK-WRONG",
        what=f"AWS does not accept requests signed by this machine: its clock is {difference}.",
        why="A signature is valid for a few minutes around the time in it, so that it can't be used later.",
        do=("Set the clock, for example with `sudo timedatectl set-ntp true`, and check it with `date -u`.", _AGAIN),
        aws_docs="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html",
    )


def _denied(refused: Refused) -> Problem:
    return Problem(
        code="AWS-ACCESS-DENIED",
        what=f"AWS refused {refused.operation}: {refused.message}",
        why="The credentials in use lack the permission for this call, or a service control policy forbids it.",
        do=(
            "See which identity is in use: `aws sts get-caller-identity`.",
            f"Allow the action for {refused.operation} in the policy of that identity, or use another one (AWS_PROFILE).",
            _AGAIN,
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
        do=(
            "See which other programs send such requests now (CloudTrail > Event history), and let them pause.",
            "Or set a longer time in the configuration, for example `retries: {throttled: 10m}`.",
            _LATER,
        ),
    )


def _busy(refused: Refused) -> Problem:
    return Problem(
        code="AWS-BUSY",
        what=f"AWS refused {refused.operation} for longer than `retries.throttled` allows: {refused.message}",
        why="AWS has not finished an earlier change of the same resource, or another program changes it too.",
        do=(
            "See what else changes the resource: CloudTrail > Event history.",
            _LATER,
        ),
    )


def _account(refused: Refused) -> Problem:
    return Problem(
        code="AWS-ACCOUNT-NOT-READY",
        what=f"This account can't use {refused.operation}: {refused.message}",
        why="The account is not activated yet, is blocked, or has not subscribed to this service or image.",
        do=(
            "Read AWS's messages to the account's email address, and see Billing and Cost Management > Payment preferences.",
            "A new account may need some hours. If it takes longer, ask AWS Support.",
            _AGAIN,
        ),
        aws_docs="https://repost.aws/knowledge-center/create-and-activate-aws-account",
    )


def _quota(refused: Refused) -> Problem:
    return Problem(
        code="AWS-QUOTA",
        what=f"{refused.operation} would exceed a quota of this account: {refused.message}",
        why=f"AWS answered {refused.code}; quotas hold for one account in one region.",
        do=("Delete resources that are not used, or request an increase under Service Quotas.", _AGAIN),
        aws_docs="https://docs.aws.amazon.com/servicequotas/latest/userguide/request-quota-increase.html",
    )


def _absent(refused: Refused) -> Problem:
    return Problem(
        code="AWS-NOT-FOUND",
        what=f"{refused.operation} found nothing: {refused.message}",
        why="The resource was deleted meanwhile, or the configuration names one that this account does not have in this region.",
        do=(
            "Check that the configuration names the right id and region: AWS's message above has the id.",
            "Run the same command again: it looks again and creates what is missing.",
        ),
    )


def _value(refused: Refused) -> Problem:
    return Problem(
        code="AWS-VALUE-REFUSED",
        what=f"{refused.operation} does not accept a value: {refused.message}",
        why=f"AWS answered {refused.code}: it checks some values by its own rules, or by your organization's tag policies.",
        do=(
            "Correct the value in the configuration that AWS's message is about. Check it: `sre-agent-deploy validate`.",
            _AGAIN,
            "If the value is not in the configuration, report this as a fault of sre-agent-deploy, with the request id below.",
        ),
    )


def _unexpected(refused: Refused) -> Problem:
    return Problem(
        code="AWS-UNEXPECTED",
        what=f"{refused.operation} failed: {refused.message}",
        why=f"AWS answered {refused.code} (HTTP {refused.status}), for which sre-agent-deploy has no specific advice.",
        do=(
            "Read AWS's message above and correct the value that it names; see https://health.aws.amazon.com for faults of AWS.",
            _AGAIN,
            "If it fails again, give AWS Support the request id below.",
        ),
    )


_PROBLEMS: Mapping[Kind, Callable[[Refused], Problem]] = {
    "denied": _denied,
    "expired": _expired,
    "throttled": _throttled,
    "busy": _busy,
    "account": _account,
    "quota": _quota,
    "absent": _absent,
    "value": _value,
}


def no_answers() -> tuple[type[Exception], ...]:
    """List botocore's exceptions for no answer, an incomplete one, or one that is not AWS's (a proxy's page)."""
    from botocore.exceptions import ChecksumError, ConnectionError, FlexibleChecksumError, HTTPClientError, IncompleteReadError
    from botocore.parsers import ResponseParserError

    return (HTTPClientError, ConnectionError, ResponseParserError, IncompleteReadError, ChecksumError, FlexibleChecksumError)


def _no_credentials_found() -> tuple[type[Exception], ...]:
    """List botocore's exceptions for credentials that it can't find, renew or read."""
    from botocore import exceptions

    return (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.UnknownCredentialError,
        exceptions.CredentialRetrievalError,
        exceptions.MetadataRetrievalError,
        exceptions.RefreshWithMFAUnsupportedError,
        exceptions.NoAuthTokenError,
        exceptions.TokenRetrievalError,
        exceptions.UnknownTokenProviderError,
        exceptions.SSOError,
        exceptions.LoginError,
        exceptions.ProfileNotFound,
        exceptions.ConfigNotFound,
        exceptions.ConfigParseError,
        exceptions.InvalidConfigError,
        # Some ways to sign in need another library; the message names it.
        exceptions.MissingDependencyException,
    )


def unanswered(error: Exception) -> Problem:
    """Build the Problem of an exception of botocore, with its message."""
    if isinstance(error, _no_credentials_found()):
        return no_credentials(str(error))
    return _unreachable(error) if isinstance(error, no_answers()) else _invalid(error)


def no_credentials(detail: str) -> Problem:
    """Explain that AWS does not accept the credentials, or that there are none."""
    return Problem(
        code="AWS-CREDENTIALS",
        what=f"There are no valid AWS credentials. {detail}",
        why="The environment, the profile or the instance role gave none, or they have expired.",
        do=(
            "Run `aws sts get-caller-identity` and sign in until it answers (for example `aws sso login`).",
            "If it answers, see whether the region is enabled for this account: AWS Account > AWS Regions.",
            "With several profiles, name one: `export AWS_PROFILE=NAME`. Then run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html",
    )


def _unreachable(error: Exception) -> Problem:
    return _local_aws_down(error) if "//127.0.0.1:" in _endpoint(error) else _amazon_unreachable(error)


def _endpoint(error: Exception) -> str:
    """Return the endpoint that botocore called; it keeps the values of its messages as `kwargs`."""
    return str(getattr(error, "kwargs", {}).get("endpoint_url", ""))


def _local_aws_down(error: Exception) -> Problem:
    return Problem(
        code="AWS-UNREACHABLE",
        what=f"The local AWS does not answer: {error}",
        why="It was stopped or killed, or this machine has no memory left for it.",
        do=(
            "See whether it runs: `sre-agent-deploy status`; free memory: `free -h`.",
            "Run the same command again: local mode starts a new local AWS where none runs. It is empty, so everything is created again.",
        ),
    )


def _amazon_unreachable(error: Exception) -> Problem:
    return Problem(
        code="AWS-UNREACHABLE",
        what=f"AWS could not be reached: {error}",
        why="The name did not resolve, the connection was refused or cut, or TLS failed on the way.",
        do=(
            "Check the network: DNS, proxy (HTTPS_PROXY) and firewall must let this machine reach the endpoint above on 443.",
            "Check the spelling of aws.region.",
            "Then run the same command again: it continues where it stopped.",
        ),
    )


def _invalid(error: Exception) -> Problem:
    return Problem(
        code="AWS-CALL-INVALID",
        what=f"A call to AWS could not be made: {error}",
        why=f"botocore refused it before sending ({type(error).__name__}).",
        do=(
            "Correct the value in the configuration that the message names. Check it: `sre-agent-deploy validate`.",
            "If the values are right, update the libraries: `pip install --upgrade boto3 botocore`.",
            "If it fails again, report this as a fault of sre-agent-deploy, with the whole message.",
        ),
    )
