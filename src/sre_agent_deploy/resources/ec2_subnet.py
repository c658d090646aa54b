"""AWS::EC2::Subnet"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, Ref, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Ready, Steps, TagChanges, Waiting, cfn, tags_of
from sre_agent_deploy.resources.ec2_describe import change_tags, of_deployment, tag_specification
from sre_agent_deploy.resources.ec2_network import find_interfaces, list_owned, over_quota, refused_deletion
from sre_agent_deploy.resources.ec2_route_table import RouteTable
from sre_agent_deploy.resources.ec2_vpc import Vpc
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("InvalidSubnetID.NotFound", "InvalidSubnetId.NotFound")


@dataclass(frozen=True, kw_only=True)
class Subnet(Defaults):
    """Holds the machine, in one Availability Zone, with the route table that leads to the internet."""

    KIND: ClassVar[str] = "AWS::EC2::Subnet"
    FIXED: ClassVar[frozenset[str]] = frozenset({"vpc_id", "cidr_block", "availability_zone"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"vpc_id", "cidr_block", "availability_zone"})
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    MOST_TAGS: ClassVar[int] = 50
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({Vpc.KIND, RouteTable.KIND})
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({*_GONE, "InvalidVpcID.NotFound", "InvalidRouteTableID.NotFound"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteSubnet", "DependencyViolation")})

    name: str
    vpc_id: LaterText
    cidr_block: str
    availability_zone: LaterText
    route_table_id: LaterText
    map_public_ip_on_launch: bool = False
    """The machine asks for a public address itself; nothing else gets one."""

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
        )
        return Found(id, seen, {"subnet_id": id}, tags_of(subnet.get("Tags")))

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
        association, wanted = _find_association(aws, id), require_known(self.route_table_id)
        if not association:
            aws.client("ec2").associate_route_table(RouteTableId=wanted, SubnetId=id)
        elif association["RouteTableId"] != wanted:
            aws.client("ec2").replace_route_table_association(AssociationId=association["RouteTableAssociationId"], RouteTableId=wanted)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, [id], changes)

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        subnet = _describe(aws, id) or {}
        return Ready() if subnet.get("State") == "available" else Waiting(f"subnet is {subnet.get('State', 'not shown')}")

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
            f"Actions > Edit subnet settings > Enable auto-assign public IPv4 address: {self.map_public_ip_on_launch}",
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
        )
        association = {"SubnetId": Ref(self.name, "subnet_id"), "RouteTableId": self.route_table_id}
        return replace(declared, also={"Routing": CfnResource("AWS::EC2::SubnetRouteTableAssociation", association)})

    FAILURES: ClassVar[Failures] = {
        ("CreateSubnet", "SubnetLimitExceeded"): lambda _: over_quota("subnet", "Subnets per VPC"),
        ("CreateSubnet", "InvalidSubnet.Conflict"): lambda subnet: Problem(
            code="SUBNET-CIDR-TAKEN",
            what=f"No subnet was created for {subnet.cidr_block}.",
            why=f"Another subnet of {subnet.vpc_id} has some of these addresses: one that was made by hand, or is being replaced.",
            do=("Delete that subnet (VPC > Subnets), or choose other addresses in aws.network_cidr.", "Run the same command again."),
        ),
        ("DeleteSubnet", "DependencyViolation"): refused_deletion,
    }


def _describe(aws: Aws, id: str) -> Any:
    answer = or_none(lambda: aws.client("ec2").describe_subnets(SubnetIds=[id]), _GONE)
    return answer["Subnets"][0] if answer and answer["Subnets"] else None


def _find_association(aws: Aws, subnet_id: str) -> Any:
    """Find the association of a subnet with a route table of its own; empty where the main one of its VPC applies."""
    of_subnet: Any = [{"Name": "association.subnet-id", "Values": [subnet_id]}]
    tables = aws.client("ec2").describe_route_tables(Filters=of_subnet)["RouteTables"]
    associations = (each for table in tables for each in table["Associations"] if each.get("SubnetId") == subnet_id)
    return next(associations, {})
