"""The public address, and the instance it points at."""

from __future__ import annotations

from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import attempt
from sre_agent_deploy.resources.ec2_address_association import AddressAssociation
from sre_agent_deploy.resources.ec2_calls import latest_image
from sre_agent_deploy.resources.ec2_elastic_ip import PORT_TAG, ElasticIp
from sre_core.problem import Problem

from .conftest import Marked
from .life import check_life_cycle, check_repair, create, delete, drift, read


def machine(aws: Aws) -> str:
    """Start an instance that is in no declaration."""
    image = latest_image(aws, "amazon-linux-2023")
    return aws.client("ec2").run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]


def test_an_address_from_creation_to_deletion(aws: Aws, marked: Marked) -> None:
    """It is allocated once and released."""
    check_life_cycle(aws, ElasticIp(name="address"), marked("address"))


def test_the_port_of_an_address(aws: Aws, marked: Marked, deployment: str) -> None:
    """HTTPS is where AWS says: on 443 without a word, or on the port that this machine's AWS had to give."""
    address = ElasticIp(name="address")
    id = create(aws, address, marked("address"))
    public_ip = read(aws, address, id).outputs["public_ip"]
    aws.client("ec2").create_tags(Resources=[id], Tags=[{"Key": PORT_TAG, "Value": "40123"}])
    assert read(aws, address, id).outputs["https_authority"] == f"{public_ip}:40123"
    aws.client("ec2").delete_tags(Resources=[id], Tags=[{"Key": PORT_TAG}])
    outputs = read(aws, address, id).outputs
    assert (outputs["https_port"], outputs["https_authority"]) == ("443", public_ip)
    delete(aws, address, id, deployment)


def test_an_association_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str) -> None:
    """An address moves from one machine to another in one call, and the id of its association stays."""
    address = ElasticIp(name="address")
    address_id, first, second = create(aws, address, marked("address")), machine(aws), machine(aws)
    declared = AddressAssociation(name="address_association", allocation_id=address_id, instance_id=first)
    assert AddressAssociation.read(aws, declared.natural_id(aws), "association") is None
    check_life_cycle(aws, declared, marked("association"))
    id = create(aws, declared, marked("association"))
    assert declared.create(aws, marked("association")) == id
    assert [owned.name for owned in AddressAssociation.owned(aws, deployment)] == ["address_association"]
    check_repair(aws, declared, id, instance_id=second)
    delete(aws, declared, id, deployment)
    delete(aws, address, address_id, deployment)
    aws.client("ec2").terminate_instances(InstanceIds=[first, second])


def test_an_address_that_is_in_use(aws: Aws, marked: Marked, deployment: str) -> None:
    """Releasing an address takes it from its machine first."""
    address = ElasticIp(name="address")
    id, instance_id = create(aws, address, marked("address")), machine(aws)
    association = AddressAssociation(name="association", allocation_id=id, instance_id=instance_id)
    association_id = create(aws, association, marked("association"))
    assert drift(aws, association, association_id) == ()
    delete(aws, address, id, deployment)
    assert AddressAssociation.read(aws, association_id, "association") is None
    aws.client("ec2").terminate_instances(InstanceIds=[instance_id])


def test_an_address_for_a_machine_that_is_gone(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is a Problem with a next step."""
    address = ElasticIp(name="address")
    id = create(aws, address, marked("address"))
    association: Any = AddressAssociation(name="association", allocation_id=id, instance_id="i-0123456789abcdef0")
    answer = attempt(lambda: association.create(aws, marked("association")), subject=association, failures=association.FAILURES)
    assert isinstance(answer, Problem)
    assert answer.code == "INSTANCE-NOT-FOUND"
    delete(aws, address, id, deployment)
