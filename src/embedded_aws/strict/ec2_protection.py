"""Instances that somebody has protected."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.replacing import replacing


def stop_protection_keeps_from_termination() -> None:
    """An instance whose DisableApiStop is set can't be terminated either; moto asks for DisableApiTermination only.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-stop-protection.html
    """
    from moto.ec2.exceptions import OperationNotPermitted4
    from moto.ec2.models import EC2Backend

    @replacing(EC2Backend, "terminate_instances")
    def terminate_instances(original: Any, self: Any, instance_ids: list[str]) -> Any:
        for instance in self.get_multi_instances_by_id(instance_ids):
            if str(instance.disable_api_stop).lower() == "true":
                raise OperationNotPermitted4(instance.id)
        return original(self, instance_ids)
