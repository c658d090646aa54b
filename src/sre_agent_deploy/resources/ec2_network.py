"""What the parts of a VPC share: how they are listed and deleted, and what still uses one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.resource import Owned, Waiting, tags_of
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
