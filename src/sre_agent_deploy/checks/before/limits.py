"""No more EC2 instances than `limits.instances` allows: of all deployments in this account and region together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.checks.before.account import Account, ask
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.resource import DEPLOYMENT_TAG
from sre_agent_deploy.resources import tag_list
from sre_core.problem import Problem

# An instance that is shutting down costs nothing any more and comes back no more.
_COUNTED = ("pending", "running", "stopping", "stopped")
_ACTION = "ec2:DescribeInstances"


@dataclass(frozen=True)
class Instances:
    """The deployments that have an instance in a region, this one included, and how many there may be."""

    region: str
    deployment: str
    others: tuple[str, ...]
    limit: int

    @property
    def count(self) -> int:
        return len(self.others) + 1


class InstancesWithinLimit:
    """This deployment's instance is not one more than there may be."""

    id: ClassVar[str] = "limits.instances"
    proves: ClassVar[str] = "there are no more instances than limits.instances allows"
    requirements: ClassVar[tuple[str, ...]] = ("4.1",)
    required: ClassVar[bool] = True

    def probe(self, world: Account) -> Instances | Problem:
        filters: list[Any] = [{"Name": "tag-key", "Values": [DEPLOYMENT_TAG]}, {"Name": "instance-state-name", "Values": list(_COUNTED)}]
        pages = world.aws.ec2.get_paginator("describe_instances").paginate(Filters=filters)
        answer = ask(lambda: [instance for page in pages for entry in page["Reservations"] for instance in entry["Instances"]], _ACTION)
        if isinstance(answer, Problem):
            return answer
        others = _deployments(answer) - {world.deployment}
        return Instances(world.aws.region, world.deployment, tuple(sorted(others)), world.config.limits.instances)

    def judge(self, facts: Instances) -> Verdict:
        seen = f"with this deployment's there are {facts.count} instances of deployments in {facts.region}, and {facts.limit} may be"
        return Verdict(True, seen) if facts.count <= facts.limit else Verdict(False, seen, _too_many(facts))


def _deployments(instances: Iterable[Any]) -> set[str]:
    """Whose they are. A deployment has one; the two that an update has for a while are one that is being replaced."""
    return {tag_list.as_dict(instance.get("Tags")).get(DEPLOYMENT_TAG, "") for instance in instances}


def _too_many(facts: Instances) -> Problem:
    return Problem(
        code="LIMIT-INSTANCES",
        what=f"limits.instances allows {facts.limit} in {facts.region}; with {facts.deployment} there would be {facts.count}.",
        why=f"These deployments have an instance there: {', '.join(facts.others)}.",
        do=(
            f"Delete one that nobody needs: `sre-agent-deploy cleanup --deployment-id {facts.others[0]}`; "
            "`sre-agent-deploy cleanup --older-than 1d --dry-run` says which are old.",
            "Or have limits.instances raised by whoever keeps it.",
        ),
    )
