"""Reads of EC2 that several files share: instances, images, volumes, and how tags are written there."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Mark, TagChanges

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

STATUS_TAG = "sre-agent:status-uri"
# An image id does not say which operating system it is of.
SYSTEM_TAG = "sre-agent:operating-system"
# Which type and subnet were tried first, if EC2 had no capacity for them.
INSTEAD_TAG = "sre-agent:instead-of"
# That its IPv6 address was asked for: a subnet may give one by itself.
IPV6_TAG = "sre-agent:ipv6"
USUAL_ROOT = "/dev/xvda"  # Amazon Linux; Ubuntu calls it /dev/sda1
_GONE = ("InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed")
# Where the publisher of an operating system names its newest Amazon Machine Image.
IMAGE_PARAMETERS = {
    "amazon-linux-2023": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "ubuntu-22.04": "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
}


def tag_specification(resource_type: str, mark: Mark) -> list[Any]:
    """Build EC2's `TagSpecifications` for a create call."""
    return [{"ResourceType": resource_type, "Tags": mark.tag_list()}]


def change_tags(aws: Aws, ids: list[str], changes: TagChanges) -> None:
    """Set and remove tags of anything that EC2 knows by its id."""
    if changes.set:
        aws.client("ec2").create_tags(Resources=ids, Tags=changes.tag_list())
    if changes.remove:
        aws.client("ec2").delete_tags(Resources=ids, Tags=[{"Key": key} for key in changes.remove])


def set_tag(aws: Aws, id: str, key: str, value: str) -> None:
    """Set one tag; an empty value removes it."""
    change_tags(aws, [id], TagChanges({key: value} if value else {}, () if value else (key,)))


def of_deployment(deployment: str) -> list[Any]:
    """Build EC2's `Filters` for what carries this deployment's tag."""
    return [{"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [deployment]}]


def latest_image(aws: Aws, operating_system: str) -> str:
    """Read the AMI id from the publisher's public parameter. Raises KeyError for an operating system that is not supported."""
    return aws.client("ssm").get_parameter(Name=IMAGE_PARAMETERS[operating_system])["Parameter"]["Value"]


def read_root_device_name(aws: Aws, image_id: str) -> str:
    """Read the device name of the image's root volume."""
    # If the image does not exist, the create call reports it.
    answer = or_none(lambda: aws.client("ec2").describe_images(ImageIds=[image_id]), ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed"))
    images = answer["Images"] if answer else []
    return images[0].get("RootDeviceName", USUAL_ROOT) if images else USUAL_ROOT


def describe_instance(aws: Aws, instance_id: str) -> Any:
    """Describe the instance; None if EC2 does not know it (any more)."""
    answer = or_none(lambda: aws.client("ec2").describe_instances(InstanceIds=[instance_id]), _GONE)
    return answer["Reservations"][0]["Instances"][0] if answer and answer["Reservations"] else None


def first_launch(instance: Any) -> datetime:
    """Return when an instance was launched. Its launch time moves with each start, and its user data runs at the first one alone.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html (launchTime)
    """
    attached = [interface["Attachment"]["AttachTime"] for interface in instance.get("NetworkInterfaces", []) if "Attachment" in interface]
    first: datetime = min((instance["LaunchTime"], *attached))
    return first


def find_ipv6_address(instance: Any) -> str:
    """Return the first IPv6 address of an instance; empty where it has none."""
    addresses = [each.get("Ipv6Address", "") for nic in instance.get("NetworkInterfaces", ()) for each in nic.get("Ipv6Addresses", ())]
    return str(addresses[0]) if addresses else ""


def serves(aws: Aws, status_uri: str) -> bool:
    """Answer if an instance that is pending or running reports below this URI."""
    alive: Any = [{"Name": f"tag:{STATUS_TAG}", "Values": [status_uri]}, {"Name": "instance-state-name", "Values": ["pending", "running"]}]
    return bool(aws.client("ec2").describe_instances(Filters=alive)["Reservations"])


def read_protections(aws: Aws, instance_id: str) -> tuple[bool, bool]:
    """Read if the instance's termination protection and its stop protection are on; with either EC2 refuses to terminate it."""
    ec2 = aws.client("ec2")
    termination = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="disableApiTermination")
    stop = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="disableApiStop")
    return bool(termination["DisableApiTermination"].get("Value")), bool(stop["DisableApiStop"].get("Value"))


def read_user_data(aws: Aws, instance_id: str) -> str:
    """Read and decode the user data that it was launched with."""
    answer = aws.client("ec2").describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
    return base64.b64decode(answer.get("UserData", {}).get("Value", "")).decode(errors="replace")


def read_root_volume(aws: Aws, instance: Any) -> Any:
    """Describe its root volume; empty if it has none."""
    root = [ebs["VolumeId"] for ebs in _root_devices(instance)]
    volumes = aws.client("ec2").describe_volumes(VolumeIds=root)["Volumes"] if root else []
    return volumes[0] if volumes else {}


def keeps_root_volume(instance: Any) -> bool:
    """Return True if its root volume stays when the instance is terminated."""
    return any(not ebs.get("DeleteOnTermination", True) for ebs in _root_devices(instance))


def _root_devices(instance: Any) -> list[Any]:
    return [m["Ebs"] for m in instance.get("BlockDeviceMappings", []) if m["DeviceName"] == instance.get("RootDeviceName")]


def list_kept_volumes(aws: Aws, deployment: str) -> tuple[str, ...]:
    """List the deployment's volumes that no instance uses and that are not being deleted either.

    A volume goes with its instance, unless DeleteOnTermination was switched off for it.
    """
    free: Any = [*of_deployment(deployment), {"Name": "status", "Values": ["available"]}]
    pages = aws.client("ec2").get_paginator("describe_volumes").paginate(Filters=free)
    return tuple(volume["VolumeId"] for page in pages for volume in page["Volumes"])
