"""Check the security group that the configuration names: it lets in what the deployment serves, and nothing else from the world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.account import network
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
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
        faults = tuple(_list_faults(facts))
        if faults:
            return Verdict(False, f"{facts.group_id}: {faults[0]}", _unusable(facts, faults))
        return Verdict(True, f"{facts.group_id} lets in 443")


def _list_faults(facts: GroupFacts) -> Iterator[str]:
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


def _unusable(facts: GroupFacts, faults: tuple[str, ...]) -> Problem:
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
