"""What the parts of a VPC share: how they are listed and deleted, and what still uses one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.resource import DEPLOYMENT_TAG, Owned, Waiting, tags_of
from sre_agent_deploy.resources.ec2_describe import describe_instance
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

VPC_DOCS = "https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html"
_GOING = ("shutting-down", "terminated")


def list_owned(pages: Iterable[Any], key: str, id_key: str) -> tuple[Owned, ...]:
    """List what a listing shows, each with its tags."""
    return tuple(Owned.tagged(each[id_key], tags_of(each.get("Tags"))) for page in pages for each in page[key])


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
    """Map each group that is still there to the deployment whose tag it carries; to its own id where it carries none."""
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
