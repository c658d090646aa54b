"""Find the VPC and the subnet of a configuration, and explain what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.resource import tags_of
from sre_agent_deploy.resources.ec2_elastic_ip import PORT_TAG
from sre_core.problem import Problem

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client

_DOCS = "https://docs.aws.amazon.com/vpc/latest/userguide/work-with-default-vpc.html"


@dataclass(frozen=True)
class Network:
    """The wanted VPC and subnet (empty: the default), and what EC2 has: the VPC (empty: none) and its subnets."""

    region: str
    vpc_wanted: str
    subnet_wanted: str
    vpc_id: str = ""
    vpc_cidr: str = ""
    subnets: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    """Those that give public addresses, by their Availability Zone."""
    routed: tuple[str, ...] = ()
    """Those whose route table leads to an internet gateway."""
    https_port: str = "443"
    """The port that stands for 443 in the local AWS."""

    @property
    def subnet_id(self) -> str:
        """Return the subnet for the instance; it exists where `find_problem` finds nothing."""
        return self.subnet_wanted or next((subnet for subnet in self.public if subnet in self.routed), "")


def find_vpcs(ec2: EC2Client, wanted: str) -> Sequence[Any]:
    """Find the wanted or default VPC. A filter without a match returns nothing; an unknown id would be an error."""
    return ec2.describe_vpcs(Filters=[_is("vpc-id", wanted) if wanted else _is("is-default", "true")])["Vpcs"]


def find_subnets(ec2: EC2Client, vpcs: Sequence[Any]) -> Sequence[Any]:
    """List the subnets of the VPC that was found."""
    return ec2.describe_subnets(Filters=[_is("vpc-id", vpcs[0]["VpcId"])])["Subnets"] if vpcs else ()


def find_route_tables(ec2: EC2Client, vpcs: Sequence[Any]) -> Sequence[Any]:
    """List the route tables of the VPC that was found."""
    return ec2.describe_route_tables(Filters=[_is("vpc-id", vpcs[0]["VpcId"])])["RouteTables"] if vpcs else ()


def summarize(
    region: str, vpc_wanted: str, subnet_wanted: str, vpcs: Sequence[Any], subnets: Sequence[Any], *, tables: Sequence[Any]
) -> Network:
    """Combine the three listings."""
    if not vpcs:
        return Network(region, vpc_wanted, subnet_wanted)
    public = sorted((subnet for subnet in subnets if subnet.get("MapPublicIpOnLaunch")), key=lambda subnet: str(subnet["AvailabilityZone"]))
    return Network(
        region,
        vpc_wanted,
        subnet_wanted,
        vpcs[0]["VpcId"],
        vpcs[0]["CidrBlock"],
        tuple(subnet["SubnetId"] for subnet in subnets),
        tuple(subnet["SubnetId"] for subnet in public),
        tuple(subnet["SubnetId"] for subnet in subnets if _leads_out(_table_of(subnet["SubnetId"], tables))),
        tags_of(vpcs[0].get("Tags")).get(PORT_TAG, "443"),
    )


def _table_of(subnet_id: str, tables: Sequence[Any]) -> Any:
    """Find the route table of a subnet: its own, else the main one of its VPC."""
    associated = [(table, association) for table in tables for association in table.get("Associations", ())]
    own = (table for table, association in associated if association.get("SubnetId") == subnet_id)
    return next(own, next((table for table, association in associated if association.get("Main")), {}))


def _leads_out(table: Any) -> bool:
    """Say if the route to everywhere goes to an internet gateway, and is in force. A NAT lets nobody in."""
    return any(
        route.get("DestinationCidrBlock") == "0.0.0.0/0"
        and route.get("GatewayId", "").startswith("igw-")
        and route.get("State") == "active"
        for route in table.get("Routes", ())
    )


def find_problem(network: Network) -> Problem | None:
    """Explain why the instance can't be started there."""
    if not network.vpc_id:
        return _no_vpc(network)
    if not network.subnet_wanted:
        return None if network.subnet_id else _no_public_subnet(network)
    if network.subnet_wanted not in network.subnets:
        return _no_such_subnet(network)
    if network.subnet_wanted not in network.routed:
        return _not_routed(network)
    return None if network.subnet_wanted in network.public else _no_address(network)


def _is(name: str, value: str) -> Any:
    return {"Name": name, "Values": [value]}


def _no_vpc(network: Network) -> Problem:
    if network.vpc_wanted:
        return Problem(
            code="VPC-NOT-FOUND",
            what=f"There is no VPC {network.vpc_wanted} in {network.region}.",
            why="It is in another region or account, was deleted, or its id is misspelled.",
            do=("Correct aws.vpc_id (`aws ec2 describe-vpcs`), or leave vpc_id and subnet_id empty to use the default VPC.",),
        )
    return Problem(
        code="EC2-NO-NETWORK",
        what=f"{network.region} has no default VPC to put the instance into.",
        why="It was deleted, or the account was set up without one.",
        do=("Set aws.vpc_id and aws.subnet_id to a public one of yours.", "Or create a default VPC: `aws ec2 create-default-vpc`."),
        aws_docs=_DOCS,
    )


def _no_such_subnet(network: Network) -> Problem:
    return Problem(
        code="SUBNET-NOT-FOUND",
        what=f"{network.vpc_id} has no subnet {network.subnet_wanted}.",
        why="It is a subnet of another VPC, region or account, was deleted, or its id is misspelled.",
        do=(f"Correct aws.subnet_id: `aws ec2 describe-subnets --filters Name=vpc-id,Values={network.vpc_id}`.",),
    )


def _no_public_subnet(network: Network) -> Problem:
    return Problem(
        code="EC2-NO-NETWORK",
        what=f"{network.vpc_id} has no subnet that gives public addresses and has a route to an internet gateway.",
        why="The instance is reached from the internet, and downloads its packages from there.",
        do=("Set aws.vpc_id and aws.subnet_id to a public subnet of yours.", "Or create a default VPC: `aws ec2 create-default-vpc`."),
        aws_docs=_DOCS,
    )


def _not_routed(network: Network) -> Problem:
    return Problem(
        code="SUBNET-NOT-PUBLIC",
        what=f"Subnet {network.subnet_wanted} has no route to an internet gateway.",
        why="People and the gateway reach the machine from the internet. Through a NAT it would reach out, but nobody would reach it.",
        do=(
            "Name a public subnet in aws.subnet_id, or leave vpc_id and subnet_id empty to use the default VPC.",
            "Or add a route to its route table: "
            "`aws ec2 create-route --destination-cidr-block 0.0.0.0/0 --route-table-id RTB --gateway-id IGW`.",
        ),
        aws_docs="https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html",
    )


def _no_address(network: Network) -> Problem:
    return Problem(
        code="SUBNET-NOT-PUBLIC",
        what=f"Subnet {network.subnet_wanted} gives instances no public address at launch.",
        why="The machine downloads its packages while it boots, and its own address is attached only after that.",
        do=(
            f"Let it give them: `aws ec2 modify-subnet-attribute --subnet-id {network.subnet_wanted} --map-public-ip-on-launch`.",
            "Or name another public subnet in aws.subnet_id.",
        ),
        aws_docs="https://docs.aws.amazon.com/vpc/latest/userguide/subnet-public-ip.html",
    )
