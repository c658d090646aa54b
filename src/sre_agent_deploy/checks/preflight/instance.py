"""Check the instance's settings: network, instance type, key pair and image exist in this region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.account import network
from sre_agent_deploy.account.network import Network
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
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
        if facts.there:
            return Verdict(True, f"key pair {facts.named} exists")
        return Verdict(False, f"there is no key pair {facts.named}", _no_key_pair(facts))


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
        if facts.there:
            return Verdict(True, f"image {facts.named} exists")
        return Verdict(False, f"there is no image {facts.named}", _no_image(facts))


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
