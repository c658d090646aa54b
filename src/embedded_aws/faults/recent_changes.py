"""Refuse calls that come too soon after a change: fresh roles are not known yet, and deleted things still hold names.

IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
Network interfaces: https://docs.aws.amazon.com/vpc/latest/userguide/delete-security-group.html (DependencyViolation while in use)
Cognito domains: https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_DomainDescriptionType.html (DELETING);
the prefix is free for another pool some time after: https://github.com/hashicorp/terraform-provider-aws/issues/28124
Secrets: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html (the deletion is asynchronous)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from embedded_aws.faults.call import Call
from embedded_aws.faults.refusal import Refused
from embedded_aws.http_messages import Response

_CHANGES: Mapping[str, str] = {
    "CreateRole": "RoleName",
    "PutRolePolicy": "RoleName",
    "AttachRolePolicy": "RoleName",
    "UpdateAssumeRolePolicy": "RoleName",
    "CreateInstanceProfile": "InstanceProfileName",
    "AddRoleToInstanceProfile": "InstanceProfileName",
}
# (service, operation) -> where the call names a role or profile
_USES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("ec2", "RunInstances"): ("IamInstanceProfile.Arn", "IamInstanceProfile.Name"),
    ("bedrock-agentcore", "CreateGateway"): ("roleArn",),
    ("bedrock-agentcore", "UpdateGateway"): ("roleArn",),
}


class Propagation:
    """Remembers when IAM last changed a role or profile."""

    def __init__(self) -> None:
        self._changed: dict[str, datetime] = {}

    def record(self, call: Call, moment: datetime) -> None:
        """Record a call that has succeeded."""
        if call.service == "iam" and call.operation in _CHANGES:
            self._changed[call.value(_CHANGES[call.operation])] = moment

    def refusal_of(self, call: Call, moment: datetime, takes: timedelta) -> Refused | None:
        """Return the error of a service that does not know a role or profile yet."""
        named = call.value(*_USES.get((call.service, call.operation), ()))
        changed = self._changed.get(named.rpartition("/")[2])
        if changed is None or moment - changed >= takes:
            return None
        if call.service == "ec2":
            message = f"Value ({named}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN"
            return Refused("InvalidParameterValue", 400, message)
        return Refused("ValidationException", 400, f"AgentCore can't assume role {named}. Verify that it exists and its trust policy.")


@dataclass(frozen=True)
class _Kind:
    """A deletion and the later call that is refused for a while. `of` is the value that both calls name; empty concerns all."""

    service: str
    deletion: str
    then: str
    of: tuple[str, ...]
    refused: Refused


_KINDS = (
    _Kind("ec2", "TerminateInstances", "DeleteSecurityGroup", (), Refused("DependencyViolation", 400, "It has a dependent object")),
    _Kind(
        "cognito-idp",
        "DeleteUserPoolDomain",
        "CreateUserPoolDomain",
        ("Domain",),
        Refused("InvalidParameterException", 400, "Domain already associated with another user pool."),
    ),
    _Kind(
        "secretsmanager",
        "DeleteSecret",
        "CreateSecret",
        ("SecretId", "Name"),
        Refused("InvalidRequestException", 400, "A secret with this name is already scheduled for deletion."),
    ),
)


class Linger:
    """Remembers when resources were deleted."""

    def __init__(self) -> None:
        self._deleted: dict[tuple[str, str], datetime] = {}
        self._pools: dict[str, str] = {}

    def record(self, call: Call, moment: datetime) -> None:
        """Record a call that has succeeded."""
        for kind in _KINDS:
            if (call.service, call.operation) == (kind.service, kind.deletion):
                self._deleted[kind.then, call.value(*kind.of)] = moment
        if call.operation == "DeleteUserPoolDomain":
            self._pools[call.value("Domain")] = call.value("UserPoolId")

    def show_lingering(self, call: Call, answer: Response, moment: datetime, lasts: timedelta) -> Response:
        """Show a deleted domain as DELETING for half of the time; its prefix stays in use for the other half."""
        domain = call.value("Domain")
        pool = self._pools.get(domain)
        deleted = self._deleted.get(("CreateUserPoolDomain", domain))
        if call.operation != "DescribeUserPoolDomain" or not pool or deleted is None or moment - deleted > lasts / 2:
            return answer
        body = {"DomainDescription": {"Domain": domain, "UserPoolId": pool, "Status": "DELETING"}}
        kept = tuple(pair for pair in answer.headers if pair[0].lower() != "content-length")
        return replace(answer, body=json.dumps(body).encode(), headers=kept)

    def refusal_of(self, call: Call, moment: datetime, lasts: timedelta) -> Refused | None:
        """Return the error for a call that needs a name that is not free yet."""
        for kind in _KINDS:
            if (call.service, call.operation) == (kind.service, kind.then):
                deleted = self._deleted.get((kind.then, call.value(*kind.of)))
                return kind.refused if deleted and moment - deleted < lasts else None
        return None
