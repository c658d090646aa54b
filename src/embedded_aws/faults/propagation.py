"""Fresh roles and instance profiles, which other services do not know yet.

https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from embedded_aws.faults.call import Call
from embedded_aws.faults.refusal import Refused

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

    def saw(self, call: Call, moment: datetime) -> None:
        """A call has succeeded."""
        if call.service == "iam" and call.operation in _CHANGES:
            self._changed[call.value(_CHANGES[call.operation])] = moment

    def refusal_of(self, call: Call, moment: datetime, takes: timedelta) -> Refused | None:
        """What a service answers while it does not know what the call names."""
        named = call.value(*_USES.get((call.service, call.operation), ()))
        changed = self._changed.get(named.rpartition("/")[2])
        if changed is None or moment - changed >= takes:
            return None
        if call.service == "ec2":
            message = f"Value ({named}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN"
            return Refused("InvalidParameterValue", 400, message)
        return Refused("ValidationException", 400, f"AgentCore can't assume role {named}. Verify that it exists and its trust policy.")
