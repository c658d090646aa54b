"""AWS::EC2::SecurityGroup"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, Ref, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, Waiting, cfn, tags_of
from sre_agent_deploy.resources.ec2_calls import change_tags, find_group_users, of_deployment, tag_specification
from sre_agent_deploy.resources.ec2_vpc import Vpc
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


@dataclass(frozen=True)
class Ingress:
    """One TCP port that one address range, or what has one security group, may reach."""

    port: int
    cidr: LaterText
    """The address range, or the security group's id."""
    description: str

    @property
    def opens(self) -> tuple[int, str]:
        """The port and address range; EC2 takes two rules with the same ones as the same rule."""
        return self.port, str(self.cidr)

    def permission(self) -> Any:
        """Build the rule for EC2's `IpPermissions`."""
        source = require_known(self.cidr)
        sources, key = ("Ipv6Ranges", "CidrIpv6") if ":" in source else ("IpRanges", "CidrIp")
        sources, key = ("UserIdGroupPairs", "GroupId") if self._is_group() else (sources, key)
        return {
            "IpProtocol": "tcp",
            "FromPort": self.port,
            "ToPort": self.port,
            sources: [{key: source, "Description": self.description}],
        }

    def template(self) -> dict[str, Any]:
        """Build the rule for CloudFormation."""
        key = "SourceSecurityGroupId" if self._is_group() else "CidrIpv6" if ":" in str(self.cidr) else "CidrIp"
        return {"IpProtocol": "tcp", "FromPort": self.port, "ToPort": self.port, key: self.cidr, "Description": self.description}

    def _is_group(self) -> bool:
        return self.cidr.output == "security_group_id" if isinstance(self.cidr, Ref) else str(self.cidr).startswith("sg-")


@dataclass(frozen=True)
class Egress:
    """One address range that may be reached; `protocol` -1 is every protocol and port."""

    cidr: str
    protocol: str = "-1"
    ports: tuple[int, int] = (-1, -1)

    def permission(self) -> Any:
        """Build the rule for EC2's `IpPermissions`."""
        ranges, key = ("Ipv6Ranges", "CidrIpv6") if ":" in self.cidr else ("IpRanges", "CidrIp")
        return self._traffic() | {ranges: [{key: self.cidr}]}

    def template(self) -> dict[str, Any]:
        """Build the rule for CloudFormation."""
        key = "CidrIpv6" if ":" in self.cidr else "CidrIp"
        return self._traffic() | {key: self.cidr, "Description": "the internet: AWS, package sources and your systems"}

    def _traffic(self) -> dict[str, Any]:
        # Every protocol is also every port.
        ports = {} if self.protocol == "-1" else {"FromPort": self.ports[0], "ToPort": self.ports[1]}
        return {"IpProtocol": self.protocol, **ports}

    def __str__(self) -> str:
        what = "All traffic" if self.protocol == "-1" else f"{self.protocol} {self.ports[0]}-{self.ports[1]}"
        return f"{what} to {self.cidr}"


ANYWHERE = Egress("0.0.0.0/0")
# What EC2 itself adds to a new group where the VPC has IPv6 addresses; it is neither missed nor removed.
_ANYWHERE_IPV6 = Egress("::/0")


