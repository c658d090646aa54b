"""EC2 offers the configured instance type in this region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.checks.before.account import Account, ask
from sre_agent_deploy.checks.check import Verdict
from sre_core.problem import Problem


@dataclass(frozen=True)
class Offering:
    """Whether a region has an instance type."""

    instance_type: str
    region: str
    offered: bool


class InstanceTypeOffered:
    """RunInstances would not be refused for its instance type."""

    id: ClassVar[str] = "ec2.instance_type"
    proves: ClassVar[str] = "the instance type is offered in the region"
    requirements: ClassVar[tuple[str, ...]] = ("1.1", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Account) -> Offering | Problem:
        wanted = world.config.deployment.instance_type
        only: list[Any] = [{"Name": "instance-type", "Values": [wanted]}]
        answer = ask(
            lambda: world.aws.ec2.describe_instance_type_offerings(LocationType="region", Filters=only),
            "ec2:DescribeInstanceTypeOfferings",
        )
        return answer if isinstance(answer, Problem) else Offering(wanted, world.aws.region, bool(answer["InstanceTypeOfferings"]))

    def judge(self, facts: Offering) -> Verdict:
        if facts.offered:
            return Verdict(True, f"{facts.instance_type} is offered in {facts.region}")
        return Verdict(False, f"{facts.instance_type} is not offered in {facts.region}", _not_offered(facts))


def _not_offered(facts: Offering) -> Problem:
    return Problem(
        code="INSTANCE-TYPE-NOT-OFFERED",
        what=f"EC2 has no instance type {facts.instance_type} in {facts.region}.",
        why="Not every type is offered in every region; or its name is misspelled.",
        do=(
            f"Look at what there is: `aws ec2 describe-instance-type-offerings --region {facts.region} "
            "--query 'InstanceTypeOfferings[].InstanceType'`.",
            "Set deployment.instance_type to one with at least 4 vCPU and 16 GiB, for example t3.xlarge.",
        ),
        aws_docs="https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-regions.html",
    )
