"""The logs of runtimes: what a package prints goes into the log group of the endpoint that was asked, by the runtime's role.

All sessions of a version share a process here, so a line belongs to the endpoint that is answered when it is read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from embedded_aws import iam_state, policy
from embedded_aws.agentcore.runtime_records import Runtime, RuntimeVersion
from embedded_aws.world import World

_WRITES = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")


@dataclass
class RuntimeLog:
    """The output of the process of one version, and how much of it is delivered."""

    world: World
    file: Path
    stream: str = field(default_factory=lambda: f"[runtime-logs] {uuid4()}")
    delivered: int = 0

    def __post_init__(self) -> None:
        # A process that ran before has printed into the same file.
        self.delivered = self.file.stat().st_size if self.file.exists() else 0

    def deliver(self, runtime: Runtime, version: RuntimeVersion, endpoint: str) -> None:
        """Write the new lines into the log group of an endpoint. A role that may not write there loses them, as on AWS."""
        group = f"/aws/bedrock-agentcore/runtimes/{runtime.runtime_id}-{endpoint}"
        try:
            printed = self.file.read_bytes()[self.delivered :]
        except OSError:
            return
        whole = printed[: printed.rfind(b"\n") + 1]
        self.delivered += len(whole)
        if whole and self._may_write(version.declared["roleArn"], group):
            self.world.write_logs(group, self.stream, whole.decode(errors="replace").splitlines())

    def _may_write(self, role_arn: str, group: str) -> bool:
        arn = f"arn:aws:logs:{self.world.region}:{self.world.account_id}:log-group:{group}"
        resources = (arn, *(f"{arn}:log-stream:{self.stream}" for _ in _WRITES[1:]))
        boundary = iam_state.role_boundary(self.world.account_id, role_arn)
        groups = (iam_state.role_policies(self.world.account_id, role_arn), *(() if boundary is None else (boundary,)))
        return all(policy.allows(each, *asked, {}) for each in groups for asked in zip(_WRITES, resources, strict=True))
