"""AWS's error codes by what they mean for us (pure)."""

from __future__ import annotations

from typing import Any, Literal

type Kind = Literal["throttled", "transient", "propagating", "denied", "expired", "final"]

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
    }
)
TRANSIENT = frozenset(
    {"InternalError", "InternalFailure", "InternalServerException", "InternalServiceError", "ServiceUnavailable", "Unavailable"}
)
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException", "NotAuthorizedException"})
EXPIRED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "AuthFailure",
        "MissingAuthenticationToken",
    }
)


def kind_of(code: str, status: int, propagates: frozenset[str] = frozenset()) -> Kind:
    """What to do about an error code: wait and repeat, look again, ask for rights, or give up.

    `propagates` holds the codes that a fresh IAM role causes at this operation, until AWS has spread it.
    """
    if code in THROTTLED or status == 429:
        return "throttled"
    if code in propagates:
        return "propagating"
    if code in TRANSIENT or status >= 500:
        return "transient"
    if code in EXPIRED:
        return "expired"
    return "denied" if code in DENIED else "final"


def code_of(error: Any) -> str:
    """AWS's error code of a ClientError: `BucketAlreadyExists`, or `404` for an answer without a body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def request_id_of(error: Any) -> str | None:
    metadata = error.response.get("ResponseMetadata", {})
    found = metadata.get("RequestId") or metadata.get("HTTPHeaders", {}).get("x-amzn-requestid")
    return str(found) if found else None
