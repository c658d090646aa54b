"""The calls to EC2 that its types share: tags, reads of instances, images and volumes, and what still uses a part of a VPC."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Mark, Owned, TagChanges, Waiting, tags_of
from sre_core.problem import Problem

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
VPC_DOCS = "https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html"
_GOING = ("shutting-down", "terminated")
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
    """Build EC2's `Filters` for what has this deployment's tag."""
    return [{"Name": f"tag:{DEPLOYMENT_TAG}", "Values": [deployment]}]


def list_owned(pages: Iterable[Any], key: str, id_key: str) -> tuple[Owned, ...]:
    """List what a listing shows, each with its tags."""
    return tuple(Owned.tagged(each[id_key], tags_of(each.get("Tags"))) for page in pages for each in page[key])


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


def find_interfaces(aws: Aws, name: str, id: str) -> Waiting | Problem:
    """Find the network interfaces that use a part of a VPC: a terminating instance releases its own, others are for the user to see to."""
    pages = aws.client("ec2").get_paginator("describe_network_interfaces").paginate(Filters=[{"Name": name, "Values": [id]}])
    interfaces: list[Any] = [interface for page in pages for interface in page["NetworkInterfaces"]]
    others = [each["NetworkInterfaceId"] for each in interfaces if not _is_going(aws, each)]
    # EC2 may refuse for some seconds after it has stopped showing the interface.
    return network_in_use(id, f"network interface {', '.join(others)}") if others else Waiting(f"EC2 to release {id}")


def _is_going(aws: Aws, interface: Any) -> bool:
    """Answer if AWS deletes an interface by itself: with its instance, or with its VPC endpoint."""
    if interface.get("InterfaceType") == "vpc_endpoint":
        return True
    instance_id = interface.get("Attachment", {}).get("InstanceId")
    instance = describe_instance(aws, instance_id) if instance_id else {"State": {"Name": ""}}
    return instance is None or instance["State"]["Name"] in _GOING


def find_group_users(aws: Aws, group_id: str) -> Waiting | Problem:
    """Find what uses a security group: a terminating instance releases it by itself, anything else is for the user to see to."""
    interfaces, groups = _list_interfaces(aws, group_id), _list_referring_groups(aws, group_id)
    others = [f"network interface {interface['NetworkInterfaceId']}" for interface in interfaces if not _is_going(aws, interface)]
    # A group of the same deployment is deleted at the same time.
    own = _read_owners(aws, [group_id])
    others += [f"a rule of security group {other}" for other, owner in _read_owners(aws, groups).items() if owner not in own.values()]
    if others:
        return _in_use(group_id, others)
    names = ", ".join([*(interface["NetworkInterfaceId"] for interface in interfaces), *groups])
    # EC2 may refuse for some seconds after it has stopped showing the interface.
    return Waiting(f"{names or 'EC2'} to release {group_id}")


def _list_interfaces(aws: Aws, group_id: str) -> list[Any]:
    pages = aws.client("ec2").get_paginator("describe_network_interfaces").paginate(Filters=[{"Name": "group-id", "Values": [group_id]}])
    return [interface for page in pages for interface in page["NetworkInterfaces"]]


def _read_owners(aws: Aws, group_ids: list[str]) -> dict[str, str]:
    """Map each group that is still there to the deployment whose tag it has; to its own id if it has none."""
    # A filter without a match returns nothing; an unknown id would be an error.
    named: Any = [{"Name": "group-id", "Values": group_ids}]
    groups: list[Any] = [*aws.client("ec2").describe_security_groups(Filters=named)["SecurityGroups"]] if group_ids else []
    return {group["GroupId"]: tags_of(group.get("Tags")).get(DEPLOYMENT_TAG, group["GroupId"]) for group in groups}


def _list_referring_groups(aws: Aws, group_id: str) -> list[str]:
    """List the other groups whose rules refer to this group."""
    found: list[Any] = []
    for direction in ("ip-permission.group-id", "egress.ip-permission.group-id"):
        pages = aws.client("ec2").get_paginator("describe_security_groups").paginate(Filters=[{"Name": direction, "Values": [group_id]}])
        found += [group["GroupId"] for page in pages for group in page["SecurityGroups"]]
    return sorted(set(found) - {group_id})


def _in_use(group_id: str, others: list[str]) -> Problem:
    return Problem(
        code="SECURITY-GROUP-IN-USE",
        what=f"Security group {group_id} was not deleted.",
        why=f"It is still used by {', '.join(others)}, which this deployment did not create.",
        do=(
            "Give the network interface another group (EC2 > Network Interfaces > Actions > Change security groups), "
            "or delete the rule (EC2 > Security Groups > Inbound and Outbound rules).",
            "Run the same command again.",
        ),
    )


def network_in_use(id: str, what: str) -> Problem:
    """Say what keeps a part of a VPC from being deleted."""
    return Problem(
        code="NETWORK-IN-USE",
        what=f"{id} was not deleted.",
        why=f"It is still used by {what}.",
        do=(
            "Delete or move what uses it: VPC > Your VPCs > Resource map shows all parts, EC2 > Network Interfaces the interfaces.",
            "Run the same command again.",
        ),
        aws_docs=VPC_DOCS,
    )


def refused_deletion(_: Any) -> Problem:
    """Explain a deletion that EC2 refuses, where nothing is known but that."""
    return network_in_use("A part of the VPC", "another resource")


def over_quota(what: str, quota: str) -> Problem:
    """Say that the region has as many of something as its quota allows."""
    return Problem(
        code="NETWORK-QUOTA",
        what=f"No {what} was created.",
        why=f"This region has as many as its quota allows ({quota}).",
        do=(
            f"Delete one that is not used, or ask for more under Service Quotas > Amazon VPC > {quota}.",
            "Or use a VPC that is there: remove aws.network, and name aws.vpc_id and aws.subnet_id.",
            "Run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html",
    )
