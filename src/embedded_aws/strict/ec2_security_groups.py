"""Security groups."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.replacing import replacing


def in_use_not_deletable() -> None:
    """A group that an interface has, or that another group's rule names, is not deleted: DependencyViolation.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    from moto.ec2.exceptions import DependencyViolationError
    from moto.ec2.models import EC2Backend

    @replacing(EC2Backend, "_delete_security_group")
    def delete(original: Any, self: Any, vpc_id: str | None, group_id: str) -> Any:
        if _has_interface(self, group_id) or _is_named_elsewhere(self, group_id):
            raise DependencyViolationError(f"resource {group_id} has a dependent object")
        return original(self, vpc_id, group_id)


def _has_interface(ec2: Any, group_id: str) -> bool:
    return any(group.id == group_id for eni in ec2.enis.values() for group in eni.group_set) or any(
        group.id == group_id
        for reservation in ec2.reservations.values()
        for instance in reservation.instances
        for group in instance.security_groups
        if instance.state != "terminated"
    )


def _is_named_elsewhere(ec2: Any, group_id: str) -> bool:
    others = (group for groups in ec2.groups.values() for group in groups.values() if group.id != group_id)
    return any(rule.source_group.get("GroupId") == group_id for group in others for rule in (*group.ingress_rules, *group.egress_rules))
