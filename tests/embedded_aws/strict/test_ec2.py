"""EC2 as strict as AWS: each row of what moto lets pass, over the wire."""

from __future__ import annotations

import ipaddress
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.embedded import EmbeddedAws

AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@pytest.fixture
def ec2(embedded: EmbeddedAws) -> Any:
    return embedded.client("ec2")


@pytest.fixture
def group_id(ec2: Any) -> str:
    return str(ec2.create_security_group(GroupName=f"group-{uuid.uuid4().hex[:8]}", Description="for a test")["GroupId"])


@pytest.fixture
def launch(embedded: EmbeddedAws, ec2: Any, group_id: str) -> Iterator[dict[str, Any]]:
    """The parameters of a launch with its own security group and client token; what was launched is terminated."""
    image_id = embedded.client("ssm").get_parameter(Name=AL2023)["Parameter"]["Value"]
    token = uuid.uuid4().hex
    yield {
        "ImageId": image_id,
        "InstanceType": "t3.xlarge",
        "MinCount": 1,
        "MaxCount": 1,
        "SecurityGroupIds": [group_id],
        "ClientToken": token,
    }
    for reservation in ec2.describe_instances(Filters=[{"Name": "client-token", "Values": [token]}])["Reservations"]:
        ec2.terminate_instances(InstanceIds=[instance["InstanceId"] for instance in reservation["Instances"]])


def code_of(refused: pytest.ExceptionInfo[ClientError]) -> str:
    return str(refused.value.response["Error"]["Code"])


def test_the_same_client_token_is_the_same_instance(ec2: Any, launch: dict[str, Any]) -> None:
    """A launch whose answer was lost can be sent again."""
    first, second = ec2.run_instances(**launch), ec2.run_instances(**launch)

    assert first["Instances"][0]["InstanceId"] == second["Instances"][0]["InstanceId"]
    assert first["ReservationId"] == second["ReservationId"]
    found = ec2.describe_instances(Filters=[{"Name": "client-token", "Values": [launch["ClientToken"]]}])
    assert len(found["Reservations"]) == 1


def test_another_token_is_another_instance(ec2: Any, launch: dict[str, Any]) -> None:
    """Two launches with different tokens are two instances."""
    first = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    second = ec2.run_instances(**{**launch, "ClientToken": uuid.uuid4().hex})["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[second])

    assert first != second


@pytest.mark.parametrize("change", [{"InstanceType": "t3.large"}, {"UserData": "#!/bin/sh"}, {"MaxCount": 2}])
def test_a_client_token_with_other_parameters_is_refused(ec2: Any, launch: dict[str, Any], change: dict[str, Any]) -> None:
    """A token that was used for something else never launches that something silently."""
    ec2.run_instances(**launch)
    with pytest.raises(ClientError) as refused:
        ec2.run_instances(**{**launch, **change})

    assert code_of(refused) == "IdempotentParameterMismatch"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "no-image"}, "InvalidAMIID.Malformed"),
        ({"InstanceType": "t9.gigantic"}, "InvalidInstanceType.NotFound"),
        ({"KeyName": "nobodys-key"}, "InvalidKeyPair.NotFound"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"IamInstanceProfile": {"Name": "nobodys-profile"}}, "InvalidParameterValue"),
    ],
)
def test_a_launch_of_what_does_not_exist_is_refused(ec2: Any, launch: dict[str, Any], change: dict[str, Any], code: str) -> None:
    """Everything that a launch names must exist."""
    with pytest.raises(ClientError) as refused:
        ec2.run_instances(**{**launch, **change})

    assert code_of(refused) in (code, "NoSuchEntity")


def test_a_group_that_does_not_exist_on_an_interface_is_refused(ec2: Any, launch: dict[str, Any]) -> None:
    """Also where the group is named on the network interface."""
    del launch["SecurityGroupIds"]
    interface = {"DeviceIndex": 0, "Groups": ["sg-0123456789abcdef0"], "AssociatePublicIpAddress": True}
    with pytest.raises(ClientError) as refused:
        ec2.run_instances(**launch, NetworkInterfaces=[interface])

    assert code_of(refused) == "InvalidGroup.NotFound"


def test_a_security_group_in_use_stays(ec2: Any, launch: dict[str, Any], group_id: str) -> None:
    """It can be deleted once the instance is gone, and not before."""
    instance_id = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    with pytest.raises(ClientError) as refused:
        ec2.delete_security_group(GroupId=group_id)
    assert code_of(refused) == "DependencyViolation"

    ec2.terminate_instances(InstanceIds=[instance_id])
    ec2.delete_security_group(GroupId=group_id)


def test_a_security_group_that_another_names_stays(ec2: Any, group_id: str) -> None:
    """A rule that lets a group in holds that group."""
    other = ec2.create_security_group(GroupName=f"other-{uuid.uuid4().hex[:8]}", Description="names the first")["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 8011, "ToPort": 8014, "UserIdGroupPairs": [{"GroupId": group_id}]}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
    with pytest.raises(ClientError) as refused:
        ec2.delete_security_group(GroupId=group_id)
    assert code_of(refused) == "DependencyViolation"

    ec2.delete_security_group(GroupId=other)
    ec2.delete_security_group(GroupId=group_id)


def test_an_instance_leaves_nothing_behind(ec2: Any, launch: dict[str, Any], group_id: str) -> None:
    """Its interface and its root volume go with it."""
    instance = ec2.run_instances(**launch)["Instances"][0]
    volumes = [{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}]
    assert ec2.describe_volumes(Filters=volumes)["Volumes"]
    ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])

    assert ec2.describe_network_interfaces(Filters=[{"Name": "group-id", "Values": [group_id]}])["NetworkInterfaces"] == []
    assert ec2.describe_volumes(Filters=volumes)["Volumes"] == []


