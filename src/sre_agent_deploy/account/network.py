"""Find the VPC and the subnet of a configuration, and explain what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sre_agent_deploy.config.deployment import Fallback
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.resource import DEPLOYMENT_TAG, generation_of, tags_of
from sre_agent_deploy.resources.ec2_elastic_ip import PORT_TAG
from sre_agent_deploy.resources.ec2_route_table import EVERYWHERE, EVERYWHERE_IPV6
from sre_agent_deploy.resources.ec2_vpc import find_ipv6_block
from sre_core.problem import Problem

if TYPE_CHECKING:
    from mypy_boto3_ec2.client import EC2Client

_DOCS = "https://docs.aws.amazon.com/vpc/latest/userguide/work-with-default-vpc.html"


# Such as us-east-1-bos-1a and us-east-1-wl1-nyc-wlz-1; an Availability Zone has but a letter there.
_PLACE_IN_ZONE = re.compile(r"[a-z]+(-[a-z]+)+-[0-9]+-")
_PRIVATE_WAYS = ("NatGatewayId", "InstanceId", "NetworkInterfaceId", "TransitGatewayId")
type Route = Literal["internet", "nat", ""]
"""Where a subnet's route to everywhere leads."""


@dataclass(frozen=True)
class Subnet:
    """One subnet of the VPC: its Availability Zone, and where its route table leads."""

    id: str
    zone: str = ""
    route: Route = ""
    gives_addresses: bool = False
    """It gives public addresses at launch. A default subnet does."""
    ipv6: bool = False
    """It has IPv6 addresses, and a route to the internet gateway for them."""

    @property
    def is_public(self) -> bool:
        """Say if the instance can be reached there: it asks for a public address itself."""
        return self.route == "internet" and not self.is_elsewhere

    @property
    def is_elsewhere(self) -> bool:
        """Say if it is in a Local Zone or Wavelength Zone, which have a place in their names and Elastic IPs of their own."""
        return bool(_PLACE_IN_ZONE.match(self.zone))


@dataclass(frozen=True)
class Network:
    """The wanted VPC and subnets (empty: the default), and what EC2 has: the VPC (empty: none) and its subnets."""

    region: str
    vpc_wanted: str = ""
    subnet_wanted: str = ""
    fallbacks: tuple[Fallback, ...] = ()
    vpc_id: str = ""
    vpc_cidr: str = ""
    subnets: tuple[Subnet, ...] = ()
    """Those that give public addresses first, by their Availability Zone."""
    https_port: str = "443"
    """The port that is used for 443 in the local AWS."""
    ipv6_wanted: bool = False

    @property
    def subnet_id(self) -> str:
        """Return the subnet for the instance; it exists where `find_problem` finds nothing."""
        # One that gives addresses is intended to be public.
        suitable = (subnet.id for subnet in self.subnets if subnet.is_public and subnet.gives_addresses)
        return self.subnet_wanted or next(suitable, "")

    @property
    def zones(self) -> Mapping[str, str]:
        """Map each Availability Zone, by its name, to its first public subnet."""
        return dict(sorted({subnet.zone: subnet.id for subnet in reversed(self.subnets) if subnet.is_public}.items()))


def find_vpcs(ec2: EC2Client, wanted: str) -> Sequence[Any]:
    """Find the wanted or default VPC. A filter without a match returns nothing; an unknown id would be an error."""
    return ec2.describe_vpcs(Filters=[_is("vpc-id", wanted) if wanted else _is("is-default", "true")])["Vpcs"]


def find_subnets(ec2: EC2Client, vpcs: Sequence[Any]) -> Sequence[Any]:
    """List the subnets of the VPC that was found."""
    return ec2.describe_subnets(Filters=[_is("vpc-id", vpcs[0]["VpcId"])])["Subnets"] if vpcs else ()


def find_route_tables(ec2: EC2Client, vpcs: Sequence[Any]) -> Sequence[Any]:
    """List the route tables of the VPC that was found."""
    return ec2.describe_route_tables(Filters=[_is("vpc-id", vpcs[0]["VpcId"])])["RouteTables"] if vpcs else ()


def find_zones(ec2: EC2Client) -> Sequence[str]:
    """List the Availability Zones that the account can use, by their names. Local Zones and the like are none."""
    usable: Any = [_is("zone-type", "availability-zone"), _is("state", "available")]
    return sorted(zone["ZoneName"] for zone in ec2.describe_availability_zones(Filters=usable)["AvailabilityZones"])


