"""The parts of a VPC: made as declared, repaired, and deleted in the order that EC2 allows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resource import Waiting
from sre_agent_deploy.resources.ec2_internet_gateway import InternetGateway
from sre_agent_deploy.resources.ec2_route_table import RouteTable
from sre_agent_deploy.resources.ec2_security_group import Ingress, SecurityGroup
from sre_agent_deploy.resources.ec2_subnet import Subnet
from sre_agent_deploy.resources.ec2_vpc import Vpc
from sre_agent_deploy.resources.ec2_vpc_endpoint import VpcEndpoint
from sre_agent_deploy.resources.policy_document import Statement
from sre_core.problem import Problem

from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, read, refused


def test_a_network_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str) -> None:
    """Each part is as declared and repaired; what still uses a part is named where EC2 refuses its deletion."""
    ec2: Any = aws.client("ec2")
    vpc = Vpc(name="vpc", cidr_block="10.20.0.0/16")
    vpc_id = create(aws, vpc, marked("vpc"))
    assert drift(aws, vpc, vpc_id) == ()
    gateway = InternetGateway(name="internet_gateway", vpc_id=vpc_id)
    gateway_id = create(aws, gateway, marked("internet_gateway"))
    table = RouteTable(name="route_table", vpc_id=vpc_id, internet_gateway_id=gateway_id)
    table_id = create(aws, table, marked("route_table"))
    subnet = Subnet(name="subnet", vpc_id=vpc_id, cidr_block="10.20.0.0/20", availability_zone="us-east-1b", route_table_id=table_id)
    subnet_id = create(aws, subnet, marked("subnet"))
    assert [drift(aws, part, id) for part, id in ((gateway, gateway_id), (table, table_id), (subnet, subnet_id))] == [(), (), ()]

    ec2.detach_internet_gateway(InternetGatewayId=gateway_id, VpcId=vpc_id)
    assert [entry.field for entry in drift(aws, gateway, gateway_id)] == ["vpc_id"]
    configure(aws, gateway, gateway_id)
    other = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.replace_route(RouteTableId=table_id, DestinationCidrBlock="0.0.0.0/0", GatewayId=other)
    assert [entry.field for entry in drift(aws, table, table_id)] == ["internet_gateway_id"]
    configure(aws, table, table_id)
    ec2.delete_internet_gateway(InternetGatewayId=other)
    assert drift(aws, gateway, gateway_id) == drift(aws, table, table_id) == ()

    assert refused(aws, subnet, marked("subnet")).code == "SUBNET-CIDR-TAKEN"
    group = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=vpc_id)["GroupId"]
    interface = ec2.create_network_interface(SubnetId=subnet_id, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    for kind, id, user in ((Subnet, subnet_id, interface), (Vpc, vpc_id, subnet_id)):
        with pytest.raises(ClientError, match="DependencyViolation"):
            kind.delete(aws, id)
        blocker = kind.blockers(aws, id, "DependencyViolation")
        assert isinstance(blocker, Problem)
        assert (blocker.code, user in blocker.why) == ("NETWORK-IN-USE", True)
    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_security_group(GroupId=group)
    assert isinstance(Subnet.blockers(aws, subnet_id, "DependencyViolation"), Waiting)
    for part, id in ((subnet, subnet_id), (table, table_id), (gateway, gateway_id), (vpc, vpc_id)):
        assert read(aws, part, id).owner(deployment) == "us"
        delete(aws, part, id, deployment)


def test_a_vpc_whose_ipv6_addresses_are_not_chosen_yet(aws: Aws, marked: Marked) -> None:
    """EC2 shows the association before the addresses: it is waited for, and no second one is made."""
    ec2: Any = aws.client("ec2")
    vpc = Vpc(name="vpc", cidr_block="10.23.0.0/24", ipv6=True)
    id = vpc.create(aws, marked("vpc"))
    configure(aws, vpc, id)

    def hide(parsed: Any, **_: Any) -> None:
        for each in (each for shown in parsed["Vpcs"] for each in shown.get("Ipv6CidrBlockAssociationSet", ())):
            del each["Ipv6CidrBlock"]
            each["Ipv6CidrBlockState"] = {"State": "associating"}

    ec2.meta.events.register("after-call.ec2.DescribeVpcs", hide)
    try:
        found = read(aws, vpc, id)
        assert (found.seen, found.outputs.get("ipv6_cidr_block")) == (vpc, None)
        assert isinstance(vpc.ready(aws, id), Waiting)
        vpc.configure(aws, id)
    finally:
        ec2.meta.events.unregister("after-call.ec2.DescribeVpcs", hide)
    [shown] = ec2.describe_vpcs(VpcIds=[id])["Vpcs"]
    assert len(shown["Ipv6CidrBlockAssociationSet"]) == 1
    assert read(aws, vpc, id).outputs["ipv6_cidr_block"]


def test_settings_of_a_vpc(aws: Aws, marked: Marked) -> None:
    """Names are resolved, and the machine has one."""
    check_life_cycle(aws, Vpc(name="vpc", cidr_block="10.21.0.0/24", dns_hostnames=False), marked("vpc"))


def test_endpoints_of_a_vpc(aws: Aws, marked: Marked, deployment: str) -> None:
    """A gateway and an interface are as declared, created once by their token, and refused where EC2 has none or another one serves."""
    ec2: Any = aws.client("ec2")
    vpc_id = create(aws, Vpc(name="vpc", cidr_block="10.22.0.0/24"), marked("vpc"))
    [table] = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc_id]}])["RouteTables"]
    subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.22.0.0/28")["Subnet"]["SubnetId"]
    group = SecurityGroup(name="group", group_name=deployment, description="for tests", vpc_id=vpc_id, ingress=())
    group_id = create(aws, group, marked("group"))
    inner = SecurityGroup(
        name="inner",
        group_name=f"{deployment}-in",
        description="for tests",
        vpc_id=vpc_id,
        ingress=(Ingress(443, group_id, "HTTPS"),),
    )
    inner_id = create(aws, inner, marked("inner"))
    assert drift(aws, inner, inner_id) == ()
    own = {"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::123456789012:role/machine"}}
    only = (Statement("Read", ("s3:GetObject",), ("arn:aws:s3:::files/*",), own),)
    of_s3 = VpcEndpoint(
        name="s3",
        vpc_id=vpc_id,
        service_name="com.amazonaws.us-east-1.s3",
        endpoint_type="Gateway",
        statements=only,
        route_table_ids=(table["RouteTableId"],),
    )
    of_logs = VpcEndpoint(
        name="logs",
        vpc_id=vpc_id,
        service_name="com.amazonaws.us-east-1.logs",
        endpoint_type="Interface",
        statements=only,
        subnet_ids=(subnet_id,),
        security_group_ids=(inner_id,),
        private_dns=True,
    )
    once = marked("logs")
    s3_id, logs_id = create(aws, of_s3, marked("s3")), of_logs.create(aws, once)
    assert of_logs.create(aws, once) == logs_id
    assert (drift(aws, of_s3, s3_id), drift(aws, of_logs, logs_id)) == ((), ())
    check_repair(aws, of_logs, logs_id, statements=(), private_dns=False)
    other = replace(of_logs, service_name="com.amazonaws.us-east-1.nothing")
    assert [refused(aws, each, marked("again")).code for each in (of_s3, of_logs, other)] == ["VPC-ENDPOINT-REFUSED"] * 3
    with pytest.raises(ClientError, match=r"InvalidVpcEndpoint\.NotFound"):
        VpcEndpoint.delete(aws, "vpce-0123456789abcdef0")

    # The groups go with what uses them: the endpoint's interface, and a rule of another group of the same deployment.
    assert isinstance(SecurityGroup.blockers(aws, inner_id, "DependencyViolation"), Waiting)
    assert isinstance(SecurityGroup.blockers(aws, group_id, "DependencyViolation"), Waiting)
    for part, id in ((of_logs, logs_id), (of_s3, s3_id), (inner, inner_id), (group, group_id)):
        delete(aws, part, id, deployment)
    ec2.delete_subnet(SubnetId=subnet_id)
    Vpc.delete(aws, vpc_id)
