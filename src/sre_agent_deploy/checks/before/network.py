"""There is a VPC and a public subnet to start the instance in: the configured ones, or the region's default."""

from __future__ import annotations

from typing import ClassVar

from sre_agent_deploy.account import network
from sre_agent_deploy.account.network import Network
from sre_agent_deploy.checks.before.account import Account, ask
from sre_agent_deploy.checks.check import Verdict
from sre_core.problem import Problem


class NetworkThere:
    """The instance has a subnet to be started in, which is known before anything else is made."""

    id: ClassVar[str] = "ec2.network"
    proves: ClassVar[str] = "there is a VPC with a subnet for the instance"
    requirements: ClassVar[tuple[str, ...]] = ("3.3", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Account) -> Network | Problem:
        chosen, ec2 = world.config.aws, world.aws.ec2
        vpcs = ask(lambda: network.vpc(ec2, chosen.vpc_id), "ec2:DescribeVpcs")
        if isinstance(vpcs, Problem):
            return vpcs
        subnets = ask(lambda: network.subnets(ec2, vpcs), "ec2:DescribeSubnets")
        if isinstance(subnets, Problem):
            return subnets
        return network.seen(world.aws.region, chosen.vpc_id, chosen.subnet_id, vpcs, subnets)

    def judge(self, facts: Network) -> Verdict:
        problem = network.missing(facts)
        seen = f"{facts.vpc_id or 'no VPC'} with {len(facts.subnets)} subnet{'' if len(facts.subnets) == 1 else 's'}"
        return Verdict(problem is None, problem.what if problem else seen, problem)
