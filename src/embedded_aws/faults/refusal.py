"""The error of each service for too many requests, an internal error and an exceeded quota: its own code and status.

Sources: the `throttling` entries and modelled errors of botocore's service models; for EC2, IAM and S3, which model none,
https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html and
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from dataclasses import dataclass

from embedded_aws import refusals
from embedded_aws.faults.call import Call
from embedded_aws.http_messages import Request, Response


@dataclass(frozen=True)
class Refused:
    """One error as a service sends it."""

    code: str
    status: int = 400
    message: str = ""


_THROTTLED = {
    "ec2": Refused("RequestLimitExceeded", 503, "Request limit exceeded."),
    "s3": Refused("SlowDown", 503, "Please reduce your request rate."),
    "iam": Refused("Throttling", 400, "Rate exceeded"),
    "sts": Refused("Throttling", 400, "Rate exceeded"),
    "route53": Refused("Throttling", 400, "Rate exceeded"),
    "cognito-idp": Refused("TooManyRequestsException", 400, "Too many requests"),
    "bedrock-agentcore": Refused("ThrottlingException", 429, "Too many requests"),
}
_BROKEN = {
    "ec2": Refused("InternalError", 500, "An internal error has occurred"),
    "s3": Refused("InternalError", 500, "We encountered an internal error. Please try again."),
    "iam": Refused("ServiceFailure", 500, "The request processing has failed because of an unknown error, exception or failure."),
    "sts": Refused("InternalFailure", 500, "The request processing has failed because of an unknown error, exception or failure."),
    "route53": Refused("ServiceUnavailable", 503, "The request has failed due to a temporary failure of the server."),
    "cognito-idp": Refused("InternalErrorException", 500, "Something went wrong"),
    "secretsmanager": Refused("InternalServiceError", 500, "An error occurred on the server side."),
    "bedrock-agentcore": Refused("InternalServerException", 500, "An internal error occurred. Retry later."),
    "budgets": Refused("InternalErrorException", 500, "An error on the server occurred during the processing of your request."),
}
_QUOTA = {
    "ec2": Refused("ResourceLimitExceeded", 400, "You have reached the limit of a resource."),
    "s3": Refused("TooManyBuckets", 400, "You have attempted to create more buckets than allowed."),
    "iam": Refused("LimitExceeded", 409, "Cannot exceed quota for this account."),
    "route53": Refused("LimitsExceeded", 400, "This operation can't be completed because the current account has reached the limit."),
    "cognito-idp": Refused("LimitExceededException", 400, "You have exceeded a limit of your account."),
    "secretsmanager": Refused("LimitExceededException", 400, "The request failed because it would exceed one of the quotas."),
    "bedrock-agentcore": Refused("ServiceQuotaExceededException", 402, "You have exceeded the service quota."),
    "budgets": Refused("ServiceQuotaExceededException", 400, "You've reached a Service Quota limit on this resource."),
}
# EC2 has a code of its own for most of its quotas.
_EC2_QUOTAS = {
    "RunInstances": Refused("VcpuLimitExceeded", 400, "You have requested more vCPU capacity than your current vCPU limit allows."),
    "AllocateAddress": Refused("AddressLimitExceeded", 400, "The maximum number of addresses has been reached."),
    "CreateSecurityGroup": Refused("SecurityGroupLimitExceeded", 400, "The maximum number of security groups has been reached."),
    "AuthorizeSecurityGroupIngress": Refused("RulesPerSecurityGroupLimitExceeded", 400, "The maximum number of rules has been reached."),
}


def throttling_error(call: Call) -> Refused:
    """Return the error for too many requests."""
    return _THROTTLED.get(call.service, Refused("ThrottlingException", 400, "Rate exceeded"))


def broken(call: Call) -> Refused:
    """Return the error for an internal failure."""
    return _BROKEN.get(call.service, Refused("InternalServerError", 500, "An error occurred on the server side."))


def over_quota(call: Call) -> Refused:
    """Return the error for an exceeded quota."""
    usual = _QUOTA.get(call.service, Refused("LimitExceededException", 400, "A limit has been exceeded."))
    return _EC2_QUOTAS.get(call.operation, usual) if call.service == "ec2" else usual


def no_capacity(call: Call) -> Refused:
    """Return the error for an instance type that is sold out in an Availability Zone. It is a 500, and yet a final answer."""
    type_ = call.value("InstanceType")
    return Refused("InsufficientInstanceCapacity", 500, f"We currently do not have sufficient {type_} capacity in the Availability Zone.")


def unsupported(call: Call) -> Refused:
    """Return the error for an instance type that an Availability Zone does not offer."""
    type_ = call.value("InstanceType")
    return Refused("Unsupported", 400, f"Your requested instance type ({type_}) is not supported in your requested Availability Zone.")


def answer(request: Request, call: Call, refused: Refused) -> Response:
    """Encode the error in the protocol of the request."""
    return refusals.answer(refusals.protocol_of(request, call.service), refused.status, refused.code, refused.message)