def find_zone_in_use(ec2: EC2Client, deployment: str, others: Collection[str]) -> str:
    """Find the Availability Zone of a deployment's own subnets: that of its newest machine, unless it is one of `others`.

    Empty where it has no subnet yet.
    """
    own = [_is(f"tag:{DEPLOYMENT_TAG}", deployment)]
    zones = {subnet["AvailabilityZone"] for subnet in ec2.describe_subnets(Filters=own)["Subnets"]}
    alive: Any = {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]}
    machines = [each for found in ec2.describe_instances(Filters=[*own, alive])["Reservations"] for each in found["Instances"]]
    newest = max(machines, key=lambda machine: generation_of(tags_of(machine.get("Tags"))), default=None)
    used = newest["Placement"]["AvailabilityZone"] if newest else ""
    return min(zones, key=lambda zone: (zone in others, zone != used, zone), default="")


def summarize_new(region: str, config: Config, vpcs: Sequence[Any], zones: Sequence[str]) -> Network:
    """Describe the network that is created, as if it were there: a public subnet in each of the zones."""
    new = tuple(Subnet(f"the new subnet in {zone}", zone, "internet", gives_addresses=True, ipv6=config.aws.ipv6) for zone in zones)
    port = tags_of(vpcs[0].get("Tags")).get(PORT_TAG, "443") if vpcs else "443"
    chosen = (Fallback(availability_zone=config.aws.availability_zone), *config.deployment.fallbacks)
    return Network(region, "", "", chosen, "The new VPC", config.aws.network_cidr, new, port)


def summarize(region: str, config: Config, vpcs: Sequence[Any], subnets: Sequence[Any], *, tables: Sequence[Any]) -> Network:
    """Combine the three listings with what the configuration names."""
    wanted = Network(region, config.aws.vpc_id, config.aws.subnet_id, config.deployment.fallbacks, ipv6_wanted=config.aws.ipv6)
    if not vpcs:
        return wanted
    return replace(
        wanted,
        vpc_id=vpcs[0]["VpcId"],
        vpc_cidr=vpcs[0]["CidrBlock"],
        subnets=tuple(sorted((_subnet(each, tables) for each in subnets), key=lambda each: (not each.gives_addresses, each.zone))),
        https_port=tags_of(vpcs[0].get("Tags")).get(PORT_TAG, "443"),
    )


def _subnet(shown: Any, tables: Sequence[Any]) -> Subnet:
    route, ipv6_route = (find_route(shown["SubnetId"], tables, to) for to in (EVERYWHERE, EVERYWHERE_IPV6))
    ipv6 = bool(find_ipv6_block(shown)) and ipv6_route == "internet"
    return Subnet(shown["SubnetId"], shown["AvailabilityZone"], route, shown.get("MapPublicIpOnLaunch", False), ipv6)


def _table_of(subnet_id: str, tables: Sequence[Any]) -> Any:
    """Find the route table of a subnet: its own, else the main one of its VPC."""
    associated = [(table, association) for table in tables for association in table.get("Associations", ())]
    own = (table for table, association in associated if association.get("SubnetId") == subnet_id)
    return next(own, next((table for table, association in associated if association.get("Main")), {}))


def find_route(subnet_id: str, tables: Sequence[Any], to: str = EVERYWHERE) -> Route:
    """Find where a subnet's route to everywhere leads, if it is in force."""
    key = "DestinationIpv6CidrBlock" if ":" in to else "DestinationCidrBlock"
    routes = [route for route in _table_of(subnet_id, tables).get("Routes", ()) if route.get(key) == to and route["State"] == "active"]
    if any(route.get("GatewayId", "").startswith("igw-") for route in routes):
        return "internet"
    return "nat" if any(route.get(key) for route in routes for key in _PRIVATE_WAYS) else ""


def find_problem(network: Network) -> Problem | None:
    """Explain why the instance can't be started there."""
    if not network.vpc_id:
        return _no_vpc(network)
    if not network.subnet_id:
        return _no_public_subnet(network)
    named = [(network.subnet_id, "aws.subnet_id"), *((each.subnet_id, "deployment.fallbacks") for each in network.fallbacks)]
    problems = (_find_subnet_problem(network, subnet_id, setting) for subnet_id, setting in named if subnet_id)
    zones = (each.availability_zone for each in network.fallbacks if each.availability_zone not in ("", *network.zones))
    missing = next(filter(None, problems), None) or next((_no_subnet_in_zone(network, zone) for zone in zones), None)
    return missing or _find_ipv6_problem(network)


