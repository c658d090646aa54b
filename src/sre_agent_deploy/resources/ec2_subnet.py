"""AWS::EC2::Subnet"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, Outputs, Ref, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Ready, Steps, TagChanges, Waiting, cfn, tags_of
from sre_agent_deploy.resources.ec2_calls import (
    change_tags,
    find_interfaces,
    list_owned,
    of_deployment,
    over_quota,
    refused_deletion,
    tag_specification,
)
from sre_agent_deploy.resources.ec2_route_table import RouteTable
from sre_agent_deploy.resources.ec2_vpc import Vpc, find_ipv6_block
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

NO_IPV6 = -1
_GONE = ("InvalidSubnetID.NotFound", "InvalidSubnetId.NotFound")


@dataclass(frozen=True, kw_only=True)
class Subnet(Defaults):
    """Holds the machine, in one Availability Zone, with the route table that leads to the internet."""

    KIND: ClassVar[str] = "AWS::EC2::Subnet"
    FIXED: ClassVar[frozenset[str]] = frozenset({"vpc_id", "cidr_block", "availability_zone"})
    EXEMPT: ClassVar[Mapping[str, str]] = {"ipv6_number": "which addresses these are depends on what EC2 gives the VPC"}
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"vpc_id", "cidr_block", "availability_zone"})
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    MOST_TAGS: ClassVar[int] = 50
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({Vpc.KIND, RouteTable.KIND})
    # With InvalidParameterValue EC2 refuses to assign addresses of an association that is still being made.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset(
        {*_GONE, "InvalidVpcID.NotFound", "InvalidRouteTableID.NotFound", "InvalidParameterValue"}
    )
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteSubnet", "DependencyViolation")})

    name: str
    vpc_id: LaterText
    cidr_block: str
    availability_zone: LaterText
    route_table_id: LaterText
    map_public_ip_on_launch: bool = False
    """The machine asks for a public address itself; nothing else gets one."""
    ipv6_number: int = NO_IPV6
    """Which /64 of the VPC's IPv6 addresses it has. One that is there stays, whichever it is."""
    assign_ipv6_address_on_creation: bool = False

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("ec2").get_paginator("describe_subnets").paginate(Filters=of_deployment(deployment))
        return list_owned(pages, "Subnets", "SubnetId")

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        subnet = _describe(aws, id)
        if subnet is None:
            return None
        seen = cls(
            name=name,
            vpc_id=subnet["VpcId"],
            cidr_block=subnet["CidrBlock"],
            availability_zone=subnet["AvailabilityZone"],
            route_table_id=_find_association(aws, id).get("RouteTableId", ""),
            map_public_ip_on_launch=subnet.get("MapPublicIpOnLaunch", False),
            ipv6_number=number_of(block := find_ipv6_block(subnet)),
            assign_ipv6_address_on_creation=subnet.get("AssignIpv6AddressOnCreation", False),
        )
        return Found(id, seen, {"subnet_id": id, **({"ipv6_cidr_block": block} if block else {})}, tags_of(subnet.get("Tags")))

    def prefer(self, outputs: Outputs) -> Self:
        block = str(outputs.get("ipv6_cidr_block", ""))
        return replace(self, ipv6_number=number_of(block)) if block else self

    def create(self, aws: Aws, mark: Mark) -> str:
        made = aws.client("ec2").create_subnet(
            VpcId=require_known(self.vpc_id),
            CidrBlock=self.cidr_block,
            AvailabilityZone=require_known(self.availability_zone),
            TagSpecifications=tag_specification("subnet", mark),
        )
        return made["Subnet"]["SubnetId"]

    def configure(self, aws: Aws, id: str) -> None:
        wanted_addresses: Any = {"Value": self.map_public_ip_on_launch}
        aws.client("ec2").modify_subnet_attribute(SubnetId=id, MapPublicIpOnLaunch=wanted_addresses)
        self._configure_ipv6(aws, id)
        association, wanted = _find_association(aws, id), require_known(self.route_table_id)
        if not association:
            aws.client("ec2").associate_route_table(RouteTableId=wanted, SubnetId=id)
        elif association["RouteTableId"] != wanted:
            aws.client("ec2").replace_route_table_association(AssociationId=association["RouteTableAssociationId"], RouteTableId=wanted)

    def _configure_ipv6(self, aws: Aws, id: str) -> None:
        ec2 = aws.client("ec2")
        subnet = _describe(aws, id) or {}
        if self.ipv6_number != NO_IPV6 and not find_ipv6_block(subnet):
            [vpc] = ec2.describe_vpcs(VpcIds=[require_known(self.vpc_id)])["Vpcs"]
            if whole := find_ipv6_block(vpc):
                ec2.associate_subnet_cidr_block(SubnetId=id, Ipv6CidrBlock=choose_ipv6_block(whole, self.ipv6_number))
        # EC2 takes one attribute in a call, and this one only for a subnet that has the addresses.
        if subnet.get("AssignIpv6AddressOnCreation", False) != self.assign_ipv6_address_on_creation:
            wanted: Any = {"Value": self.assign_ipv6_address_on_creation}
            ec2.modify_subnet_attribute(SubnetId=id, AssignIpv6AddressOnCreation=wanted)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, [id], changes)

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        subnet = _describe(aws, id) or {}
        if subnet.get("State") != "available":
            return Waiting(f"subnet is {subnet.get('State', 'not shown')}")
        waits = self.ipv6_number != NO_IPV6 and not find_ipv6_block(subnet, "associated")
        return Waiting("EC2 to give it IPv6 addresses") if waits else Ready()

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        aws.client("ec2").delete_subnet(SubnetId=id)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return find_interfaces(aws, "subnet-id", id)

    def console(self) -> Steps:
        return (
            "VPC > Subnets > Create subnet",
            f"VPC ID: {self.vpc_id}",
            f"Availability Zone: {self.availability_zone}",
            f"IPv4 subnet CIDR block: {self.cidr_block}",
            *((f"IPv6 CIDR block: the VPC's /64 with the number {self.ipv6_number}",) if self.ipv6_number != NO_IPV6 else ()),
            f"Actions > Edit subnet settings > Enable auto-assign public IPv4 address: {self.map_public_ip_on_launch}",
            *(("Actions > Edit subnet settings > Enable auto-assign IPv6 address: True",) if self.assign_ipv6_address_on_creation else ()),
            f"Route table > Edit route table association: {self.route_table_id}",
        )

    def template(self) -> CfnResource:
        declared = cfn(
            self.KIND,
            {"subnet_id": "Ref"},
            VpcId=self.vpc_id,
            CidrBlock=self.cidr_block,
            AvailabilityZone=self.availability_zone,
            MapPublicIpOnLaunch=self.map_public_ip_on_launch,
            Ipv6CidrBlock=self._ipv6_template(),
            AssignIpv6AddressOnCreation=self.assign_ipv6_address_on_creation or None,
        )
        association = {"SubnetId": Ref(self.name, "subnet_id"), "RouteTableId": self.route_table_id}
        return replace(declared, also={"Routing": CfnResource("AWS::EC2::SubnetRouteTableAssociation", association)})

    def _ipv6_template(self) -> Any:
        if self.ipv6_number == NO_IPV6 or not isinstance(self.vpc_id, Ref):
            return None
        # A list is no output that others refer to, so it is named as CloudFormation does.
        of_vpc = {"Fn::Select": ["0", {"Fn::GetAtt": [self.vpc_id.of.title().replace("_", ""), "Ipv6CidrBlocks"]}]}
        return {"Fn::Select": [str(self.ipv6_number), {"Fn::Cidr": [of_vpc, "256", "64"]}]}

    FAILURES: ClassVar[Failures] = {
        ("CreateSubnet", "SubnetLimitExceeded"): lambda _: over_quota("subnet", "Subnets per VPC"),
        ("CreateSubnet", "InvalidSubnet.Conflict"): lambda subnet: Problem(
            code="SUBNET-CIDR-TAKEN",
            what=f"No subnet was created for {subnet.cidr_block}.",
            why=f"Another subnet of {subnet.vpc_id} has some of these addresses: one that was made by hand, or is being replaced.",
            do=("Delete that subnet (VPC > Subnets), or choose other addresses in aws.network_cidr.", "Run the same command again."),
        ),
        ("AssociateSubnetCidrBlock", "InvalidSubnet.Conflict"): lambda subnet: Problem(
            code="SUBNET-CIDR-TAKEN",
            what=f"The subnet {subnet.cidr_block} got no IPv6 addresses.",
            why=f"Another subnet of {subnet.vpc_id} has those that belong to it: one that was made by hand, or is being replaced.",
            do=("Give that subnet other IPv6 addresses (VPC > Subnets > Actions > Edit IPv6 CIDRs).", "Run the same command again."),
        ),
        ("DeleteSubnet", "DependencyViolation"): refused_deletion,
    }


def number_of(ipv6_block: str) -> int:
    """Return which /64 of the /56 of its VPC a subnet has; NO_IPV6 for none (pure)."""
    return (int(ipaddress.IPv6Network(ipv6_block).network_address) >> 64) % 256 if ipv6_block else NO_IPV6


def choose_ipv6_block(of_vpc: str, number: int) -> str:
    """Return the /64 with this number of a VPC's IPv6 addresses (pure)."""
    return f"{ipaddress.IPv6Network(of_vpc).network_address + (number << 64)}/64"


def _describe(aws: Aws, id: str) -> Any:
    answer = or_none(lambda: aws.client("ec2").describe_subnets(SubnetIds=[id]), _GONE)
    return answer["Subnets"][0] if answer and answer["Subnets"] else None


def _find_association(aws: Aws, subnet_id: str) -> Any:
    """Find the association of a subnet with a route table of its own; empty where the main one of its VPC applies."""
    of_subnet: Any = [{"Name": "association.subnet-id", "Values": [subnet_id]}]
    tables = aws.client("ec2").describe_route_tables(Filters=of_subnet)["RouteTables"]
    associations = (each for table in tables for each in table["Associations"] if each.get("SubnetId") == subnet_id)
    return next(associations, {})