def test_every_address_is_on_this_machine(ec2: Any, launch: dict[str, Any]) -> None:
    """Nothing that a client sends to an instance can reach a stranger."""
    instance = ec2.run_instances(**launch)["Instances"][0]
    described = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
    elastic = ec2.allocate_address(Domain="vpc")
    addresses = [described["PrivateIpAddress"], described.get("PublicIpAddress", "127.0.0.1"), elastic["PublicIp"]]
    ec2.release_address(AllocationId=elastic["AllocationId"])

    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)


def test_an_address_can_not_be_chosen(ec2: Any, launch: dict[str, Any]) -> None:
    """A private address of the VPC would not be on this machine, and a public one has another owner."""
    with pytest.raises(ClientError) as refused:
        ec2.run_instances(**launch, SubnetId=ec2.describe_subnets()["Subnets"][0]["SubnetId"], PrivateIpAddress="172.31.0.77")
    assert code_of(refused) == "InvalidParameterValue"
    with pytest.raises(ClientError) as refused:
        ec2.allocate_address(Domain="vpc", Address="203.0.113.7")
    assert code_of(refused) == "InvalidAddress.NotFound"


def test_an_elastic_ip_listens_where_its_tag_says(ec2: Any) -> None:
    """From its allocation to its release there is a server behind the address; the port is in the tag."""
    elastic = ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "mine", "Value": "kept"}]}]
    )
    (described,) = ec2.describe_addresses(AllocationIds=[elastic["AllocationId"]])["Addresses"]
    tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
    door = (elastic["PublicIp"], int(tags["embedded-aws:port-443"]))

    assert tags["mine"] == "kept"
    socket.create_connection(door, timeout=120).close()
    ec2.release_address(AllocationId=elastic["AllocationId"])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(door, timeout=120)


def test_an_elastic_ip_in_use_is_not_released(ec2: Any, launch: dict[str, Any]) -> None:
    """It is free again when it is taken off, or when its instance ends."""
    instance_id = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=allocation, InstanceId=instance_id)
    with pytest.raises(ClientError) as refused:
        ec2.release_address(AllocationId=allocation)
    assert code_of(refused) == "InvalidIPAddress.InUse"

    ec2.terminate_instances(InstanceIds=[instance_id])
    assert "AssociationId" not in ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]
    ec2.release_address(AllocationId=allocation)


def test_an_instance_without_user_data_stops_and_starts(ec2: Any, launch: dict[str, Any]) -> None:
    """A plain AMI runs and does nothing, as on AWS."""
    instance_id = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    ec2.stop_instances(InstanceIds=[instance_id])
    ec2.start_instances(InstanceIds=[instance_id])

    (status,) = ec2.describe_instance_status(InstanceIds=[instance_id])["InstanceStatuses"]
    assert status["InstanceState"]["Name"] == "running"


def test_tags_at_launch(ec2: Any, launch: dict[str, Any]) -> None:
    """On the instance, its volumes and its interfaces: nothing that a launch makes is nameless."""
    tags = [{"Key": "deployment", "Value": uuid.uuid4().hex}]
    ec2.run_instances(
        **launch, TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("instance", "volume", "network-interface")]
    )
    wanted = [{"Name": "tag:deployment", "Values": [tags[0]["Value"]]}]

    assert len(ec2.describe_instances(Filters=wanted)["Reservations"]) == 1
    assert len(ec2.describe_volumes(Filters=wanted)["Volumes"]) == 1
    assert len(ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]) == 1


def test_terminating_twice_is_no_error(ec2: Any, launch: dict[str, Any]) -> None:
    """The second time it was terminated already."""
    instance_id = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[instance_id])
    (again,) = ec2.terminate_instances(InstanceIds=[instance_id])["TerminatingInstances"]

    assert again["PreviousState"]["Name"] == "terminated"


def test_a_machine_protected_from_being_stopped_stays(ec2: Any, launch: dict[str, Any]) -> None:
    """Stop protection keeps it from being terminated too."""
    instance_id = ec2.run_instances(**launch)["Instances"][0]["InstanceId"]
    ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiStop={"Value": True})
    with pytest.raises(ClientError) as refused:
        ec2.terminate_instances(InstanceIds=[instance_id])

    assert code_of(refused) == "OperationNotPermitted"
    ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiStop={"Value": False})


def test_an_address_with_a_reverse_dns_record_stays(ec2: Any) -> None:
    """It is released once the record is gone."""
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.modify_address_attribute(AllocationId=address, DomainName="mail.example.com")
    with pytest.raises(ClientError) as refused:
        ec2.release_address(AllocationId=address)

    assert code_of(refused) == "InvalidAddress.Locked"
    ec2.reset_address_attribute(AllocationId=address, Attribute="domain-name")
    ec2.release_address(AllocationId=address)
