"""The machine: created as declared and never changed; ready when its own reports are complete."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from botocore.exceptions import ClientError

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.later import Ref
from sre_agent_deploy.resource import Ready, Waiting
from sre_agent_deploy.resources.ec2_boot import STEPS
from sre_agent_deploy.resources.ec2_calls import latest_image
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_agent_deploy.resources.ec2_security_group import SecurityGroup
from sre_agent_deploy.resources.iam_instance_profile import InstanceProfile
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_core.problem import Problem

from .conftest import Marked
from .life import check_life_cycle, create, delete, drift, read, refused, until


@pytest.fixture
def machine(aws: Aws, marked: Marked, deployment: str) -> Ec2Instance:
    """A machine with everything that it needs; its user data starts nothing."""
    path = f"/sre-agent/{deployment}/"
    role = IamRole(name="role", role_name=f"{deployment}-instance", path=path, service="ec2.amazonaws.com")
    profile = InstanceProfile(name="profile", profile_name=f"{deployment}-instance", path=path, role_name=role.role_name)
    vpc: Any = aws.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]
    subnets = aws.client("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    group = SecurityGroup(name="group", group_name=deployment, description="for tests", vpc_id=vpc["VpcId"], ingress=())
    bucket = S3Bucket(name="bucket", bucket_name=f"{deployment}-files")
    create(aws, role, marked("role"))
    profile_arn = read(aws, profile, create(aws, profile, marked("profile"))).outputs["profile_arn"]
    return Ec2Instance(
        name="instance",
        image_id=latest_image(aws, "amazon-linux-2023"),
        instance_type="t3.xlarge",
        subnet_id=subnets[0]["SubnetId"],
        security_group_id=create(aws, group, marked("group")),
        profile_arn=str(profile_arn),
        user_data="#cloud-config\n# ünïcode\n{}\n",
        volume_gb=50,
        status_uri=f"s3://{create(aws, bucket, marked('bucket'))}/status/instance-1/",
    )


def without_reports(machine: Ec2Instance) -> dict[str, Any]:
    return {**vars(machine), "status_uri": ""}


def report(aws: Aws, machine: Ec2Instance, id: str, step: str, state: str, **more: Any) -> None:
    bucket, _, prefix = str(machine.status_uri).removeprefix("s3://").partition("/")
    status = {"step": step, "state": state, "time": "2026-11-22T14:35:40Z", "what": "", "output": "", **more}
    aws.client("s3").put_object(Bucket=bucket, Key=f"{prefix}{id}/{step}.json", Body=json.dumps(status).encode())


def running(aws: Aws, machine: Ec2Instance, marked: Marked) -> str:
    id = machine.create(aws, marked("instance"))
    assert until(lambda: machine.ready(aws, id) != Waiting("instance is pending"))
    return id


def test_a_machine_from_creation_to_deletion(aws: Aws, marked: Marked, machine: Ec2Instance) -> None:
    """AWS shows every declared value, user data included; after termination it shows none."""
    check_life_cycle(aws, Ec2Instance(**without_reports(machine)), marked("instance"))


def test_how_a_machine_is_created(aws: Aws, marked: Marked, deployment: str, machine: Ec2Instance) -> None:
    """IMDSv2 is required, its one volume is an encrypted gp3 of the declared size, and both have the deployment's tags."""
    id = machine.create(aws, marked("instance"))
    shown: Any = aws.client("ec2").describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]
    assert shown["MetadataOptions"]["HttpTokens"] == "required"
    attached: Any = aws.client("ec2").describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [id]}])["Volumes"]
    assert [(volume["VolumeType"], volume["Encrypted"], volume["Size"]) for volume in attached] == [("gp3", True, 50)]
    tags = {(tag["Key"], tag["Value"]) for tag in attached[0]["Tags"]}
    assert ("sre-agent:deployment-id", deployment) in tags
    delete(aws, machine, id, deployment)


def test_a_creation_that_is_sent_again(aws: Aws, marked: Marked, deployment: str, machine: Ec2Instance) -> None:
    """The client token answers with the same machine."""
    mark = marked("instance")
    id = machine.create(aws, mark)
    assert machine.create(aws, mark) == id
    assert [owned.id for owned in Ec2Instance.owned(aws, deployment)] == [id]
    delete(aws, machine, id, deployment)


def test_another_declaration(aws: Aws, marked: Marked, deployment: str, machine: Ec2Instance) -> None:
    """Any difference needs another machine: nothing of this one is changed in place."""
    id = running(aws, machine, marked)
    other = {"instance_type": "m6i.xlarge", "volume_gb": 51, "user_data": "#cloud-config\n{a: b}\n", "key_name": "ops", "status_uri": ""}
    wanted = Ec2Instance(**{**vars(machine), **other})
    assert {entry.field for entry in drift(aws, wanted, id)} == set(other)
    assert set(other) <= Ec2Instance.FIXED
    delete(aws, machine, id, deployment)


def test_a_machine_that_reports(aws: Aws, marked: Marked, deployment: str, machine: Ec2Instance) -> None:
    """Waiting names the step; ready is when the last report is, and says where the front door listens."""
    id = running(aws, machine, marked)
    assert machine.ready(aws, id) == Waiting("instance is running; its bootstrap has not reported yet")
    for step in STEPS[:-1]:
        report(aws, machine, id, step, "running")
        waiting = machine.ready(aws, id)
        assert isinstance(waiting, Waiting)
        assert f"is at {step}" in waiting.for_
        report(aws, machine, id, step, "ok")
    report(aws, machine, id, "ready", "ok", listeners=[{"port": 443, "address": "127.0.9.1", "actual_port": 40123}])
    assert machine.ready(aws, id) == Ready()
    assert read(aws, machine, id).outputs["private_url"] == "https://127.0.9.1:40123"
    delete(aws, machine, id, deployment)
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=f"{deployment}-files")


