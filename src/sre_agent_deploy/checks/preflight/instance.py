"""Check the settings of the instance (network, type, key pair and image exist in this region) and the limits that it must fit in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.account import network
from sre_agent_deploy.account.network import Network
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Context, ask
from sre_agent_deploy.resource import DEPLOYMENT_TAG, tags_of
from sre_core.problem import Problem


class NetworkThere:
    """A VPC with a public subnet for the instance exists: the configured one, or one of the region's default."""

    id: ClassVar[str] = "ec2.network"
    proves: ClassVar[str] = "there is a VPC with a public subnet for the instance"
    requirements: ClassVar[tuple[str, ...]] = ("3.3", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> Network | Problem:
        chosen, ec2 = world.config.aws, world.aws.client("ec2")
        vpcs = ask(lambda: network.find_vpcs(ec2, chosen.vpc_id), "ec2:DescribeVpcs")
        if isinstance(vpcs, Problem):
            return vpcs
        if chosen.creates_network:
            zones = ask(lambda: network.find_zones(ec2), "ec2:DescribeAvailabilityZones")
            return zones if isinstance(zones, Problem) else network.summarize_new(world.aws.region, world.config, vpcs, zones)
        subnets = ask(lambda: network.find_subnets(ec2, vpcs), "ec2:DescribeSubnets")
        if isinstance(subnets, Problem):
            return subnets
        tables = ask(lambda: network.find_route_tables(ec2, vpcs), "ec2:DescribeRouteTables")
        if isinstance(tables, Problem):
            return tables
        return network.summarize(world.aws.region, world.config, vpcs, subnets, tables=tables)

    def judge(self, facts: Network) -> Verdict:
        problem = network.find_problem(facts)
        seen = f"{facts.vpc_id or 'no VPC'} with {len(facts.subnets)} subnet{'' if len(facts.subnets) == 1 else 's'}"
        return Verdict(problem is None, problem.what if problem else seen, problem)


@dataclass(frozen=True)
class InstanceTypeFacts:
    """An instance type, and if the region offers it."""

    instance_type: str
    region: str
    offered: bool


class InstanceTypeOffered:
    """EC2 offers the configured instance type in this region."""

    id: ClassVar[str] = "ec2.instance_type"
    proves: ClassVar[str] = "the instance type is offered in the region"
    requirements: ClassVar[tuple[str, ...]] = ("1.1", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> InstanceTypeFacts | Problem:
        wanted = world.config.deployment.instance_type
        only: list[Any] = [{"Name": "instance-type", "Values": [wanted]}]
        answer = ask(
            lambda: world.aws.client("ec2").describe_instance_type_offerings(LocationType="region", Filters=only),
            "ec2:DescribeInstanceTypeOfferings",
        )
        return answer if isinstance(answer, Problem) else InstanceTypeFacts(wanted, world.aws.region, bool(answer["InstanceTypeOfferings"]))

    def judge(self, facts: InstanceTypeFacts) -> Verdict:
        if facts.offered:
            return Verdict(True, f"{facts.instance_type} is offered in {facts.region}")
        return Verdict(False, f"{facts.instance_type} is not offered in {facts.region}", _not_offered(facts))


def _not_offered(facts: InstanceTypeFacts) -> Problem:
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


@dataclass(frozen=True)
class PartFacts:
    """A configured key pair or image, and if the region has it."""

    named: str
    region: str
    there: bool

    def judge(self, kind: str, missing: Callable[[PartFacts], Problem]) -> Verdict:
        """Pass if the part of this kind exists; else explain that it is missing."""
        if self.there:
            return Verdict(True, f"{kind} {self.named} exists")
        return Verdict(False, f"there is no {kind} {self.named}", missing(self))


class KeyPairThere:
    """The configured EC2 key pair exists in this region."""

    id: ClassVar[str] = "ec2.key_pair"
    proves: ClassVar[str] = "the key pair exists"
    requirements: ClassVar[tuple[str, ...]] = ("4.1",)
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> PartFacts | Problem:
        named = world.config.deployment.key_name
        only: list[Any] = [{"Name": "key-name", "Values": [named]}]
        answer = ask(lambda: world.aws.client("ec2").describe_key_pairs(Filters=only)["KeyPairs"], "ec2:DescribeKeyPairs")
        return answer if isinstance(answer, Problem) else PartFacts(named, world.aws.region, bool(answer))

    def judge(self, facts: PartFacts) -> Verdict:
        return facts.judge("key pair", _no_key_pair)


class ImageThere:
    """The configured image exists in this region and may be used."""

    id: ClassVar[str] = "ec2.image"
    proves: ClassVar[str] = "the image exists"
    requirements: ClassVar[tuple[str, ...]] = ("4.1",)
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> PartFacts | Problem:
        named = world.config.deployment.ami_id
        only: list[Any] = [{"Name": "image-id", "Values": [named]}, {"Name": "state", "Values": ["available"]}]
        answer = ask(lambda: world.aws.client("ec2").describe_images(Filters=only)["Images"], "ec2:DescribeImages")
        return answer if isinstance(answer, Problem) else PartFacts(named, world.aws.region, bool(answer))

    def judge(self, facts: PartFacts) -> Verdict:
        return facts.judge("image", _no_image)


def _no_key_pair(facts: PartFacts) -> Problem:
    return Problem(
        code="INSTANCE-KEY-PAIR-NOT-FOUND",
        what=f"There is no key pair {facts.named} in {facts.region}.",
        why="Key pairs belong to a region; this one is in another, was deleted, or its name is misspelled.",
        do=(
            "Correct deployment.key_name: `aws ec2 describe-key-pairs --query 'KeyPairs[].KeyName'`.",
            "Or leave it empty: Session Manager needs none.",
        ),
    )


def _no_image(facts: PartFacts) -> Problem:
    return Problem(
        code="INSTANCE-IMAGE-NOT-FOUND",
        what=f"There is no image {facts.named} in {facts.region} that this account may use.",
        why="Image ids differ from region to region; or it was deregistered, or is not shared with this account.",
        do=("Correct deployment.ami_id, or leave it empty to use the newest official image.",),
    )


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
