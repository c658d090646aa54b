"""AWS::EC2::Instance"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.later import LaterText, Ref, known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Ready, Steps, Waiting, cfn
from sre_agent_deploy.resources import ec2_boot, ec2_describe, ec2_launch, secret_calls, tag_list
from sre_agent_deploy.resources.ec2_describe import STATUS_TAG, USUAL_ROOT
from sre_agent_deploy.resources.ec2_security_group import SecurityGroup
from sre_agent_deploy.resources.iam_instance_profile import InstanceProfile
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_METADATA: Any = {"HttpTokens": "required", "HttpEndpoint": "enabled", "HttpPutResponseHopLimit": 1}


@dataclass(frozen=True, kw_only=True)
class Ec2Instance(Defaults):
    """The machine that serves. It is never changed: another configuration is another machine, beside this one."""

    KIND: ClassVar[str] = "AWS::EC2::Instance"
    FIXED: ClassVar[frozenset[str]] = frozenset(
        {
            "image_id",
            "instance_type",
            "subnet_id",
            "security_group_id",
            "profile_arn",
            "user_data",
            "volume_gb",
            "key_name",
            "status_uri",
        }
    )
    UNSEEN: ClassVar[Mapping[str, str]] = {"root_device_name": "it follows from the image, which is compared"}
    BESIDE: ClassVar[bool] = True
    # Until it is gone it reports into the bucket, reads secrets through its profile, and its network interface uses the group.
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({S3Bucket.KIND, secret_calls.KIND, InstanceProfile.KIND, SecurityGroup.KIND})
    TOKEN: ClassVar[bool] = True
    # EC2 calls a fresh instance profile invalid until IAM has spread it, and a fresh security group unknown until it has done so itself.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"InvalidParameterValue", "InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"})
    HELD: ClassVar[frozenset[tuple[str, str]]] = frozenset({("TerminateInstances", "OperationNotPermitted")})

    name: str
    image_id: str
    instance_type: str
    subnet_id: LaterText
    security_group_id: LaterText
    profile_arn: LaterText
    user_data: LaterText
    volume_gb: int
    key_name: str = ""
    status_uri: LaterText = ""
    root_device_name: str = ""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("ec2").get_paginator("describe_instances").paginate(Filters=tag_list.of_deployment(deployment))
        instances = [instance for page in pages for reservation in page["Reservations"] for instance in reservation["Instances"]]
        alive = [instance for instance in instances if instance["State"]["Name"] != "terminated"]
        return tuple(Owned.tagged(instance["InstanceId"], tag_list.as_dict(instance.get("Tags"))) for instance in alive)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        # While it is shutting down it still holds its network interface and security group, so it is still there.
        instance = ec2_describe.described(aws, id)
        if instance is None or instance["State"]["Name"] == "terminated":
            return None
        tags = tag_list.as_dict(instance.get("Tags"))
        status_uri = tags.get(STATUS_TAG, "")
        report = ec2_boot.latest(aws, status_uri, id, instance["LaunchTime"]) if status_uri else None
        seen = cls(
            name=name,
            image_id=instance["ImageId"],
            instance_type=instance["InstanceType"],
            subnet_id=instance.get("SubnetId", ""),
            security_group_id=",".join(group["GroupId"] for group in instance.get("SecurityGroups", [])),
            profile_arn=instance.get("IamInstanceProfile", {}).get("Arn", ""),
            user_data=ec2_describe.user_data(aws, id),
            volume_gb=ec2_describe.volume_gb(aws, instance),
            key_name=instance.get("KeyName", ""),
            status_uri=status_uri,
        )
        return Found(id, seen, _outputs(instance, report), tags, ec2_boot.broken(report))

    def create(self, aws: Aws, mark: Mark) -> str:
        # A volume under any other name than the image's own would be a second one.
        root_device_name = self.root_device_name or ec2_describe.root_device_name(aws, self.image_id)
        made = aws.client("ec2").run_instances(**self._asked(root_device_name), **_birth(mark, known(self.status_uri)))
        return made["Instances"][0]["InstanceId"]

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        instance = ec2_describe.described(aws, id)
        state = instance["State"]["Name"] if instance else "pending"
        if instance is None or state == "pending":
            return Waiting("instance is pending")
        if state != "running":
            return _not_running(id, state, instance.get("StateReason", {}).get("Message", ""))
        if not self.status_uri:
            return Ready()
        return ec2_boot.judged(id, ec2_boot.latest(aws, known(self.status_uri), id, instance["LaunchTime"]))

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        aws.client("ec2").terminate_instances(InstanceIds=[id])
        instance = ec2_describe.described(aws, id) or {}
        status_uri = tag_list.as_dict(instance.get("Tags")).get(STATUS_TAG, "")
        if status_uri:
            # The last machine deletes everything: one that is shutting down may have reported after its own were deleted.
            serving = ec2_describe.serving(aws, status_uri)
            ec2_boot.forget(aws, ec2_boot.own_uri(status_uri, id) if serving else status_uri)

    @classmethod
    def held(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return _protected(id)

    def console(self) -> Steps:
        return (
            "EC2 > Instances > Launch instances",
            f"Add tag: {STATUS_TAG} = {self.status_uri}",
            f"Application and OS Images: {self.image_id}",
            f"Instance type: {self.instance_type}",
            f"Key pair: {self.key_name or 'Proceed without a key pair'}",
            f"Network settings > Edit > Subnet: {self.subnet_id}; Auto-assign public IP: Enable",
            f"Firewall: Select existing security group: {self.security_group_id}",
            f"Configure storage: root volume ({self.root_device_name or USUAL_ROOT}) {self.volume_gb} GiB gp3, Encrypted",
            f"Advanced details > IAM instance profile: {self.profile_arn}",
            "Advanced details > Metadata version: V2 only (token required); Metadata response hop limit: 1",
            "Advanced details > User data, paste:",
            str(self.user_data),
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"instance_id": "Ref", "private_ip": "PrivateIp"},
            ImageId=self.image_id,
            InstanceType=self.instance_type,
            SubnetId=self.subnet_id,
            SecurityGroupIds=(self.security_group_id,),
            IamInstanceProfile=_profile_name(self.profile_arn),
            KeyName=self.key_name,
            UserData={"Fn::Base64": self.user_data},
            MetadataOptions=_METADATA,
            BlockDeviceMappings=(_root_volume(self.root_device_name or USUAL_ROOT, self.volume_gb),),
            Tags=({"Key": STATUS_TAG, "Value": self.status_uri},) if self.status_uri else (),
        )

    def _asked(self, root_device_name: str) -> dict[str, Any]:
        key_pair = {"KeyName": self.key_name} if self.key_name else {}
        return key_pair | {
            "ImageId": self.image_id,
            "InstanceType": self.instance_type,
            "SubnetId": known(self.subnet_id),
            "SecurityGroupIds": [known(self.security_group_id)],
            "IamInstanceProfile": {"Arn": known(self.profile_arn)},
            "UserData": known(self.user_data),
            "MetadataOptions": _METADATA,
            "BlockDeviceMappings": [_root_volume(root_device_name, self.volume_gb)],
        }

    FAILURES: ClassVar[Failures] = {
        **ec2_launch.FAILURES,
        ("TerminateInstances", "OperationNotPermitted"): lambda _: _protected("INSTANCE"),
    }


def _birth(mark: Mark, status_uri: str) -> dict[str, Any]:
    """What makes one birth this one: its token, and its tags on the instance and on its volume."""
    instance, volume = tag_list.specification("instance", mark), tag_list.specification("volume", mark)
    if status_uri:
        instance[0]["Tags"].append({"Key": STATUS_TAG, "Value": status_uri})
    return {"ClientToken": mark.token, "MinCount": 1, "MaxCount": 1, "TagSpecifications": instance + volume}


def _root_volume(root_device_name: str, volume_gb: int) -> Any:
    ebs = {"VolumeSize": volume_gb, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    return {"DeviceName": root_device_name, "Ebs": ebs}


def _outputs(instance: Any, report: ec2_boot.Status | None) -> dict[str, str]:
    outputs = {"instance_id": instance["InstanceId"], "private_ip": instance.get("PrivateIpAddress", "")}
    url = ec2_boot.private_url(report)
    return outputs | ({"private_url": url} if url else {})


def _profile_name(profile_arn: LaterText) -> LaterText:
    """CloudFormation takes the profile's name where the API takes its ARN."""
    if isinstance(profile_arn, Ref):
        return Ref(profile_arn.of, "profile_name")
    return profile_arn.rpartition("/")[2] if isinstance(profile_arn, str) else profile_arn


def _not_running(instance_id: str, state: str, reason: str) -> Problem:
    return Problem(
        code="INSTANCE-NOT-RUNNING",
        what=f"{instance_id} is {state}.",
        why=reason or "Somebody stopped or terminated it, or it could not start.",
        do=(
            f"Start it (EC2 > Instances > {instance_id} > Instance state > Start), or terminate it to have a new one made.",
            "Run the same command again.",
        ),
    )


def _protected(instance_id: str) -> Problem:
    """Who switched it on may have had a reason, so it is not switched off unasked."""
    return Problem(
        code="INSTANCE-PROTECTED",
        what=f"Instance {instance_id} was not terminated.",
        why="Somebody switched on termination protection or stop protection for it.",
        do=(
            f"If it may go: aws ec2 modify-instance-attribute --instance-id {instance_id} --no-disable-api-termination "
            "(and the same with --no-disable-api-stop).",
            "Run the same command again.",
        ),
    )
