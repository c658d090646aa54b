"""Declare the network of a deployment, and choose where its machine is launched (pure)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Item
from sre_agent_deploy.later import LaterText, Ref
from sre_agent_deploy.policies import bucket_endpoint_statements, endpoint_statements, table_endpoint_statements
from sre_agent_deploy.resources.ec2_boot import LaunchPlace
from sre_agent_deploy.resources.ec2_internet_gateway import InternetGateway
from sre_agent_deploy.resources.ec2_route_table import RouteTable
from sre_agent_deploy.resources.ec2_security_group import Ingress, SecurityGroup
from sre_agent_deploy.resources.ec2_subnet import NO_IPV6, Subnet
from sre_agent_deploy.resources.ec2_vpc import Vpc
from sre_agent_deploy.resources.ec2_vpc_endpoint import VpcEndpoint
from sre_agent_deploy.resources.policy_document import Statement

SUBNET_BITS = 4
"""Each subnet has a sixteenth of the addresses: the one that belongs to the letter of its Availability Zone."""
_LETTERS = "abcdefghijklmno"


def declare_network(config: Config, facts: AccountFacts) -> tuple[Item, ...]:
    """Declare a VPC with a public subnet in each Availability Zone of the configuration, or nothing where it names an existing one."""
    if not config.aws.creates_network:
        return ()
    vpc, gateway = vpc_id(config, facts), Ref("internet_gateway", "internet_gateway_id")
    return (
        Item(Vpc(name="vpc", cidr_block=config.aws.network_cidr, ipv6=config.aws.ipv6)),
        Item(InternetGateway(name="internet_gateway", vpc_id=vpc)),
        Item(
            RouteTable(
                name="route_table", vpc_id=vpc, internet_gateway_id=gateway, ipv6_internet_gateway_id=gateway if config.aws.ipv6 else ""
            )
        ),
        *(Item(subnet) for subnet in _subnets(config, facts)),
    )


def _subnets(config: Config, facts: AccountFacts) -> Iterator[Subnet]:
    ranges = [*ipaddress.IPv4Network(config.aws.network_cidr).subnets(prefixlen_diff=SUBNET_BITS)]
    for zone in dict.fromkeys((facts.zone, *(each.availability_zone for each in config.deployment.fallbacks if each.availability_zone))):
        # A zone that only the account knows has the last one.
        number = _LETTERS.find(zone[-1:]) % len(ranges)
        yield Subnet(
            name=_subnet_name(zone),
            vpc_id=vpc_id(config, facts),
            cidr_block=str(ranges[number]),
            availability_zone=zone,
            route_table_id=Ref("route_table", "route_table_id"),
            ipv6_number=number if config.aws.ipv6 else NO_IPV6,
            assign_ipv6_address_on_creation=config.aws.ipv6,
        )


def _subnet_name(zone: str) -> str:
    """Name the subnet of an Availability Zone: in another zone there is another subnet, beside the one that is in use."""
    return f"subnet_{zone[-1]}" if zone and zone[-1] in _LETTERS else "subnet"


def declare_endpoints(config: Config, facts: AccountFacts, id: str, of_role: Sequence[Statement]) -> tuple[Item, ...]:
    """Declare the VPC endpoints that the configuration asks for: of S3, and of what else the machine's role calls."""
    if not config.aws.creates_network or config.aws.endpoints == "none":
        return ()
    role, service = Ref("instance_role", "role_arn"), f"com.amazonaws.{facts.region}"
    gateway = _gateway_endpoint(config, facts, "s3", bucket_endpoint_statements(of_role, role, facts.partition, facts.region))
    if config.aws.endpoints == "s3":
        return (Item(gateway),)
    of_tables = table_endpoint_statements(of_role, role)
    tables = (Item(_gateway_endpoint(config, facts, "dynamodb", of_tables)),) if of_tables else ()
    machine = Ingress(443, Ref("security_group", "security_group_id"), "HTTPS from the machine")
    group = SecurityGroup(
        name="endpoints_security_group",
        group_name=f"{id}-endpoints",
        description=f"sre-agent {id}: VPC endpoints",
        vpc_id=vpc_id(config, facts),
        ingress=(machine,),
    )
    interfaces = (
        VpcEndpoint(
            name=f"endpoint_{name.replace('-', '_')}",
            vpc_id=vpc_id(config, facts),
            service_name=f"{service}.{name}",
            endpoint_type="Interface",
            statements=statements,
            subnet_ids=tuple(Ref(subnet.name, "subnet_id") for subnet in _subnets(config, facts)),
            security_group_ids=(Ref("endpoints_security_group", "security_group_id"),),
            private_dns=True,
        )
        for name, statements in endpoint_statements(of_role, role).items()
    )
    return (Item(gateway), *tables, Item(group), *map(Item, interfaces))


def _gateway_endpoint(config: Config, facts: AccountFacts, service: str, statements: tuple[Statement, ...]) -> VpcEndpoint:
    """Declare an endpoint that is a route, and costs nothing: S3 and DynamoDB have one."""
    return VpcEndpoint(
        name=f"endpoint_{service}",
        vpc_id=vpc_id(config, facts),
        service_name=f"com.amazonaws.{facts.region}.{service}",
        endpoint_type="Gateway",
        statements=statements,
        route_table_ids=(Ref("route_table", "route_table_id"),),
    )


def vpc_id(config: Config, facts: AccountFacts) -> LaterText:
    """Return the VPC of the deployment: the one that it creates, or the one that the account has."""
    return Ref("vpc", "vpc_id") if config.aws.creates_network else facts.vpc_id


def vpc_cidr(config: Config, facts: AccountFacts) -> str:
    """Return the IPv4 addresses of that VPC."""
    return config.aws.network_cidr if config.aws.creates_network else facts.vpc_cidr


def list_places(config: Config, facts: AccountFacts) -> tuple[LaunchPlace, ...]:
    """List where the machine may be launched: first as the configuration wants it, then its fallbacks in order."""
    chosen = config.deployment
    return (
        LaunchPlace(chosen.instance_type, _subnet_in(config, facts, "")),
        *(
            LaunchPlace(each.instance_type or chosen.instance_type, each.subnet_id or _subnet_in(config, facts, each.availability_zone))
            for each in chosen.fallbacks
        ),
    )


def _subnet_in(config: Config, facts: AccountFacts, zone: str) -> LaterText:
    """Return the subnet in an Availability Zone; the first one if none is named."""
    if config.aws.creates_network:
        return Ref(_subnet_name(zone or facts.zone), "subnet_id")
    # Without an account the zone itself says which subnet is needed.
    return facts.zones.get(zone, zone) or facts.subnet_id
