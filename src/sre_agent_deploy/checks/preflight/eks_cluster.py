"""Check that a cluster of Amazon EKS can get the access entry that the configuration asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
from sre_agent_deploy.resources.eks_access_entry import explain_absence, explain_mode
from sre_core.problem import Problem


@dataclass(frozen=True)
class ClusterFacts:
    """The authentication mode of a cluster; empty where there is no such cluster."""

    region: str
    mode: str


@dataclass(frozen=True)
class ClusterEnterable:
    """The authentication mode of a cluster knows access entries."""

    cluster: str
    required: ClassVar[bool] = True
    requirements: ClassVar[tuple[str, ...]] = ("3.2",)

    @property
    def id(self) -> str:
        return f"eks.{self.cluster}"

    @property
    def proves(self) -> str:
        return f"the cluster {self.cluster} knows access entries"

    def probe(self, world: Context) -> ClusterFacts | Problem:
        eks = world.aws.client("eks")
        found: Any = ask(
            lambda: or_none(lambda: eks.describe_cluster(name=self.cluster)["cluster"], ("ResourceNotFoundException",)),
            "eks:DescribeCluster",
        )
        if isinstance(found, Problem):
            return found
        # A cluster that says nothing of it is older than access entries.
        mode = found.get("accessConfig", {}).get("authenticationMode", "CONFIG_MAP") if found else ""
        return ClusterFacts(world.aws.region, mode)

    def judge(self, facts: ClusterFacts) -> Verdict:
        if not facts.mode:
            return Verdict(False, f"there is no cluster {self.cluster}", explain_absence(self.cluster, facts.region))
        if facts.mode == "CONFIG_MAP":
            return Verdict(False, f"the cluster {self.cluster} knows no access entries", explain_mode(self.cluster, facts.mode))
        return Verdict(True, f"the cluster {self.cluster} knows access entries, in mode {facts.mode}")
