"""Check the subnets and security groups in which AgentCore Runtime is to have its network: from there it must reach the internet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.account import network
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
from sre_agent_deploy.checks.preflight.security_group import lets_out_https
from sre_core.bedrock import RUNTIME_ZONES
from sre_core.problem import Problem


@dataclass(frozen=True)
class NetworkFacts:
    """What the configuration names, and what EC2 has of it. `routes` says where each subnet's route to everywhere leads."""

    region: str
    wanted: tuple[str, ...]
    subnets: tuple[Any, ...] = ()
    groups: tuple[Any, ...] = ()
    routes: Mapping[str, str] | None = None


class RuntimeNetworkUsable:
    """The named subnets and security groups are of one VPC, in zones of AgentCore, and lead to the internet through a NAT gateway."""

    id: ClassVar[str] = "agentcore.network"
    proves: ClassVar[str] = "AgentCore Runtime can use the named subnets and security groups"
    requirements: ClassVar[tuple[str, ...]] = ("3.3", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> NetworkFacts | Problem:
        chosen, ec2 = world.config.assistant, world.aws.client("ec2")
        # A filter without a match returns nothing; an unknown id would be an error.
        in_subnets: Any = [{"Name": "subnet-id", "Values": list(chosen.subnet_ids)}]
        in_groups: Any = [{"Name": "group-id", "Values": list(chosen.security_group_ids)}]
        subnets = ask(lambda: ec2.describe_subnets(Filters=in_subnets)["Subnets"], "ec2:DescribeSubnets")
        if isinstance(subnets, Problem):
            return subnets
        groups = ask(lambda: ec2.describe_security_groups(Filters=in_groups)["SecurityGroups"], "ec2:DescribeSecurityGroups")
        if isinstance(groups, Problem):
            return groups
        of_vpcs: Any = [{"Name": "vpc-id", "Values": sorted({subnet["VpcId"] for subnet in subnets})}]
        tables = ask(lambda: ec2.describe_route_tables(Filters=of_vpcs)["RouteTables"] if subnets else [], "ec2:DescribeRouteTables")
        if isinstance(tables, Problem):
            return tables
        routes = {subnet["SubnetId"]: network.find_route(subnet["SubnetId"], tables) for subnet in subnets}
        wanted = (*chosen.subnet_ids, *chosen.security_group_ids)
        return NetworkFacts(world.aws.region, wanted, tuple(subnets), tuple(groups), routes)

    def judge(self, facts: NetworkFacts) -> Verdict:
        faults = tuple(_list_faults(facts))
        if faults:
            return Verdict(False, faults[0], _unusable(faults))
        return Verdict(True, f"AgentCore Runtime gets its network in {', '.join(subnet['SubnetId'] for subnet in facts.subnets)}")


def _list_faults(facts: NetworkFacts) -> Iterator[str]:
    there = {subnet["SubnetId"] for subnet in facts.subnets} | {group["GroupId"] for group in facts.groups}
    yield from (f"{id} does not exist in this account and region" for id in facts.wanted if id not in there)
    vpcs = sorted({each["VpcId"] for each in (*facts.subnets, *facts.groups)})
    if len(vpcs) > 1:
        yield f"they are of more than one VPC: {', '.join(vpcs)}"
    zones = RUNTIME_ZONES.get(facts.region)
    for subnet in facts.subnets:
        id, zone, route = subnet["SubnetId"], subnet.get("AvailabilityZoneId", ""), (facts.routes or {}).get(subnet["SubnetId"], "")
        if zones and zone not in zones:
            yield f"{id} is in the zone {zone}, and AgentCore Runtime supports {', '.join(sorted(zones))}"
        if route == "internet":
            yield f"{id} is a public subnet, and AgentCore's network interfaces get no public address: nothing comes back"
        if not route:
            yield f"{id} has no route to the internet, where Cognito issues tokens and the gateway answers"
    yield from (
        f"{group['GroupId']} does not let out port 443" for group in facts.groups if not lets_out_https(group["IpPermissionsEgress"])
    )


def _unusable(faults: tuple[str, ...]) -> Problem:
    return Problem(
        code="RUNTIME-NETWORK-NOT-USABLE",
        what="AgentCore Runtime can't have its network in assistant.subnet_ids.",
        why=f"{'; '.join(faults)}.",
        do=(
            "Name subnets whose route table leads 0.0.0.0/0 to a NAT gateway, and a security group of their VPC that lets out port 443.",
            "See the zone id of a subnet: `aws ec2 describe-subnets --query 'Subnets[].[SubnetId,AvailabilityZoneId,VpcId]'`.",
            "Or leave assistant.subnet_ids and assistant.security_group_ids empty: the runtime then has AgentCore's own network.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/agentcore-vpc.html",
    )
