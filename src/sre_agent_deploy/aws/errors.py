"""AWS's error codes by what they mean for this tool (pure).

Their sources, operation by operation, are in tests/sre_agent_deploy/aws/errors/. The advice for one resource is in that
resource's FAILURES.
"""

from __future__ import annotations

import re
from typing import Any, Literal

type Kind = Literal["throttled", "busy", "transient", "propagating", "denied", "expired", "account", "quota", "absent", "value", "final"]

# The codes that AWS's own SDKs slow down for, except LimitExceededException: in Cognito and Secrets Manager it means a quota.
THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "BandwidthLimitExceeded",
        "SlowDown",
        "EC2ThrottledException",
    }
)
# Refused, with nothing done, because an earlier change of the same resource is still under way: S3 after a bucket was deleted,
# Route 53 within a hosted zone, IAM while a detached policy still counts, Cognito between two changes of a pool, SQS for a minute
# after a queue of the same name was deleted.
BUSY = frozenset(
    {
        "OperationAborted",
        "ConditionalRequestConflict",
        "PriorRequestNotComplete",
        "ConcurrentModification",
        "ConcurrentModificationException",
        "EntityTemporarilyUnmodifiable",
        "DeleteConflict",
        "ConcurrentTagAccess",
        "RetryableConflictException",
        "QueueDeletedRecently",
        "AWS.SimpleQueueService.QueueDeletedRecently",
    }
)
TRANSIENT = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalErrorException",
        "InternalServerError",
        "InternalServerException",
        "InternalServiceError",
        "ServerInternal",
        "ServiceFailure",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Unavailable",
        "RequestTimeout",
        "RequestTimeoutException",
        "RequestAbortedException",
    }
)
# The answer to a HEAD request has no body for a code, so botocore gives the status as the code.
DENIED = frozenset(
    {
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AllAccessDisabled",
        "AuthorizationError",
        "ForbiddenException",
        "NotAuthorized",
        "NotAuthorizedException",
        "UnauthorizedException",
        "UnauthorizedOperation",
    }
)
SKEWED = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture", "InvalidSecurity.RequestHasExpired"})
EXPIRED = SKEWED | {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "InvalidSignatureException",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
    "AuthFailure",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
}
ACCOUNT = frozenset(
    {
        "AccountDisabled",
        "AccountProblem",
        "Blocked",
        "NotSignedUp",
        "OptInRequired",
        "PendingVerification",
        "RegionDisabledException",
        "SubscriptionRequiredException",
    }
)
_QUOTA = re.compile(r".*(Limits?|Quota|Count)Exceeded(Exception)?|TooManyBuckets")
_ABSENT = re.compile(r"404|NoSuch\w+|.*NotFound(Exception)?")
_VALUE = re.compile(
    r"(Invalid|Illegal|Malformed)(?!\w*(State|Request|Action|Token|Query))\w+(\.Malformed|\.Format)?|Validation(Error|Exception)"
    r"|KeyTooLongError|TagPolicy\w+|\w+TaggingException"
)
# 5xx, and yet a final answer: there is no capacity, or no such function.
_DEFINITE = re.compile(r"Insufficient\w*Capacity|NotImplemented")


def kind_of(code: str, status: int, propagates: frozenset[str] = frozenset()) -> Kind:
    """Classify an error code: retry, look again, ask for permission, or give up.

    `propagates` holds the codes that a new resource causes at this operation until AWS knows it everywhere.
    """
    if code in THROTTLED or status == 429:
        return "throttled"
    if code in BUSY:
        return "busy"
    if code in propagates:
        return "propagating"
    if code in TRANSIENT or (status >= 500 and not _DEFINITE.fullmatch(code)):
        return "transient"
    return _refusal(code)


def _refusal(code: str) -> Kind:
    """Classify an error code that no retry helps against."""
    if code in EXPIRED:
        return "expired"
    if code in DENIED:
        return "denied"
    if code in ACCOUNT:
        return "account"
    if _QUOTA.fullmatch(code):
        return "quota"
    if _ABSENT.fullmatch(code):
        return "absent"
    return "value" if _VALUE.fullmatch(code) else "final"


def code_of(error: Any) -> str:
    """Return AWS's error code of a ClientError: `BucketAlreadyExists`, or `404` for an answer without a body."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    return "InvalidChangeBatch" if not code and _messages(error) else code


def message_of(error: Any) -> str:
    """Return AWS's message for a person. Nothing is decided by it."""
    return str(error.response.get("Error", {}).get("Message", "")) or _messages(error)


def _messages(error: Any) -> str:
    # Route 53 has an older form of this one error, without a code, that botocore does not know: <InvalidChangeBatch><Messages><Message>.
    said = error.response.get("Messages", {}).get("Message", "")
    return said if isinstance(said, str) else " ".join(map(str, said))


def status_of(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def request_id_of(error: Any) -> str | None:
    metadata = error.response.get("ResponseMetadata", {})
    found = metadata.get("RequestId") or metadata.get("HTTPHeaders", {}).get("x-amzn-requestid")
    return str(found) if found else None


def date_of(error: Any) -> str:
    """Return the time of the answer by AWS's clock: `Sun, 22 Nov 2026 14:35:40 GMT`."""
    return str(error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", ""))