@dataclass(frozen=True, kw_only=True)
class SecurityGroup(Defaults):
    """Lets address ranges reach the ports named here, and no others."""

    KIND: ClassVar[str] = "AWS::EC2::SecurityGroup"
    UNIQUE: ClassVar[bool] = True
    # Only in another VPC, where its name is free: the machine uses it until its replacement serves.
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({Vpc.KIND})
    ID_FROM_AWS: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"group_name", "description", "vpc_id"})
    # EC2 may not know a fresh group yet, nor show the rules that were just changed: reading and saying them again then helps.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"InvalidGroup.NotFound", "InvalidPermission.Duplicate", "InvalidPermission.NotFound"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"group_name", "description", "vpc_id"})
    MOST_TAGS: ClassVar[int] = 50
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        {("DeleteSecurityGroup", "DependencyViolation"), ("DeleteSecurityGroup", "InvalidGroup.InUse")}
    )

    name: str
    group_name: str
    description: str
    vpc_id: LaterText
    ingress: tuple[Ingress, ...]
    egress: tuple[Egress, ...] = (ANYWHERE,)

    def __post_init__(self) -> None:
        # AWS lists rules in no particular order.
        object.__setattr__(self, "egress", tuple(sorted(self.egress, key=str)))
        object.__setattr__(self, "ingress", tuple(sorted(self.ingress, key=lambda rule: rule.opens)))

    def natural_id(self, aws: Aws) -> str:
        if not isinstance(self.vpc_id, str):
            return ""
        same: Any = [{"Name": "group-name", "Values": [self.group_name]}, {"Name": "vpc-id", "Values": [self.vpc_id]}]
        return next((group["GroupId"] for group in aws.client("ec2").describe_security_groups(Filters=same)["SecurityGroups"]), "")

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("ec2").get_paginator("describe_security_groups").paginate(Filters=of_deployment(deployment))
        groups = [group for page in pages for group in page["SecurityGroups"]]
        return tuple(Owned.tagged(group["GroupId"], tags_of(group.get("Tags"))) for group in groups)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        answer = or_none(lambda: aws.client("ec2").describe_security_groups(GroupIds=[id]), ("InvalidGroup.NotFound",))
        if answer is None:
            return None
        group, rules = answer["SecurityGroups"][0], _list_rules(aws, id)
        seen = cls(
            name=name,
            group_name=group["GroupName"],
            description=group["Description"],
            vpc_id=group["VpcId"],
            ingress=tuple(_parse_rule(rule) for rule in rules if not rule["IsEgress"]),
            egress=tuple(_parse_egress(rule) for rule in rules if rule["IsEgress"] and _parse_egress(rule) != _ANYWHERE_IPV6),
        )
        return Found(id, seen, {"security_group_id": id}, tags_of(group.get("Tags")))

    def create(self, aws: Aws, mark: Mark) -> str:
        made = aws.client("ec2").create_security_group(
            GroupName=self.group_name,
            Description=self.description,
            VpcId=require_known(self.vpc_id),
            TagSpecifications=tag_specification("security-group", mark),
        )
        return made["GroupId"]

    def configure(self, aws: Aws, id: str) -> None:
        rules = _list_rules(aws, id)
        self._configure_ingress(aws, id, [rule for rule in rules if not rule["IsEgress"]])
        self._configure_egress(aws, id, [rule for rule in rules if rule["IsEgress"]])

    def _configure_ingress(self, aws: Aws, id: str, rules: list[Any]) -> None:
        found = [(_parse_rule(rule), rule["SecurityGroupRuleId"]) for rule in rules]
        there, wanted = {rule.opens: rule for rule, _ in found}, {rule.opens: rule for rule in self.ingress}
        # New rules are added before old ones are revoked, so that no allowed connection is cut off meanwhile.
        if missing := [rule.permission() for opens, rule in wanted.items() if opens not in there]:
            aws.client("ec2").authorize_security_group_ingress(GroupId=id, IpPermissions=missing)
        if renamed := [rule.permission() for opens, rule in wanted.items() if opens in there and there[opens] != rule]:
            aws.client("ec2").update_security_group_rule_descriptions_ingress(GroupId=id, IpPermissions=renamed)
        if extra := [rule_id for rule, rule_id in found if rule.opens not in wanted]:
            aws.client("ec2").revoke_security_group_ingress(GroupId=id, SecurityGroupRuleIds=extra)

    def _configure_egress(self, aws: Aws, id: str, rules: list[Any]) -> None:
        found = {_parse_egress(rule): rule["SecurityGroupRuleId"] for rule in rules}
        if missing := [rule.permission() for rule in self.egress if rule not in found]:
            aws.client("ec2").authorize_security_group_egress(GroupId=id, IpPermissions=missing)
        if extra := [rule_id for rule, rule_id in found.items() if rule not in (*self.egress, _ANYWHERE_IPV6)]:
            aws.client("ec2").revoke_security_group_egress(GroupId=id, SecurityGroupRuleIds=extra)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, [id], changes)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        aws.client("ec2").delete_security_group(GroupId=id)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return find_group_users(aws, id)

    def console(self) -> Steps:
        rules = (
            f"Add rule: Type Custom TCP, Port range {rule.port}, Source {rule.cidr}, Description {rule.description}"
            for rule in self.ingress
        )
        return (
            "EC2 > Security Groups > Create security group",
            f"Security group name: {self.group_name}",
            f"Description: {self.description}",
            f"VPC: {self.vpc_id}",
            "Inbound rules:",
            *rules,
            "Outbound rules (a new group has All traffic to 0.0.0.0/0):",
            *map(str, self.egress),
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"security_group_id": "GroupId"},
            GroupName=self.group_name,
            GroupDescription=self.description,
            VpcId=self.vpc_id,
            SecurityGroupIngress=tuple(rule.template() for rule in self.ingress),
            SecurityGroupEgress=tuple(rule.template() for rule in self.egress),
        )

    FAILURES: ClassVar[Failures] = {
        ("CreateSecurityGroup", "InvalidGroup.Duplicate"): lambda group: Problem(
            code="SECURITY-GROUP-NAME-TAKEN",
            what=f"Security group {group.group_name} was not created.",
            why=f"VPC {group.vpc_id} has a security group of that name already.",
            do=(
                "Set another `name:` for this deployment, or delete that group if it is a leftover (EC2 > Security Groups).",
                "Run the same command again.",
            ),
        ),
        ("CreateSecurityGroup", "SecurityGroupLimitExceeded"): lambda group: Problem(
            code="SECURITY-GROUP-QUOTA",
            what=f"Security group {group.group_name} was not created.",
            why="This region has as many security groups as its quota allows.",
            do=(
                "Delete unused groups, or ask for more under Service Quotas > Amazon VPC > VPC security groups per Region.",
                "Run the same command again.",
            ),
        ),
        ("CreateSecurityGroup", "InvalidVpcID.NotFound"): lambda group: Problem(
            code="VPC-NOT-FOUND",
            what=f"Security group {group.group_name} was not created.",
            why=f"There is no VPC {group.vpc_id} in this account and region.",
            do=("Correct aws.vpc_id (VPC > Your VPCs), or leave it empty to use the default VPC.", "Run the same command again."),
        ),
        ("AuthorizeSecurityGroupIngress", "RulesPerSecurityGroupLimitExceeded"): lambda group: Problem(
            code="SECURITY-GROUP-QUOTA",
            what=f"Security group {group.group_name} did not get all its rules.",
            why=f"{len(group.ingress)} rules are more than the quota of rules per security group.",
            do=(
                "Name fewer address ranges in deployment.ssh_cidrs.",
                "Or ask for more under Service Quotas > Amazon VPC > Inbound or outbound rules per security group.",
                "Run the same command again.",
            ),
        ),
    } | {
        ("DeleteSecurityGroup", code): lambda _: Problem(
            code="SECURITY-GROUP-IN-USE",
            what="The security group was not deleted.",
            why="A network interface still uses it, or a rule of another security group names it.",
            do=(
                "Find what uses it: EC2 > Network Interfaces, filtered by it. A terminated instance releases it in a minute.",
                "Detach or delete any other interface, and delete a rule of another group that names this one.",
                "Run the same command again.",
            ),
        )
        for code in ("DependencyViolation", "InvalidGroup.InUse")
    }


def _list_rules(aws: Aws, group_id: str) -> list[Any]:
    pages = aws.client("ec2").get_paginator("describe_security_group_rules").paginate(Filters=[{"Name": "group-id", "Values": [group_id]}])
    return [rule for page in pages for rule in page["SecurityGroupRules"]]


def _parse_rule(rule: Any) -> Ingress:
    """Parse a rule as we declare it; one of another protocol or range of ports is described in `cidr`, and so differs from any of ours."""
    source = _other_side(rule)
    protocol, first, last = rule["IpProtocol"], rule.get("FromPort", -1), rule.get("ToPort", -1)
    plain = protocol == "tcp" and first == last
    return Ingress(first, str(source) if plain else f"{source} ({protocol} {first}-{last})", rule.get("Description", ""))


def _parse_egress(rule: Any) -> Egress:
    return Egress(_other_side(rule), rule["IpProtocol"], (rule.get("FromPort", -1), rule.get("ToPort", -1)))


def _other_side(rule: Any) -> str:
    """Return the addresses, prefix list or group that a rule names."""
    other = rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return str(other)
