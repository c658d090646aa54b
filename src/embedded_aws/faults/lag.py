"""What was just made and is not shown yet, for the kinds where AWS documents that its reads lag.

EC2: https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
IAM: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
Secrets Manager: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
Cognito's listings are hidden too: a second pool of the same name succeeds, so here a reader must be most careful.
S3 and AgentCore's Get calls show what was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from embedded_aws.faults import hiding
from embedded_aws.faults.call import Call
from embedded_aws.faults.refusal import Refused
from embedded_aws.response import Response


@dataclass(frozen=True)
class _Kind:
    """How things of one kind are born, and how they are read. `born` finds the id in the birth's answer."""

    service: str
    birth: str
    born: str
    reads: str
    names: str = ""  # parameters with which a read asks for one thing
    absent: str = ""  # the error code for a thing that is not there


_KINDS = (
    _Kind("ec2", "RunInstances", "<instanceId>(i-[0-9a-f]+)<", "DescribeInstance*", "InstanceId.*", "InvalidInstanceID.NotFound"),
    _Kind("ec2", "AllocateAddress", "<allocationId>([^<]+)<", "DescribeAddresses", "AllocationId.*", "InvalidAllocationID.NotFound"),
    _Kind("ec2", "CreateSecurityGroup", "<groupId>([^<]+)<", "DescribeSecurityGroups", "GroupId.*", "InvalidGroup.NotFound"),
    _Kind("iam", "CreateRole", "<RoleName>([^<]+)<", "[GL]*Role*", "RoleName", "NoSuchEntity"),
    _Kind("iam", "CreateInstanceProfile", "<InstanceProfileName>([^<]+)<", "[GL]*InstanceProfile*", "InstanceProfileName", "NoSuchEntity"),
    _Kind("secretsmanager", "CreateSecret", '"Name": ?"([^"]+)"', "ListSecrets"),
    _Kind("cognito-idp", "CreateUserPool", '"Id": ?"([^"]+_[^"]+)"', "ListUserPools"),
)


@dataclass(frozen=True)
class _Birth:
    kind: _Kind
    id: str
    moment: datetime


class Lag:
    """Remembers what was made, and keeps it out of answers for a while."""

    def __init__(self) -> None:
        self._births: list[_Birth] = []

    def saw(self, call: Call, answer: Response, moment: datetime) -> None:
        """A call has succeeded."""
        for kind in _KINDS:
            if (call.service, call.operation) == (kind.service, kind.birth):
                born = re.search(kind.born, answer.body.decode(errors="replace"))
                self._births += [_Birth(kind, born[1], moment)] if born else []

    def refusal_of(self, call: Call, moment: datetime, lasts: timedelta) -> Refused | None:
        """What a read that asks for a hidden thing by its id is told."""
        for birth in self._hidden(call, moment, lasts):
            asked = [value for name, value in call.values if birth.kind.names and fnmatchcase(name, birth.kind.names)]
            if birth.id in asked:
                return Refused(birth.kind.absent, 404 if call.service == "iam" else 400, f"{birth.id} does not exist")
        return None

    def hide_recent(self, call: Call, answer: Response, moment: datetime, lasts: timedelta) -> Response:
        """The answer without what is hidden."""
        ids = frozenset(birth.id for birth in self._hidden(call, moment, lasts))
        return hiding.without(answer, ids) if ids else answer

    def _hidden(self, call: Call, moment: datetime, lasts: timedelta) -> list[_Birth]:
        return [
            birth
            for birth in self._births
            if birth.kind.service == call.service and fnmatchcase(call.operation, birth.kind.reads) and moment - birth.moment < lasts
        ]