def _find_ipv6_problem(network: Network) -> Problem | None:
    """Find the first place of the machine that has no IPv6, where it is asked for."""
    places = [network.subnet_id, *(each.subnet_id or network.zones.get(each.availability_zone, "") for each in network.fallbacks)]
    without = [subnet.id for subnet in network.subnets if subnet.id in places and not subnet.ipv6] if network.ipv6_wanted else []
    return _no_ipv6(without[0]) if without else None


def _find_subnet_problem(network: Network, subnet_id: str, setting: str) -> Problem | None:
    found = next((subnet for subnet in network.subnets if subnet.id == subnet_id), None)
    if found is None:
        return _no_such_subnet(network, subnet_id, setting)
    if found.is_elsewhere:
        return _elsewhere(found, setting)
    return None if found.is_public else _not_public(found, setting)


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
        do=(
            "Set aws.vpc_id and aws.subnet_id to a public one of yours.",
            "Or set aws.network to create: the deployment then has a VPC of its own.",
        ),
        aws_docs=_DOCS,
    )


def _no_such_subnet(network: Network, subnet_id: str, setting: str) -> Problem:
    return Problem(
        code="SUBNET-NOT-FOUND",
        what=f"{network.vpc_id} has no subnet {subnet_id}.",
        why="It is a subnet of another VPC, region or account, was deleted, or its id is misspelled.",
        do=(f"Correct {setting}: `aws ec2 describe-subnets --filters Name=vpc-id,Values={network.vpc_id}`.",),
    )


def _no_subnet_in_zone(network: Network, zone: str) -> Problem:
    return Problem(
        code="SUBNET-NOT-FOUND",
        what=f"{network.vpc_id} has no public subnet in {zone}.",
        why="The configuration names this Availability Zone, and every fallback must be usable like the first choice.",
        do=(
            f"Name one of these Availability Zones: {', '.join(network.zones)}.",
            f"Or create a subnet in {zone} with a route to the VPC's internet gateway.",
        ),
    )


def _elsewhere(subnet: Subnet, setting: str) -> Problem:
    return Problem(
        code="SUBNET-LOCAL-ZONE",
        what=f"Subnet {subnet.id} is in {subnet.zone}, which is no Availability Zone of the region.",
        why="An Elastic IP of the region can't be given to a machine in a Local Zone or Wavelength Zone.",
        do=(f"Name a subnet in an Availability Zone in {setting}: its name is the region's and a letter.",),
        aws_docs="https://docs.aws.amazon.com/vpc/latest/userguide/WorkWithEIPs.html",
    )


def _no_ipv6(subnet_id: str) -> Problem:
    return Problem(
        code="SUBNET-NO-IPV6",
        what=f"Nothing would reach the machine over IPv6 in {subnet_id}.",
        why="aws.ipv6 is true, and the subnet has no IPv6 addresses, or its route table no route of ::/0 to the internet gateway.",
        do=(
            "Add both: VPC > Your VPCs and Subnets > Edit IPv6 CIDRs, then a route of ::/0 in the route table.",
            "Or set aws.network to create, or aws.ipv6 to false.",
        ),
        aws_docs="https://docs.aws.amazon.com/vpc/latest/userguide/vpc-migrate-ipv6-add.html",
    )


def _no_public_subnet(network: Network) -> Problem:
    return Problem(
        code="EC2-NO-NETWORK",
        what=f"{network.vpc_id} has no subnet that gives public addresses and has a route to an internet gateway.",
        why="The instance is reached from the internet, and downloads its packages from there.",
        do=(
            "Set aws.vpc_id and aws.subnet_id to a public subnet of yours.",
            "Or set aws.network to create: the deployment then has a VPC of its own.",
        ),
        aws_docs=_DOCS,
    )


def _not_public(subnet: Subnet, setting: str) -> Problem:
    routed = {
        "nat": "Its route leads to a NAT or a transit gateway: the machine would reach the internet, but nothing would reach the machine. "
        "An Elastic IP does not help, because the answers would leave through the NAT. People reach the machine from outside, and so does "
        "AgentCore Gateway, which calls the backends at their public address.",
        "": "People and the gateway reach the machine from the internet, and it downloads its packages from there while it boots.",
    }
    return Problem(
        code="SUBNET-NOT-PUBLIC",
        what=f"Subnet {subnet.id} has no route to an internet gateway.",
        why=routed[subnet.route],
        do=(
            f"Name a public subnet in {setting}, or leave vpc_id and subnet_id empty to use the default VPC.",
            "Or add a route to its route table: "
            "`aws ec2 create-route --destination-cidr-block 0.0.0.0/0 --route-table-id RTB --gateway-id IGW`.",
        ),
        aws_docs="https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html",
    )
