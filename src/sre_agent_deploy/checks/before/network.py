"""There is a VPC and a public subnet to start the instance in: the configured ones, or the region's default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.checks.before.account import Account, ask
from sre_agent_deploy.checks.check import Verdict
from sre_core.problem import Problem

_DOCS = "https://docs.aws.amazon.com/vpc/latest/userguide/work-with-default-vpc.html"


@dataclass(frozen=True)
class Network:
    """What is wanted (empty: the default), and what EC2 has of it: the VPC (empty: none) and its subnets."""

    region: str
    vpc_wanted: str
    subnet_wanted: str
    vpc_id: str = ""
    subnets: tuple[str, ...] = ()
    public: bool = False


class NetworkThere:
    """The instance has a subnet to be started in, which is known before anything else is made."""

    id: ClassVar[str] = "ec2.network"
    proves: ClassVar[str] = "there is a VPC with a subnet for the instance"
    requirements: ClassVar[tuple[str, ...]] = ("3.3", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Account) -> Network | Problem:
        chosen, ec2 = world.config.aws, world.aws.ec2
        wanted = Network(world.aws.region, chosen.vpc_id, chosen.subnet_id)
        # A filter that matches nothing is an empty answer; an id that does not exist would be an error.
        of_vpc: list[Any] = [_is("vpc-id", chosen.vpc_id) if chosen.vpc_id else _is("is-default", "true")]
        vpcs = ask(lambda: ec2.describe_vpcs(Filters=of_vpc)["Vpcs"], "ec2:DescribeVpcs")
        if isinstance(vpcs, Problem):
            return vpcs
        if not vpcs:
            return wanted
        vpc_id = vpcs[0]["VpcId"]
        subnets = ask(lambda: ec2.describe_subnets(Filters=[_is("vpc-id", vpc_id)])["Subnets"], "ec2:DescribeSubnets")
        if isinstance(subnets, Problem):
            return subnets
        public = any(subnet.get("MapPublicIpOnLaunch") for subnet in subnets)
        return Network(wanted.region, chosen.vpc_id, chosen.subnet_id, vpc_id, tuple(subnet["SubnetId"] for subnet in subnets), public)

    def judge(self, facts: Network) -> Verdict:
        problem = _missing(facts)
        seen = f"{facts.vpc_id or 'no VPC'} with {len(facts.subnets)} subnet{'' if len(facts.subnets) == 1 else 's'}"
        return Verdict(problem is None, problem.what if problem else seen, problem)


def _is(name: str, value: str) -> Any:
    return {"Name": name, "Values": [value]}


def _missing(facts: Network) -> Problem | None:
    if not facts.vpc_id:
        return _no_vpc(facts)
    if facts.subnet_wanted:
        return None if facts.subnet_wanted in facts.subnets else _no_such_subnet(facts)
    return None if facts.public else _no_public_subnet(facts)


def _no_vpc(facts: Network) -> Problem:
    if facts.vpc_wanted:
        return Problem(
            code="VPC-NOT-FOUND",
            what=f"There is no VPC {facts.vpc_wanted} in {facts.region}.",
            why="It is in another region or account, was deleted, or its id is misspelled.",
            do=("Correct aws.vpc_id (`aws ec2 describe-vpcs`), or leave vpc_id and subnet_id empty to use the default VPC.",),
        )
    return Problem(
        code="EC2-NO-NETWORK",
        what=f"{facts.region} has no default VPC to put the instance into.",
        why="Somebody deleted it, or the account was set up without.",
        do=("Set aws.vpc_id and aws.subnet_id to a public one of yours.", "Or create a default VPC: `aws ec2 create-default-vpc`."),
        aws_docs=_DOCS,
    )


def _no_such_subnet(facts: Network) -> Problem:
    return Problem(
        code="SUBNET-NOT-FOUND",
        what=f"{facts.vpc_id} has no subnet {facts.subnet_wanted}.",
        why="It is a subnet of another VPC, region or account, was deleted, or its id is misspelled.",
        do=(f"Correct aws.subnet_id: `aws ec2 describe-subnets --filters Name=vpc-id,Values={facts.vpc_id}`.",),
    )


def _no_public_subnet(facts: Network) -> Problem:
    return Problem(
        code="EC2-NO-NETWORK",
        what=f"{facts.vpc_id} has no subnet that gives public addresses.",
        why="The instance is reached from outside, and fetches what it runs over the internet.",
        do=("Set aws.vpc_id and aws.subnet_id to a public subnet of yours.", "Or create a default VPC: `aws ec2 create-default-vpc`."),
        aws_docs=_DOCS,
    )
