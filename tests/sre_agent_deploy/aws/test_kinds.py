"""What an error code is taken for: wait, look again, sign in, ask for rights, or give up."""

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
# Cognito and Secrets Manager say it of quotas, which no waiting changes; where they mean the rate they say TooManyRequestsException.
NOT_OURS = {"LimitExceededException"}


def told(code: str, status: int = 400, **headers: str) -> Problem:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers, "RequestId": "r"}}

    def refused() -> None:
        raise ClientError(response, "CreateThing")

    problem = attempt(refused, progress=NEVER_AGAIN)
    assert isinstance(problem, Problem)
    return problem


def test_what_awss_own_sdk_repeats_is_repeated() -> None:
    """Whoever knows AWS's SDKs finds nothing that they would have waited for and this tool gives up on."""
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
        # IAM counts what was detached for seconds more; what is really attached is refused until somebody detaches it.
        ("DeleteConflict", 409, "busy"),
        ("ConcurrentModificationException", 400, "busy"),
        # EC2 sends these as server errors, and yet nothing was made: waiting minutes would only hide the choices that there are.
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
        # Names that begin alike, and are of credentials, or of a state that passes.
        ("InvalidToken", 400, "expired"),
        ("InvalidRequestException", 400, "final"),
        ("InvalidBucketState", 409, "final"),
        ("403", 403, "denied"),
        ("404", 404, "absent"),
    ],
)
def test_what_a_code_is_taken_for(code: str, status: int, kind: str) -> None:
    """Each decision has a reason in AWS's own words or in what AWS does."""
    assert kind_of(code, status) == kind


@pytest.mark.parametrize("code", sorted(EXPIRED))
@pytest.mark.parametrize("ahead", [timedelta(minutes=7), timedelta(minutes=-40)])
def test_a_clock_that_is_wrong(code: str, ahead: timedelta) -> None:
    """Signatures that AWS refuses while its own clock shows another time are told as what they are, in minutes and direction."""
    problem = told(code, 403, date=format_datetime(clock.now() - ahead, usegmt=True))
    assert problem.code == "AWS-CLOCK-WRONG"
    assert ("7 minutes ahead of" if ahead > timedelta(0) else "40 minutes behind") in problem.what


@pytest.mark.parametrize("said", ["nothing", "no date at all", "the right time"])
def test_credentials_under_a_right_clock(said: str) -> None:
    """Credentials that AWS does not accept are told as such where the clock is right, or AWS does not say its time."""
    # Read here: what is read when tests are collected is minutes old by now.
    right = format_datetime(clock.now(), usegmt=True)
    headers = {"nothing": {}, "no date at all": {"date": said}, "the right time": {"date": right}}[said]
    assert told("SignatureDoesNotMatch", 403, **headers).code == "AWS-CREDENTIALS"
    assert told("RequestTimeTooSkewed", 403, **headers).code == "AWS-CLOCK-WRONG"
