"""What EC2 shows of an instance and of its image."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

STATUS_TAG = "sre-agent:status-uri"
USUAL_ROOT = "/dev/xvda"  # Amazon Linux; Ubuntu calls it /dev/sda1
_GONE = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")


def root_device_name(aws: Aws, image_id: str) -> str:
    """What the image calls its root volume."""
    # Where the image is absent, the birth itself says so.
    answer = or_none(lambda: aws.client("ec2").describe_images(ImageIds=[image_id]), ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed"))
    images = answer["Images"] if answer else []
    return images[0].get("RootDeviceName", USUAL_ROOT) if images else USUAL_ROOT


def described(aws: Aws, instance_id: str) -> Any:
    """The instance as EC2 describes it, or None where it is not known (any more)."""
    answer = or_none(lambda: aws.client("ec2").describe_instances(InstanceIds=[instance_id]), _GONE)
    return answer["Reservations"][0]["Instances"][0] if answer and answer["Reservations"] else None


def serving(aws: Aws, status_uri: str) -> bool:
    """Whether a machine that is not going reports to this place."""
    alive: Any = [{"Name": f"tag:{STATUS_TAG}", "Values": [status_uri]}, {"Name": "instance-state-name", "Values": ["pending", "running"]}]
    return bool(aws.client("ec2").describe_instances(Filters=alive)["Reservations"])


def user_data(aws: Aws, instance_id: str) -> str:
    """The user data it was launched with, decoded."""
    answer = aws.client("ec2").describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
    return base64.b64decode(answer.get("UserData", {}).get("Value", "")).decode(errors="replace")


def volume_gb(aws: Aws, instance: Any) -> int:
    """The size of its root volume in GiB; 0 where it has none."""
    root = [m["Ebs"]["VolumeId"] for m in instance.get("BlockDeviceMappings", []) if m["DeviceName"] == instance.get("RootDeviceName")]
    volumes = aws.client("ec2").describe_volumes(VolumeIds=root)["Volumes"] if root else []
    return volumes[0]["Size"] if volumes else 0
