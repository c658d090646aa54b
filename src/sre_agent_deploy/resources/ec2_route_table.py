"""AWS::EC2::RouteTable"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, Outputs, Ref, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, Waiting, cfn, tags_of
from sre_agent_deploy.resources.ec2_calls import (
    change_tags,
    list_owned,
    network_in_use,
    of_deployment,
    over_quota,
    refused_deletion,
    tag_specification,
)
from sre_agent_deploy.resources.ec2_internet_gateway import InternetGateway
from sre_agent_deploy.resources.ec2_vpc import Vpc
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("InvalidRouteTableID.NotFound",)
EVERYWHERE, EVERYWHERE_IPV6 = "0.0.0.0/0", "::/0"


@dataclass(frozen=True, kw_only=True)
class RouteTable(Defaults):
    """Leads the traffic of the subnets to the internet gateway. Routes to other places, such as a peered VPC, are for its users to add."""

    KIND: ClassVar[str] = "AWS::EC2::RouteTable"
    FIXED: ClassVar[frozenset[str]] = frozenset({"vpc_id"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"vpc_id"})
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    MOST_TAGS: ClassVar[int] = 50
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({Vpc.KIND, InternetGateway.KIND})
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({*_GONE, "InvalidVpcID.NotFound", "InvalidInternetGatewayID.NotFound"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteRouteTable", "DependencyViolation")})

    name: str
    vpc_id: LaterText
    internet_gateway_id: LaterText
    ipv6_internet_gateway_id: LaterText = ""
    """The same for IPv6. Where none is asked for, what is there is a route of its users."""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("ec2").get_paginator("describe_route_tables").paginate(Filters=of_deployment(deployment))
        return list_owned(pages, "RouteTables", "RouteTableId")

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        table = _describe(aws, id)
        if table is None:
            return None
        ipv6 = _target(_find_route(table, EVERYWHERE_IPV6))
        seen = cls(
            name=name, vpc_id=table["VpcId"], internet_gateway_id=_target(_find_route(table, EVERYWHERE)), ipv6_internet_gateway_id=ipv6
        )
        of_users = {"vpc_id": table["VpcId"], "ipv6_route": ipv6} if ipv6 else {}
        return Found(id, seen, {"route_table_id": id, **of_users}, tags_of(table.get("Tags")))

    def prefer(self, outputs: Outputs) -> Self:
        # What leads somewhere in one VPC leads nowhere in another.
        kept = outputs.get("ipv6_route", "") if outputs.get("vpc_id") == self.vpc_id else ""
        return self if self.ipv6_internet_gateway_id else replace(self, ipv6_internet_gateway_id=str(kept))

    def create(self, aws: Aws, mark: Mark) -> str:
        tags = tag_specification("route-table", mark)
        return aws.client("ec2").create_route_table(VpcId=require_known(self.vpc_id), TagSpecifications=tags)["RouteTable"]["RouteTableId"]

    def configure(self, aws: Aws, id: str) -> None:
        table = _describe(aws, id) or {}
        for destination, gateway in self._routes():
            route, to = _find_route(table, destination), require_known(gateway)
            wanted: Any = {"RouteTableId": id, **_name_destination(destination), "GatewayId": to}
            if not route:
                aws.client("ec2").create_route(**wanted)
            elif _target(route) != to:
                aws.client("ec2").replace_route(**wanted)

    def _routes(self) -> tuple[tuple[str, LaterText], ...]:
        """List where to which gateway leads."""
        ipv6 = ((EVERYWHERE_IPV6, self.ipv6_internet_gateway_id),) if self.ipv6_internet_gateway_id else ()
        return (EVERYWHERE, self.internet_gateway_id), *ipv6

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, [id], changes)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        aws.client("ec2").delete_route_table(RouteTableId=id)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        # That of a deleted subnet goes with it.
        users = [each["SubnetId"] for each in (_describe(aws, id) or {}).get("Associations", ()) if each.get("SubnetId")]
        return network_in_use(id, f"subnet {', '.join(users)}") if users else Waiting(f"EC2 to release {id}")

    def console(self) -> Steps:
        return (
            "VPC > Route tables > Create route table",
            f"VPC: {self.vpc_id}",
            *(f"Routes > Edit routes > Add route: Destination {where}, Target {gateway}" for where, gateway in self._routes()),
        )

    def template(self) -> CfnResource:
        table = {"RouteTableId": Ref(self.name, "route_table_id")}
        routes = {
            "RouteIpv6" if ":" in where else "Route": CfnResource(
                "AWS::EC2::Route", {**table, **_name_destination(where), "GatewayId": gateway}
            )
            for where, gateway in self._routes()
        }
        return replace(cfn(self.KIND, {"route_table_id": "Ref"}, VpcId=self.vpc_id), also=routes)

    FAILURES: ClassVar[Failures] = {
        ("CreateRouteTable", "RouteTableLimitExceeded"): lambda _: over_quota("route table", "Route tables per VPC"),
        ("DeleteRouteTable", "DependencyViolation"): refused_deletion,
    }


def _describe(aws: Aws, id: str) -> Any:
    answer = or_none(lambda: aws.client("ec2").describe_route_tables(RouteTableIds=[id]), _GONE)
    return answer["RouteTables"][0] if answer and answer["RouteTables"] else None


def _name_destination(destination: str) -> dict[str, str]:
    return {"DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock": destination}


def _find_route(table: Any, destination: str) -> Any:
    return next((route for route in table.get("Routes", ()) if _name_destination(destination).items() <= route.items()), {})


def _target(route: Any) -> str:
    """Return where a route leads, for every kind of target."""
    targets = (
        "GatewayId", "EgressOnlyInternetGatewayId", "NatGatewayId", "InstanceId", "NetworkInterfaceId", "TransitGatewayId",
        "VpcPeeringConnectionId",
    )  # fmt: skip
    return next((str(route[target]) for target in targets if route.get(target)), "")