def test_a_machine_whose_bootstrap_fails(aws: Aws, marked: Marked, deployment: str, machine: Ec2Instance) -> None:
    """The Problem names the step and has the end of its output."""
    id = running(aws, machine, marked)
    report(aws, machine, id, "release", "ok")
    report(aws, machine, id, "credentials", "failed", what="The secret could not be read.", output="AccessDeniedException")
    problem = machine.ready(aws, id)
    assert isinstance(problem, Problem)
    assert problem.code == "INSTANCE-BOOT-FAILED"
    assert "credentials: The secret could not be read." in problem.what
    assert "AccessDeniedException" in problem.why
    delete(aws, machine, id, deployment)


def test_two_machines_beside_each_other(aws: Aws, marked: Marked, deployment: str, machine: Ec2Instance) -> None:
    """Each is judged by its own reports alone, and takes no more than these along when it goes."""
    old, new = running(aws, machine, marked), running(aws, machine, marked)
    report(aws, machine, old, "ready", "ok")
    report(aws, machine, new, "services", "failed")
    assert machine.ready(aws, old) == Ready()
    assert isinstance(machine.ready(aws, new), Problem)
    assert (read(aws, machine, old).broken, read(aws, machine, new).broken) == ("", "its bootstrap failed at services")
    Ec2Instance.delete(aws, new)
    assert machine.ready(aws, old) == Ready()
    delete(aws, machine, old, deployment)
    assert "Contents" not in aws.client("s3").list_objects_v2(Bucket=f"{deployment}-files")


def test_reports_go_before_the_instance(aws: Aws, marked: Marked, deployment: str, machine: Ec2Instance) -> None:
    """A run that is killed right after the termination leaves none of them, though nothing finds the instance any more."""
    old, new = running(aws, machine, marked), running(aws, machine, marked)
    report(aws, machine, old, "ready", "ok")
    at_termination: list[bool] = []
    listed = aws.client("s3").list_objects_v2
    aws.client("ec2").meta.events.register_first(
        "before-send.ec2.TerminateInstances", lambda **_: at_termination.append("Contents" in listed(Bucket=f"{deployment}-files"))
    )
    Ec2Instance.delete(aws, old)
    assert at_termination == [False]
    delete(aws, machine, new, deployment)


@pytest.mark.parametrize("protection", ["DisableApiTermination", "DisableApiStop"])
def test_a_protected_instance_keeps_its_reports(
    aws: Aws, marked: Marked, deployment: str, machine: Ec2Instance, protection: Literal["DisableApiTermination", "DisableApiStop"]
) -> None:
    """EC2 refuses to terminate it, and a later deployment still sees that it is ready."""
    id = running(aws, machine, marked)
    report(aws, machine, id, "ready", "ok")
    aws.client("ec2").modify_instance_attribute(InstanceId=id, **{protection: {"Value": True}})  # type: ignore[arg-type]
    with pytest.raises(ClientError):
        Ec2Instance.delete(aws, id)
    assert machine.ready(aws, id) == Ready()
    aws.client("ec2").modify_instance_attribute(InstanceId=id, **{protection: {"Value": False}})  # type: ignore[arg-type]
    delete(aws, machine, id, deployment)


def test_a_machine_that_was_stopped_by_hand(aws: Aws, marked: Marked, deployment: str, machine: Ec2Instance) -> None:
    """It does not get ready by waiting, so this is a Problem at once."""
    id = running(aws, machine, marked)
    aws.client("ec2").stop_instances(InstanceIds=[id])
    assert until(lambda: isinstance(machine.ready(aws, id), Problem))
    problem = machine.ready(aws, id)
    assert isinstance(problem, Problem)
    assert problem.code == "INSTANCE-NOT-RUNNING"
    delete(aws, machine, id, deployment)


def test_an_image_that_is_not_there(aws: Aws, marked: Marked, machine: Ec2Instance) -> None:
    """It is a Problem that names the field."""
    problem = refused(aws, Ec2Instance(**{**vars(machine), "image_id": "ami-0fedcba9876543210"}), marked("instance"))
    assert problem.code == "INSTANCE-IMAGE-NOT-FOUND"
    assert "deployment.ami_id" in problem.do[0]


@pytest.mark.parametrize("operating_system", ["amazon-linux-2023", "ubuntu-22.04"])
def test_the_newest_image(aws: Aws, operating_system: str) -> None:
    """It is what the publisher's public parameter says, and it exists."""
    image = latest_image(aws, operating_system)
    assert aws.client("ec2").describe_images(ImageIds=[image])["Images"]


def test_a_profile_in_a_template(machine: Ec2Instance) -> None:
    """CloudFormation gets the profile's name, known or to come."""
    later = Ec2Instance(**{**vars(machine), "profile_arn": Ref("profile", "profile_arn")})
    assert later.template().properties["IamInstanceProfile"] == Ref("profile", "profile_name")
    assert str(machine.profile_arn).endswith("/" + machine.template().properties["IamInstanceProfile"])
