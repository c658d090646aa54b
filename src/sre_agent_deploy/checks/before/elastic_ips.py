"""One more Elastic IP fits into the region's quota, or the deployment has its own already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks.before.account import Account, ask
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.resource import DEPLOYMENT_TAG
from sre_agent_deploy.resources import tag_list
from sre_core.problem import Problem

USUAL_QUOTA = 5


@dataclass(frozen=True)
class Addresses:
    """How many Elastic IPs a region holds, how many it may, and whether one of them is this deployment's."""

    region: str
    held: int
    quota: int
    ours: bool


class ElasticIpAvailable:
    """AllocateAddress would not be refused for the quota."""

    id: ClassVar[str] = "ec2.elastic_ips"
    proves: ClassVar[str] = "the quota leaves room for one Elastic IP"
    requirements: ClassVar[tuple[str, ...]] = ("4.2", "5.1")
    required: ClassVar[bool] = True

    def probe(self, world: Account) -> Addresses | Problem:
        answer = ask(world.aws.ec2.describe_addresses, "ec2:DescribeAddresses")
        if isinstance(answer, Problem):
            return answer
        owners = [tag_list.as_dict(address.get("Tags")).get(DEPLOYMENT_TAG) for address in answer["Addresses"]]
        return Addresses(world.aws.region, len(owners), _quota(world.aws), world.deployment in owners)

    def judge(self, facts: Addresses) -> Verdict:
        if facts.ours:
            return Verdict(True, "this deployment has its Elastic IP")
        seen = f"{facts.held} of {facts.quota} Elastic IPs are allocated"
        return Verdict(True, seen) if facts.held < facts.quota else Verdict(False, seen, _full(facts))


def _quota(aws: Aws) -> int:
    """The account's own quota where EC2 tells it, else what every account starts with."""
    answer = ask(aws.ec2.describe_account_attributes, "ec2:DescribeAccountAttributes")
    attributes = [] if isinstance(answer, Problem) else answer["AccountAttributes"]
    told = [value for each in attributes if each["AttributeName"] == "vpc-max-elastic-ips" for value in each["AttributeValues"]]
    return next((int(value["AttributeValue"]) for value in told), USUAL_QUOTA)


def _full(facts: Addresses) -> Problem:
    return Problem(
        code="ELASTIC-IP-NONE-LEFT",
        what=f"{facts.region} has {facts.held} Elastic IPs, and its quota is {facts.quota}: there is none left for this deployment.",
        why="Every allocated address counts, whether or not it is associated with anything.",
        do=(
            "Release one that nobody needs: `aws ec2 describe-addresses --query 'Addresses[?AssociationId==null]'` shows those in no use.",
            "Or ask for more under Service Quotas > Amazon EC2 > EC2-VPC Elastic IPs.",
        ),
        aws_docs="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html",
    )
