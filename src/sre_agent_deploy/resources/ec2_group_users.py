"""Who uses a security group: the network interfaces that have it, and the rules of other groups that name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sre_agent_deploy.resource import Waiting
from sre_agent_deploy.resources import ec2_describe
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GOING = ("shutting-down", "terminated")


def holding(aws: Aws, group_id: str) -> Waiting | Problem:
    """By whom a security group is held: a machine that is going lets go by itself, anybody else has to be asked."""
    interfaces = _interfaces(aws, group_id)
    others = [f"network interface {interface['NetworkInterfaceId']}" for interface in interfaces if not _going(aws, interface)]
    others += [f"a rule of security group {other}" for other in _naming(aws, group_id)]
    if others:
        return _in_use(group_id, others)
    names = ", ".join(interface["NetworkInterfaceId"] for interface in interfaces)
    # EC2 may refuse for some seconds more when it shows no interface any longer.
    return Waiting(f"{names or 'EC2'} to let go of {group_id}")


def _interfaces(aws: Aws, group_id: str) -> list[Any]:
    pages = aws.client("ec2").get_paginator("describe_network_interfaces").paginate(Filters=[{"Name": "group-id", "Values": [group_id]}])
    return [interface for page in pages for interface in page["NetworkInterfaces"]]


def _going(aws: Aws, interface: Any) -> bool:
    """Whether it belongs to an instance that is shutting down or is not there any more; with it goes its interface."""
    instance_id = interface.get("Attachment", {}).get("InstanceId")
    if not instance_id:
        return False
    instance = ec2_describe.described(aws, instance_id)
    return instance is None or instance["State"]["Name"] in _GOING


def _naming(aws: Aws, group_id: str) -> list[str]:
    """The other groups whose rules let this group in or out."""
    found: list[Any] = []
    for direction in ("ip-permission.group-id", "egress.ip-permission.group-id"):
        pages = aws.client("ec2").get_paginator("describe_security_groups").paginate(Filters=[{"Name": direction, "Values": [group_id]}])
        found += [group["GroupId"] for page in pages for group in page["SecurityGroups"]]
    return sorted(set(found) - {group_id})


def _in_use(group_id: str, others: list[str]) -> Problem:
    return Problem(
        code="SECURITY-GROUP-IN-USE",
        what=f"Security group {group_id} was not deleted.",
        why=f"It is still used by {', '.join(others)}, which this deployment did not make.",
        do=(
            "Give the network interface another group (EC2 > Network Interfaces > Actions > Change security groups), "
            "or delete the rule (EC2 > Security Groups > Inbound and Outbound rules).",
            "Run the same command again.",
        ),
    )
