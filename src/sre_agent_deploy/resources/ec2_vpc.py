"""AWS::EC2::VPC"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import Outputs, Ref
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Ready, Steps, TagChanges, Waiting, cfn, tags_of
from sre_agent_deploy.resources.ec2_calls import (
    change_tags,
    find_interfaces,
    list_owned,
    network_in_use,
    of_deployment,
    over_quota,
    refused_deletion,
    tag_specification,
)
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("InvalidVpcID.NotFound",)


@dataclass(frozen=True, kw_only=True)
class Vpc(Defaults):
    """Is the network of the deployment, where `aws.network: create` asks for one of its own."""

    KIND: ClassVar[str] = "AWS::EC2::VPC"
    FIXED: ClassVar[frozenset[str]] = frozenset({"cidr_block"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"cidr_block"})
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    MOST_TAGS: ClassVar[int] = 50
    PROPAGATES: ClassVar[frozenset[str]] = frozenset(_GONE)
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteVpc", "DependencyViolation")})

    name: str
    cidr_block: str
    dns_support: bool = True
    dns_hostnames: bool = True
    ipv6: bool = False
    """It has a block of Amazon's IPv6 addresses. One that is there is never given back: others may use it, and it costs nothing."""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("ec2").get_paginator("describe_vpcs").paginate(Filters=of_deployment(deployment))
        return list_owned(pages, "Vpcs", "VpcId")

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        vpc = _describe(aws, id)
        if vpc is None:
            return None
        ec2 = aws.client("ec2")
        seen = cls(
            name=name,
            cidr_block=vpc["CidrBlock"],
            dns_support=ec2.describe_vpc_attribute(VpcId=id, Attribute="enableDnsSupport")["EnableDnsSupport"].get("Value", False),
            dns_hostnames=ec2.describe_vpc_attribute(VpcId=id, Attribute="enableDnsHostnames")["EnableDnsHostnames"].get("Value", False),
            ipv6=bool(list_ipv6_blocks(vpc)),
        )
        block = find_ipv6_block(vpc)
        outputs = {"vpc_id": id, "vpc_cidr": vpc["CidrBlock"], **({"ipv6_cidr_block": block} if block else {})}
        return Found(id, seen, outputs, tags_of(vpc.get("Tags")))

    def prefer(self, outputs: Outputs) -> Self:
        return replace(self, ipv6=self.ipv6 or "ipv6_cidr_block" in outputs)

    def create(self, aws: Aws, mark: Mark) -> str:
        made = aws.client("ec2").create_vpc(CidrBlock=self.cidr_block, TagSpecifications=tag_specification("vpc", mark))
        return made["Vpc"]["VpcId"]

    def configure(self, aws: Aws, id: str) -> None:
        # EC2 takes one attribute in a call, and host names only where names are resolved.
        aws.client("ec2").modify_vpc_attribute(VpcId=id, EnableDnsSupport={"Value": self.dns_support})
        aws.client("ec2").modify_vpc_attribute(VpcId=id, EnableDnsHostnames={"Value": self.dns_hostnames})
        if self.ipv6 and not list_ipv6_blocks(_describe(aws, id) or {}):
            aws.client("ec2").associate_vpc_cidr_block(VpcId=id, AmazonProvidedIpv6CidrBlock=True)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, [id], changes)

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        vpc = _describe(aws, id) or {}
        if vpc.get("State") != "available":
            return Waiting(f"VPC is {vpc.get('State', 'not shown')}")
        return Waiting("EC2 to give it IPv6 addresses") if self.ipv6 and not find_ipv6_block(vpc, "associated") else Ready()

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        aws.client("ec2").delete_vpc(VpcId=id)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        of_vpc: Any = [{"Name": "vpc-id", "Values": [id]}]
        groups = [
            each for each in aws.client("ec2").describe_security_groups(Filters=of_vpc)["SecurityGroups"] if each["GroupName"] != "default"
        ]
        subnets = aws.client("ec2").describe_subnets(Filters=of_vpc)["Subnets"]
        others = [f"subnet {each['SubnetId']}" for each in subnets] + [f"security group {each['GroupId']}" for each in groups]
        return network_in_use(id, ", ".join(others)) if others else find_interfaces(aws, "vpc-id", id)

    def console(self) -> Steps:
        return (
            "VPC > Your VPCs > Create VPC",
            "Resources to create: VPC only",
            f"IPv4 CIDR: {self.cidr_block}",
            *(("IPv6 CIDR block: Amazon-provided IPv6 CIDR block",) if self.ipv6 else ()),
            "Actions > Edit VPC settings",
            f"Enable DNS resolution: {self.dns_support}",
            f"Enable DNS hostnames: {self.dns_hostnames}",
        )

    def template(self) -> CfnResource:
        block = {"VpcId": Ref(self.name, "vpc_id"), "AmazonProvidedIpv6CidrBlock": True}
        declared = cfn(
            self.KIND,
            {"vpc_id": "Ref", "vpc_cidr": "CidrBlock"},
            CidrBlock=self.cidr_block,
            EnableDnsSupport=self.dns_support,
            EnableDnsHostnames=self.dns_hostnames,
        )
        return replace(declared, also={"Ipv6": CfnResource("AWS::EC2::VPCCidrBlock", block)} if self.ipv6 else {})

    FAILURES: ClassVar[Failures] = {
        ("CreateVpc", "VpcLimitExceeded"): lambda _: over_quota("VPC", "VPCs per Region"),
        ("DeleteVpc", "DependencyViolation"): refused_deletion,
    }


def find_ipv6_block(shown: Any, *states: str) -> str:
    """Return the IPv6 addresses of a VPC or subnet as EC2 shows it; empty where it has none yet, or in none of these states."""
    return next(filter(None, list_ipv6_blocks(shown, *states)), "")


def list_ipv6_blocks(shown: Any, *states: str) -> list[str]:
    """List the IPv6 addresses of a VPC or subnet in these states. While Amazon's are associated, EC2 may not show which: it is empty.

    Source: the example of https://docs.aws.amazon.com/cli/latest/reference/ec2/associate-vpc-cidr-block.html
    """
    wanted = states or ("associating", "associated")
    found = shown.get("Ipv6CidrBlockAssociationSet", ())
    return [str(each.get("Ipv6CidrBlock", "")) for each in found if each["Ipv6CidrBlockState"]["State"] in wanted]


def _describe(aws: Aws, id: str) -> Any:
    answer = or_none(lambda: aws.client("ec2").describe_vpcs(VpcIds=[id]), _GONE)
    return answer["Vpcs"][0] if answer and answer["Vpcs"] else None
