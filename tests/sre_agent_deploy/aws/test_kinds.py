"""Each error code has a kind: wait, read again, sign in, ask for permissions, or give up."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ThrottledRetryableChecker, TransientRetryableChecker

from sre_agent_deploy.aws.attempt import attempt
from sre_agent_deploy.aws.errors import EXPIRED, kind_of
from sre_agent_deploy.progress import Progress, RetryLimits
from sre_core import clock
from sre_core.problem import Problem

NEVER_AGAIN = Progress(RetryLimits(throttled=timedelta(0), transient=timedelta(0), propagating=timedelta(0)))
REPEATED = ("throttled", "busy", "transient")
# Cognito and Secrets Manager use it for quotas, which no waiting changes; for the rate they have TooManyRequestsException.
NOT_OURS = {"LimitExceededException"}


def problem_of(code: str, status: int = 400, **headers: str) -> Problem:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers, "RequestId": "r"}}

    def refused() -> None:
        raise ClientError(response, "CreateThing")

    problem = attempt(refused, progress=NEVER_AGAIN)
    assert isinstance(problem, Problem)
    return problem


def test_what_awss_own_sdk_repeats_is_repeated() -> None:
    """This tool retries every error that AWS's own SDKs retry."""
    codes = {*ThrottledRetryableChecker._THROTTLED_ERROR_CODES, *TransientRetryableChecker._TRANSIENT_ERROR_CODES} - NOT_OURS
    assert not [code for code in sorted(codes) if kind_of(code, 400) not in REPEATED]
    assert not [status for status in TransientRetryableChecker._TRANSIENT_STATUS_CODES if kind_of("", status) != "transient"]


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        # S3: "A conflicting conditional operation is currently in progress against this resource. Try again."
        ("OperationAborted", 409, "busy"),
        # Route 53: a change is refused while the one before it is being worked on; repeat it ever less often.
        ("PriorRequestNotComplete", 400, "busy"),
        # IAM: "multiple requests to change this object were submitted simultaneously. Wait a few minutes and submit your request again."
        ("ConcurrentModification", 409, "busy"),
        # IAM: "the request is likely to succeed if you try again after waiting several minutes".
        ("EntityTemporarilyUnmodifiable", 409, "busy"),
        # IAM counts a detached policy for some seconds more; an attached one is refused until a person detaches it.
        ("DeleteConflict", 409, "busy"),
        ("ConcurrentModificationException", 400, "busy"),
        # EC2 sends these as server errors, although nothing was created: waiting for minutes would only hide the alternatives.
        ("InsufficientInstanceCapacity", 500, "final"),
        ("InsufficientAddressCapacity", 500, "final"),
        ("NotImplemented", 501, "final"),
        # S3: "Your socket connection to the server was not read from or written to within the timeout period."
        ("RequestTimeout", 400, "transient"),
        ("ServiceFailure", 500, "transient"),
        # AgentCore answers 402 for a quota.
        ("ServiceQuotaExceededException", 402, "quota"),
        ("LimitExceededException", 400, "quota"),
        ("VcpuLimitExceeded", 400, "quota"),
        ("TooManyBuckets", 400, "quota"),
        ("RequestLimitExceeded", 503, "throttled"),
        ("OptInRequired", 401, "account"),
        ("InvalidGroup.NotFound", 400, "absent"),
        ("InvalidParameterValue", 400, "value"),
        ("InvalidSubnetID.Malformed", 400, "value"),
        ("MalformedPolicyDocument", 400, "value"),
        ("TagPolicyViolation", 400, "value"),
        # Names that begin alike, and are about credentials, or about a state that passes.
        ("InvalidToken", 400, "expired"),
        ("InvalidRequestException", 400, "final"),
        ("InvalidBucketState", 409, "final"),
        ("403", 403, "denied"),
        ("404", 404, "absent"),
    ],
)
def test_what_a_code_is_taken_for(code: str, status: int, kind: str) -> None:
    """Each decision has a reason from AWS's documentation or behaviour."""
    assert kind_of(code, status) == kind


@pytest.mark.parametrize("code", sorted(EXPIRED))
@pytest.mark.parametrize("ahead", [timedelta(minutes=7), timedelta(minutes=-40)])
def test_a_clock_that_is_wrong(code: str, ahead: timedelta) -> None:
    """If AWS refuses a signature and its clock differs from ours, the problem names the clock, with minutes and direction."""
    problem = problem_of(code, 403, date=format_datetime(clock.now() - ahead, usegmt=True))
    assert problem.code == "AWS-CLOCK-WRONG"
    assert ("7 minutes ahead of" if ahead > timedelta(0) else "40 minutes behind") in problem.what


@pytest.mark.parametrize("said", ["nothing", "no date at all", "the right time"])
def test_credentials_under_a_right_clock(said: str) -> None:
    """If the clock is right, or AWS does not send its time, the problem names the credentials."""
    # Read here: a value that is read when tests are collected is minutes old by now.
    right = format_datetime(clock.now(), usegmt=True)
    headers = {"nothing": {}, "no date at all": {"date": said}, "the right time": {"date": right}}[said]
    assert problem_of("SignatureDoesNotMatch", 403, **headers).code == "AWS-CREDENTIALS"
    assert problem_of("RequestTimeTooSkewed", 403, **headers).code == "AWS-CLOCK-WRONG"
