"""Check the networks that the configuration names: the security group of the instance, and where AgentCore Runtime gets its network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.account import network
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Context, ask
from sre_core.bedrock import RUNTIME_ZONES
from sre_core.problem import Problem

PORTS = {443: "HTTPS", 80: "the redirect to HTTPS, and Let's Encrypt's challenge"}
"""What the world may reach."""
_WORLD = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True)
class GroupFacts:
    """The named group, the VPC that it must be in, and what EC2 has: its VPC (empty: no such group) and its rules."""

    group_id: str
    vpc_wanted: str
    vpc_id: str = ""
    ingress: tuple[Any, ...] = ()
    egress: tuple[Any, ...] = ()
    ipv6: bool = False
    """The deployment is reached over IPv6, too."""


class SecurityGroupUsable:
    """The named security group is in the VPC, lets in 443, and opens nothing but 443 and 80 to the world. It is never changed."""

    id: ClassVar[str] = "ec2.security_group"
    proves: ClassVar[str] = "the named security group lets in HTTPS and opens nothing else to the world"
    requirements: ClassVar[tuple[str, ...]] = ("3.3", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> GroupFacts | Problem:
        chosen, ec2 = world.config.aws, world.aws.client("ec2")
        vpcs = ask(lambda: network.find_vpcs(ec2, chosen.vpc_id), "ec2:DescribeVpcs")
        if isinstance(vpcs, Problem):
            return vpcs
        # A filter without a match returns nothing; an unknown id would be an error.
        named: Any = [{"Name": "group-id", "Values": [chosen.security_group_id]}]
        groups = ask(lambda: ec2.describe_security_groups(Filters=named)["SecurityGroups"], "ec2:DescribeSecurityGroups")
        if isinstance(groups, Problem):
            return groups
        facts = GroupFacts(chosen.security_group_id, vpcs[0]["VpcId"] if vpcs else chosen.vpc_id)
        if not groups:
            return facts
        found: Any = groups[0]
        ingress, egress = tuple(found["IpPermissions"]), tuple(found["IpPermissionsEgress"])
        return GroupFacts(facts.group_id, facts.vpc_wanted, found["VpcId"], ingress, egress, chosen.ipv6)

    def judge(self, facts: GroupFacts) -> Verdict:
        if not facts.vpc_id:
            return Verdict(False, f"there is no security group {facts.group_id}", _absent(facts))
        faults = tuple(_list_group_faults(facts))
        if faults:
            return Verdict(False, f"{facts.group_id}: {faults[0]}", _group_unusable(facts, faults))
        return Verdict(True, f"{facts.group_id} lets in 443")


def _list_group_faults(facts: GroupFacts) -> Iterator[str]:
    if facts.vpc_id != facts.vpc_wanted:
        yield f"it is in {facts.vpc_id}, and the machine in {facts.vpc_wanted}"
    if not any(_covers(rule, 443) for rule in facts.ingress if _is_for_world(rule)):
        yield "it does not let in port 443 from everywhere, and AgentCore Gateway calls from addresses that nobody knows before"
    if facts.ipv6 and not any(_covers(rule, 443) for rule in facts.ingress if "::/0" in _list_ranges(rule)):
        yield "it does not let in port 443 from ::/0, and aws.ipv6 is true"
    for rule in facts.ingress:
        if _is_for_world(rule) and not _is_served(rule):
            yield f"it opens {_describe(rule)} to the world"
    if not lets_out_https(facts.egress):
        yield "it does not let out port 443 to everywhere, where the machine reads its release and its packages"


def lets_out_https(egress: Sequence[Any]) -> bool:
    """Say if outgoing rules let out port 443 to everywhere."""
    return any(_covers(rule, 443) for rule in egress if _is_for_world(rule))


def _is_for_world(rule: Any) -> bool:
    return any(each in _WORLD for each in _list_ranges(rule))


def _list_ranges(rule: Any) -> list[str]:
    return [each.get("CidrIp") or each.get("CidrIpv6") for each in (*rule.get("IpRanges", ()), *rule.get("Ipv6Ranges", ()))]


def _covers(rule: Any, port: int) -> bool:
    return bool(rule["IpProtocol"] == "-1" or (rule["IpProtocol"] == "tcp" and rule["FromPort"] <= port <= rule["ToPort"]))


def _is_served(rule: Any) -> bool:
    """Say if a rule opens only what the world may reach. Answers to `ping` do no harm."""
    if rule["IpProtocol"] in ("icmp", "icmpv6"):
        return True
    return bool(rule["IpProtocol"] == "tcp" and rule["FromPort"] == rule["ToPort"] and rule["FromPort"] in PORTS)


def _describe(rule: Any) -> str:
    if rule["IpProtocol"] == "-1":
        return "all ports"
    first, last = rule.get("FromPort"), rule.get("ToPort")
    return f"{rule['IpProtocol']} {first}" if first == last else f"{rule['IpProtocol']} {first}-{last}"


def _absent(facts: GroupFacts) -> Problem:
    return Problem(
        code="SECURITY-GROUP-NOT-FOUND",
        what=f"There is no security group {facts.group_id} in this account and region.",
        why="It is in another region or account, was deleted, or its id is misspelled.",
        do=("Correct aws.security_group_id (EC2 > Security Groups), or leave it empty: the deployment then creates one.",),
    )


def _group_unusable(facts: GroupFacts, faults: tuple[str, ...]) -> Problem:
    return Problem(
        code="SECURITY-GROUP-NOT-USABLE",
        what=f"Security group {facts.group_id} can't be used.",
        why=f"{'; '.join(faults)}. A group that the configuration names is never changed.".replace("it ", "It ", 1),
        do=(
            "Correct its rules (EC2 > Security Groups): in, 443 and 80 from 0.0.0.0/0, and 8011-8014 at most from the VPC; out, 443.",
            "Or leave aws.security_group_id empty: the deployment then creates a group with exactly the rules that it needs.",
        ),
        aws_docs="https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html",
    )


@dataclass(frozen=True)
class NetworkFacts:
    """The network that the configuration names, and what EC2 has of it. `routes` says where each subnet's default route leads."""

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
        faults = tuple(_list_network_faults(facts))
        if faults:
            return Verdict(False, faults[0], _network_unusable(faults))
        return Verdict(True, f"AgentCore Runtime gets its network in {', '.join(subnet['SubnetId'] for subnet in facts.subnets)}")


def _list_network_faults(facts: NetworkFacts) -> Iterator[str]:
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


def _network_unusable(faults: tuple[str, ...]) -> Problem:
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
