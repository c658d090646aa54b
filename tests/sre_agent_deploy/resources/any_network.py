"""Generate values for the fields of networks, addresses and machines, within EC2's limits."""

from __future__ import annotations

import ipaddress
from typing import Any

from hypothesis import strategies as st

from sre_agent_deploy.resources.agentcore_runtime import RuntimeNetwork
from sre_agent_deploy.resources.ec2_boot import LaunchPlace
from sre_agent_deploy.resources.ec2_security_group import ANYWHERE, Egress, Ingress
from sre_agent_deploy.resources.ec2_subnet import NO_IPV6

from .any_values import NAMES, STATEMENTS, Choices, named, some
from .parents import ZONES, Parents

# What EC2 takes in the names and descriptions of groups and rules.
GROUP_WORDS = NAMES + " ._-:/()#,@[]+=&;{}!$*"
BLOCKS = st.one_of(
    st.builds(lambda address, size: _block(f"{address}/{size}"), st.ip_addresses(v=4), st.integers(1, 32)),
    st.builds(lambda address, size: _block(f"{address}/{size}"), st.ip_addresses(v=6), st.integers(1, 128)),
    st.sampled_from(("0.0.0.0/0", "::/0")),
)
PORTS = st.integers(0, 65535)
TYPES = ("t3.medium", "t3.xlarge", "m6i.xlarge", "m7i.2xlarge", "c6i.4xlarge")


def _block(text: str) -> str:
    return str(ipaddress.ip_network(text, strict=False))


def _words(most: int) -> Any:
    return st.text(GROUP_WORDS, min_size=1, max_size=most).map(str.strip).filter(bool)


def runtime_networks(parents: Parents) -> Any:
    inside = st.builds(RuntimeNetwork, some(parents.named["subnet_id"], 1), some(parents.named["security_group_id"], 1))
    return st.one_of(st.just(RuntimeNetwork()), inside)


def vpc(parents: Parents) -> Choices:
    blocks = st.builds(lambda address, size: _block(f"{address}/{size}"), st.ip_addresses(v=4, network="10.0.0.0/8"), st.integers(16, 28))
    # Names are given only where they are resolved.
    return {"cidr_block": blocks, ("dns_support", "dns_hostnames"): st.sampled_from(((True, True), (True, False), (False, False)))}


def subnet(parents: Parents) -> Choices:
    blocks = st.builds(
        lambda address, size: _block(f"{address}/{size}"), st.ip_addresses(v=4, network="10.77.128.0/17"), st.integers(17, 28)
    )
    numbers = st.integers(len(ZONES), 255)
    return {
        "cidr_block": blocks,
        "availability_zone": st.sampled_from(ZONES),
        ("ipv6_number", "assign_ipv6_address_on_creation"): st.one_of(st.just((NO_IPV6, False)), st.tuples(numbers, st.booleans())),
    }


def route_table(parents: Parents) -> Choices:
    return {"ipv6_internet_gateway_id": st.sampled_from(("", *parents.named["internet_gateway_id"]))}


def internet_gateway(parents: Parents) -> Choices:
    # A VPC has one at most.
    return {"vpc_id": st.sampled_from(parents.named["bare_vpc_id"])}


def security_group(parents: Parents) -> Choices:
    sources = st.one_of(BLOCKS, st.sampled_from(parents.named["security_group_id"]))
    ingress = st.lists(st.builds(Ingress, PORTS, sources, _words(255)), max_size=8, unique_by=lambda rule: rule.opens)
    spans = st.tuples(PORTS, PORTS).map(lambda ports: (min(ports), max(ports)))
    egress = st.lists(st.builds(Egress, BLOCKS, st.sampled_from(("tcp", "udp")), spans), max_size=5, unique_by=str)
    return {
        "group_name": named(parents, GROUP_WORDS, 255),
        "description": _words(255),
        "ingress": ingress.map(tuple),
        "egress": st.one_of(st.just((ANYWHERE,)), egress.map(tuple)),
    }


def vpc_endpoint(parents: Parents) -> Choices:
    place = ("service_name", "endpoint_type", "route_table_ids", "subnet_ids", "security_group_ids", "private_dns")
    service = "com.amazonaws.us-east-1.{}".format
    tables = some(parents.named["route_table_id"], 1)
    gateways = st.tuples(
        st.sampled_from(("s3", "dynamodb")).map(service), st.just("Gateway"), tables, st.just(()), st.just(()), st.just(False)
    )
    interfaces = st.tuples(
        st.sampled_from(("logs", "ssm", "secretsmanager", "monitoring")).map(service),
        st.just("Interface"),
        st.just(()),
        some(parents.named["subnet_id"], 1),
        some(parents.named["security_group_id"], 1),
        st.booleans(),
    )
    return {place: st.one_of(gateways, interfaces), "statements": STATEMENTS.filter(bool)}


def instance(parents: Parents) -> Choices:
    places = st.builds(LaunchPlace, st.sampled_from(TYPES), st.sampled_from(parents.named["subnet_id"]))
    return {
        "instance_type": st.sampled_from(TYPES),
        "fallbacks": some(places),
        "instead_of": st.just(""),
        "user_data": st.text(NAMES + "#:-{}\n äö", min_size=1, max_size=500).map("#cloud-config\n{}".format),
        "volume_gb": st.integers(8, 16384),
        # With one it works when its bootstrap has reported, which only our own user data does.
        "status_uri": st.just(""),
        "operating_system": st.sampled_from(("", "amazon-linux-2023", "ubuntu-22.04")),
        "http_tokens": st.sampled_from(("required", "optional")),
        "http_endpoint": st.sampled_from(("enabled", "disabled")),
        "hop_limit": st.integers(1, 64),
        # Where it is enabled, EC2 takes no keys with spaces or slashes.
        "metadata_tags": st.just("disabled"),
        # The others need a number of operations.
        "volume_type": st.sampled_from(("gp2", "gp3")),
    }
