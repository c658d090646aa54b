"""Check the limits: the region's quota of Elastic IPs, and `limits.instances` of the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
from sre_agent_deploy.resource import DEPLOYMENT_TAG, tags_of
from sre_core.problem import Problem

USUAL_QUOTA = 5


@dataclass(frozen=True)
class ElasticIpFacts:
    """The number of Elastic IPs in a region, its quota, and if one of them is this deployment's."""

    region: str
    allocated: int
    quota: int
    ours: bool


class ElasticIpAvailable:
    """The quota leaves room for one more Elastic IP, or the deployment has its own already."""

    id: ClassVar[str] = "ec2.elastic_ips"
    proves: ClassVar[str] = "the quota leaves room for one Elastic IP"
    requirements: ClassVar[tuple[str, ...]] = ("4.2", "5.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> ElasticIpFacts | Problem:
        answer = ask(world.aws.client("ec2").describe_addresses, "ec2:DescribeAddresses")
        if isinstance(answer, Problem):
            return answer
        owners = [tags_of(address.get("Tags")).get(DEPLOYMENT_TAG) for address in answer["Addresses"]]
        return ElasticIpFacts(world.aws.region, len(owners), _quota(world.aws), world.deployment in owners)

    def judge(self, facts: ElasticIpFacts) -> Verdict:
        if facts.ours:
            return Verdict(True, "this deployment has its Elastic IP")
        seen = f"{facts.allocated} of {facts.quota} Elastic IPs are allocated"
        return Verdict(True, seen) if facts.allocated < facts.quota else Verdict(False, seen, _full(facts))


def _quota(aws: Aws) -> int:
    """Ask EC2 for the account's quota; without an answer assume the default."""
    answer = ask(aws.client("ec2").describe_account_attributes, "ec2:DescribeAccountAttributes")
    attributes = [] if isinstance(answer, Problem) else answer["AccountAttributes"]
    values = [value for each in attributes if each["AttributeName"] == "vpc-max-elastic-ips" for value in each["AttributeValues"]]
    return next((int(value["AttributeValue"]) for value in values), USUAL_QUOTA)


def _full(facts: ElasticIpFacts) -> Problem:
    return Problem(
        code="ELASTIC-IP-QUOTA",
        what=f"{facts.region} has {facts.allocated} Elastic IPs, and its quota is {facts.quota}: there is none left for this deployment.",
        why="Every allocated address counts, whether or not it is associated with anything.",
        do=(
            "Release one that is not needed: `aws ec2 describe-addresses --query 'Addresses[?AssociationId==null]'` lists the unused ones.",
            "Or ask for more under Service Quotas > Amazon EC2 > EC2-VPC Elastic IPs.",
        ),
        aws_docs="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html",
    )


# An instance that is shutting down costs nothing and can't be started again.
_COUNTED = ("pending", "running", "stopping", "stopped")
_ACTION = "ec2:DescribeInstances"


@dataclass(frozen=True)
class InstanceCountFacts:
    """The other deployments with an instance in a region, and how many are allowed together with this one."""

    region: str
    deployment: str
    others: tuple[str, ...]
    limit: int

    @property
    def count(self) -> int:
        return len(self.others) + 1


class InstancesWithinLimit:
    """This deployment's instance stays within `limits.instances`."""

    id: ClassVar[str] = "limits.instances"
    proves: ClassVar[str] = "there are no more instances than limits.instances allows"
    requirements: ClassVar[tuple[str, ...]] = ("4.1",)
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> InstanceCountFacts | Problem:
        filters: list[Any] = [{"Name": "tag-key", "Values": [DEPLOYMENT_TAG]}, {"Name": "instance-state-name", "Values": list(_COUNTED)}]
        pages = world.aws.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        answer = ask(lambda: [instance for page in pages for entry in page["Reservations"] for instance in entry["Instances"]], _ACTION)
        if isinstance(answer, Problem):
            return answer
        others = _deployments(answer) - {world.deployment}
        return InstanceCountFacts(world.aws.region, world.deployment, tuple(sorted(others)), world.config.limits.instances)

    def judge(self, facts: InstanceCountFacts) -> Verdict:
        seen = f"with this deployment's there are {facts.count} instances of deployments in {facts.region}, and {facts.limit} may be"
        return Verdict(True, seen) if facts.count <= facts.limit else Verdict(False, seen, _too_many(facts))


def _deployments(instances: Iterable[Any]) -> set[str]:
    """List the owners. The two instances that a deployment has during an update count as one."""
    return {tags_of(instance.get("Tags")).get(DEPLOYMENT_TAG, "") for instance in instances}


def _too_many(facts: InstanceCountFacts) -> Problem:
    return Problem(
        code="LIMIT-INSTANCES",
        what=f"limits.instances allows {facts.limit} in {facts.region}; with {facts.deployment} there would be {facts.count}.",
        why=f"These deployments have an instance there: {', '.join(facts.others)}.",
        do=(
            f"Clean up one that is not needed: `sre-agent-deploy cleanup --deployment-id {facts.others[0]}`; "
            "`sre-agent-deploy cleanup --older-than 1d --dry-run` lists old ones.",
            "Or raise limits.instances in the configuration.",
        ),
    )
