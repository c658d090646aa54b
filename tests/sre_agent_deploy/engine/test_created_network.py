"""A network that is created is part of the deployment and goes with it; a security group that is named stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from fixtures.engine import Engine
from sre_agent_deploy.account.account import Account, look_up_account
from sre_agent_deploy.checks.preflight import Context
from sre_agent_deploy.checks.preflight.network import GroupFacts, SecurityGroupUsable
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.plan import Action
from sre_core import clock


def test_a_deployment_with_its_own_network(engine: Engine, faults: Callable[..., None]) -> None:
    """The machine is in a subnet of the new VPC, in the zone that has capacity; a cleanup without the state leaves nothing of it."""
    engine.parts = ("instance", "address_association")
    engine.sections = {"aws": {"network": "create"}, "deployment": {"fallbacks": [{"availability_zone": "us-east-1b"}]}}
    faults({"kind": "capacity", "zone": "us-east-1a"})
    engine.deploy()
    ec2 = engine.client("ec2")
    mine: Any = [{"Name": "tag:sre-agent:deployment-id", "Values": [engine.id]}]
    [vpc] = ec2.describe_vpcs(Filters=mine)["Vpcs"]
    assert vpc["CidrBlock"] == "10.20.0.0/16"
    subnets = {
        subnet["SubnetId"]: (subnet["CidrBlock"], subnet["AvailabilityZone"]) for subnet in ec2.describe_subnets(Filters=mine)["Subnets"]
    }
    assert sorted(subnets.values()) == [("10.20.0.0/20", "us-east-1a"), ("10.20.16.0/20", "us-east-1b")]
    machine = ec2.describe_instances(InstanceIds=[engine.id_of("instance")])["Reservations"][0]["Instances"][0]
    assert subnets[machine["SubnetId"]][1] == "us-east-1b"
    assert machine["PublicIpAddress"]
    group = ec2.describe_security_groups(GroupIds=[engine.id_of("security_group")])["SecurityGroups"][0]
    inside = {rule["FromPort"] for rule in group["IpPermissions"] for each in rule["IpRanges"] if each["CidrIp"] == "10.20.0.0/16"}
    assert (group["VpcId"], inside) == (vpc["VpcId"], {8011, 8012, 8013, 8014})
    [table] = ec2.describe_route_tables(Filters=mine)["RouteTables"]
    assert {each["SubnetId"] for each in table["Associations"]} == set(subnets)

    cleaned = engine.cleanup(lost=True)
    assert cleaned.problems == ()
    left = (ec2.describe_vpcs, ec2.describe_subnets, ec2.describe_route_tables, ec2.describe_internet_gateways)
    assert [[value for key, value in look(Filters=mine).items() if key != "ResponseMetadata"] for look in left] == [[[]]] * 4


def test_endpoints_of_a_created_network(engine: Engine) -> None:
    """AWS is reached through them by the machine alone, with what its role may do; without them again nothing of them is left."""
    engine.parts = ("instance",)
    engine.sections = {"aws": {"network": "create", "endpoints": "all"}, "assistant": {"session_store": "dynamodb"}}
    engine.deploy()
    assert engine.changes() == {}
    ec2: Any = engine.client("ec2")
    mine: Any = [{"Name": "tag:sre-agent:deployment-id", "Values": [engine.id]}]
    found = {each["ServiceName"].rpartition(".")[2]: each for each in ec2.describe_vpc_endpoints(Filters=mine)["VpcEndpoints"]}
    interfaces = {"secretsmanager", "monitoring", "ssm", "ssmmessages", "ec2messages"}
    assert set(found) == {"s3", "dynamodb", *interfaces}
    assert all(found[name]["RouteTableIds"] == [engine.id_of("route_table")] for name in ("s3", "dynamodb"))
    [sessions] = json.loads(found["dynamodb"]["PolicyDocument"])["Statement"]
    table = f"arn:aws:dynamodb:us-east-1:{engine.aws.account_id}:table/{engine.id}-sessions"
    assert (sessions["Action"], sessions["Resource"]) == (["dynamodb:PutItem", "dynamodb:Query"], [table])
    [group] = ec2.describe_security_groups(GroupIds=[engine.id_of("endpoints_security_group")])["SecurityGroups"]
    [rule] = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], [each["GroupId"] for each in rule["UserIdGroupPairs"]]) == (
        443,
        443,
        [engine.id_of("security_group")],
    )
    assert not rule["IpRanges"] and not rule["Ipv6Ranges"]
    for name in interfaces:
        shown = found[name]
        assert (shown["PrivateDnsEnabled"], shown["SubnetIds"]) == (True, [engine.id_of("subnet_a")])
        assert [each["GroupId"] for each in shown["Groups"]] == [group["GroupId"]]
    role = engine.client("iam").get_role(RoleName=engine.id_of("instance_role"))["Role"]["Arn"]
    statements = [statement for each in found.values() for statement in json.loads(each["PolicyDocument"])["Statement"]]
    open_to_all = [each for each in statements if each.get("Condition", {}).get("ArnEquals") != {"aws:PrincipalArn": role}]
    assert [(each["Action"], each["Resource"]) for each in open_to_all] == [
        (["s3:GetObject"], ["arn:aws:s3:::al2023-repos-us-east-1-de612dc2/*", "arn:aws:s3:::amazoncloudwatch-agent-us-east-1/*"])
    ]
    secrets = [each for each in statements if "secretsmanager:GetSecretValue" in each["Action"]]
    assert len(secrets) == 1
    assert all(resource.startswith("arn:aws:secretsmanager:") and engine.id in resource for resource in secrets[0]["Resource"])

    engine.sections = {"aws": {"network": "create"}}
    engine.deploy()
    assert ec2.describe_vpc_endpoints(Filters=mine)["VpcEndpoints"] == []
    assert engine.cleanup(lost=True).problems == ()
    assert ec2.describe_security_groups(Filters=mine)["SecurityGroups"] == []


def test_a_named_security_group(engine: Engine) -> None:
    """It is read and checked, the machine is in it, and neither a deployment nor a cleanup changes or deletes it."""
    ec2: Any = engine.client("ec2")
    group = ec2.create_security_group(GroupName=engine.name, Description="theirs", VpcId=engine.site.vpc_id)["GroupId"]
    engine.parts, engine.sections = ("instance",), {"aws": {"security_group_id": group}}
    world = Context(Config.model_validate({"mode": "local", **engine.sections}), engine.aws, clock.now())

    def verdict() -> str:
        facts = SecurityGroupUsable().probe(world)
        assert isinstance(facts, GroupFacts)
        problem = SecurityGroupUsable().judge(facts).problem
        return problem.code if problem else ""

    assert verdict() == "SECURITY-GROUP-NOT-USABLE"
    anyone = [{"CidrIp": "0.0.0.0/0"}]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": anyone}]
    )
    assert verdict() == ""
    before = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    engine.deploy()
    assert engine.changes() == {}
    machine = ec2.describe_instances(InstanceIds=[engine.id_of("instance")])["Reservations"][0]["Instances"][0]
    assert [each["GroupId"] for each in machine["SecurityGroups"]] == [group]
    assert engine.cleanup().problems == ()
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"] == before
    ec2.delete_security_group(GroupId=group)
    assert verdict() == "SECURITY-GROUP-NOT-FOUND"


def _zones(engine: Engine) -> set[str]:
    """The Availability Zones of the machines that run."""
    mine: Any = [{"Name": "tag:sre-agent:deployment-id", "Values": [engine.id]}, {"Name": "instance-state-name", "Values": ["running"]}]
    found = engine.client("ec2").describe_instances(Filters=mine)["Reservations"]
    return {each["Placement"]["AvailabilityZone"] for group in found for each in group["Instances"]}


def _ranges(engine: Engine) -> set[str]:
    """The addresses of each VPC of the deployment."""
    mine: Any = [{"Name": "tag:sre-agent:deployment-id", "Values": [engine.id]}]
    return {vpc["CidrBlock"] for vpc in engine.client("ec2").describe_vpcs(Filters=mine)["Vpcs"]}


def test_ipv6_of_a_deployment_that_runs(engine: Engine) -> None:
    """It is switched on in place but for the machine, which is replaced, and names it in one record; off, nothing leads there any more."""
    zone = engine.client("route53").create_hosted_zone(Name="ipv6.example", CallerReference="ipv6")["HostedZone"]["Id"].rpartition("/")[2]
    named = {"domain_name": "sre.ipv6.example", "hosted_zone_id": zone, "dns_ttl": 0}
    engine.parts = ("instance", "dns_record")
    engine.sections = {"aws": {"network": "create"}, "deployment": named}
    engine.deploy()
    assert set(_records(engine, zone, "sre.ipv6.example.")) == {"A"}
    engine.sections["aws"]["ipv6"] = True
    plan = engine.plan()
    planned = {change.name: change.action for change in plan.changes}
    network = ("vpc", "subnet_a", "route_table", "security_group")
    assert ({planned[name] for name in network}, planned["instance"]) == ({Action.UPDATE}, Action.REPLACE)
    engine.deploy(plan)
    ec2: Any = engine.client("ec2")
    [vpc] = ec2.describe_vpcs(VpcIds=[engine.id_of("vpc")])["Vpcs"]
    [subnet] = ec2.describe_subnets(SubnetIds=[engine.id_of("subnet_a")])["Subnets"]
    whole, part = (IPv6Network(each["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]) for each in (vpc, subnet))
    assert (whole.prefixlen, part) == (56, next(whole.subnets(new_prefix=64)))
    assert subnet["AssignIpv6AddressOnCreation"]
    [table] = ec2.describe_route_tables(RouteTableIds=[engine.id_of("route_table")])["RouteTables"]
    [route] = [each for each in table["Routes"] if each.get("DestinationIpv6CidrBlock") == "::/0"]
    assert route["GatewayId"] == engine.id_of("internet_gateway")
    machine = ec2.describe_instances(InstanceIds=[engine.id_of("instance")])["Reservations"][0]["Instances"][0]
    [address] = [each["Ipv6Address"] for each in machine["NetworkInterfaces"][0]["Ipv6Addresses"]]
    assert IPv6Address(address) in part
    records = _records(engine, zone, "sre.ipv6.example.")
    assert (set(records), records["AAAA"]) == ({"A", "AAAA"}, [address])

    engine.sections["aws"]["ipv6"] = False
    engine.deploy()
    assert set(_records(engine, zone, "sre.ipv6.example.")) == {"A"}
    group = ec2.describe_security_groups(GroupIds=[engine.id_of("security_group")])["SecurityGroups"][0]
    assert not [rule for rule in group["IpPermissions"] if rule["Ipv6Ranges"]]
    machine = ec2.describe_instances(InstanceIds=[engine.id_of("instance")])["Reservations"][0]["Instances"][0]
    assert machine["NetworkInterfaces"][0]["Ipv6Addresses"] == []
    assert engine.cleanup(lost=True).problems == ()


def _records(engine: Engine, zone: str, name: str) -> dict[str, list[str]]:
    """The values of the records of a name, by their types."""
    listed = engine.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    return {each["Type"]: [value["Value"] for value in each["ResourceRecords"]] for each in listed if each["Name"] == name}


def test_another_network_of_a_deployment_that_runs(engine: Engine) -> None:
    """The machine is replaced beside the old one, in each direction: the address stays, and the network before goes with its machine.

    Without a zone in the configuration the one in use counts: what EC2 lists first later replaces nothing.
    """
    engine.parts = ("instance", "address_association")
    engine.deploy()
    first, address, group = engine.id_of("instance"), engine.id_of("address"), engine.id_of("security_group")
    engine.sections = {"aws": {"network": "create"}}
    plan = engine.plan()
    planned = {change.name: change.action for change in plan.changes}
    assert (planned["instance"], planned["security_group"], planned["address"]) == (Action.REPLACE, Action.REPLACE, Action.KEEP)
    engine.deploy(plan)
    assert engine.id_of("instance") != first
    assert (engine.id_of("address"), _ranges(engine)) == (address, {"10.20.0.0/16"})
    assert not engine.client("ec2").describe_security_groups(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroups"]

    engine.site = replace(engine.site, zone="us-east-1b")
    engine.sections = {"aws": {"network": "create", "network_cidr": "10.30.0.0/16"}, "deployment": {"keep_previous": "1h"}}
    engine.deploy()
    # The machine before is kept, and so is what it uses.
    assert (_zones(engine), _ranges(engine)) == ({"us-east-1a", "us-east-1b"}, {"10.20.0.0/16", "10.30.0.0/16"})

    engine.sections = {"aws": {"network": "create", "network_cidr": "10.30.0.0/16"}}
    config = Config.model_validate({"mode": "local", "name": engine.name, **engine.sections})
    engine.site = replace(engine.site, zone=look_up_account(config, Account(engine.aws)).zone)
    assert engine.site.zone == "us-east-1b"

    engine.sections = {}
    engine.deploy()
    assert (engine.id_of("address"), _ranges(engine)) == (address, set())
