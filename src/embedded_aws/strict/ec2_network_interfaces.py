"""Network interfaces of instances."""

from __future__ import annotations

import copy
from inspect import signature
from typing import Any

from embedded_aws.strict.replacing import replacing


def gone_with_their_instance() -> None:
    """An interface made by RunInstances goes when its instance does, and an Elastic IP is free again; moto leaves both.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html and …/API_TerminateInstances.html
    """
    from moto.ec2.models.instances import Instance

    @replacing(Instance, "prep_nics")
    def prep_nics(original: Any, self: Any, nic_spec: Any, *args: Any, **kwargs: Any) -> None:
        kept = {int(nic["DeviceIndex"]) for nic in nic_spec if nic.get("NetworkInterfaceId") or nic.get("DeleteOnTermination") is False}
        original(self, nic_spec, *args, **kwargs)
        for index, nic in self.nics.items():
            nic.delete_on_termination = index not in kept

    @replacing(Instance, "terminate")
    def terminate(original: Any, self: Any) -> Any:
        if self.state == "terminated":
            return copy.copy(self.instance_state)  # saying it twice is no error
        for eip in [eip for eip in self.ec2_backend.addresses if eip.instance is self]:
            self.ec2_backend.disassociate_address(association_id=eip.association_id)
        return original(self)


def groups_must_exist() -> None:
    """RunInstances refuses security groups that don't exist on its network interfaces too; moto makes them up.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html: InvalidGroup.NotFound
    """
    from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError
    from moto.ec2.models import EC2Backend

    @replacing(EC2Backend, "create_network_interface")
    def create_network_interface(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        # Its callers in moto name their arguments, or don't.
        asked = signature(original).bind(self, *args, **kwargs).arguments
        for group_id in asked.get("group_ids") or ():
            if self.get_security_group_from_id(group_id) is None:
                raise InvalidSecurityGroupNotFoundError(group_id)
        return original(self, *args, **kwargs)


def tagged_at_launch() -> None:
    """RunInstances puts the tags that it is given for `network-interface` on the interfaces it makes; moto drops them.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
    """
    from moto.ec2.models import EC2Backend

    @replacing(EC2Backend, "run_instances")
    def run_instances(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        tags = dict((kwargs.get("tags") or {}).get("network-interface", {}))
        reservation = original(self, *args, **kwargs)
        for nic in (nic for instance in reservation.instances for nic in instance.nics.values()):
            nic.add_tags(tags)
        return reservation
