"""Amazon EC2: addresses, client tokens, images, network interfaces, protection and security groups."""

from __future__ import annotations

import copy
from inspect import signature
from typing import Any

from embedded_aws.addresses import LoopbackAddresses
from embedded_aws.strict.patching import add, patch, replace
from sre_core import clock

PORT_TAG = "embedded-aws:port-443"


def assign_loopback_addresses(addresses: LoopbackAddresses) -> None:
    """Give instances, network interfaces and Elastic IPs loopback addresses only."""
    from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces, instances
    from moto.ec2.models.subnets import Subnet

    replace(elastic_ip_addresses, "random_ip", addresses.take)
    replace(elastic_network_interfaces, "random_public_ip", addresses.take)
    replace(instances, "random_private_ip", addresses.take)
    replace(Subnet, "get_available_subnet_ip", lambda _self, instance: addresses.take())

    @patch(elastic_network_interfaces, "random_private_ip")
    def random_private_ip(original: Any, cidr: str | None = None, ipv6: bool = False) -> str:
        return str(original(cidr, ipv6)) if ipv6 else addresses.take()

    _refuse_chosen_addresses(addresses)
    _show_https_port(addresses.https_port)
    _connect_default_vpcs()


def _connect_default_vpcs() -> None:
    """Give each default VPC an internet gateway and the route to it; moto's has neither.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html
    """
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "create_default_vpc")
    def create_default_vpc(original: Any, self: Any) -> Any:
        vpc = original(self)
        gateway = self.create_internet_gateway()
        self.attach_internet_gateway(gateway.id, vpc.id)
        [main] = self.describe_route_tables(filters={"association.main": ["true"], "vpc-id": [vpc.id]})
        self.create_route(main.id, "0.0.0.0/0", gateway_id=gateway.id)
        return vpc


def _show_https_port(port: int) -> None:
    """Show on every VPC, as a tag of the local AWS, which port is used for 443 at its addresses."""
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "describe_vpcs")
    def describe_vpcs(original: Any, self: Any, vpc_ids: list[str] | None = None, filters: dict[str, Any] | None = None) -> Any:
        found = original(self, vpc_ids, filters)
        for vpc in found:
            vpc.add_tag(PORT_TAG, str(port))
        return found


def _refuse_chosen_addresses(addresses: LoopbackAddresses) -> None:
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.subnets import Subnet

    @patch(Subnet, "request_ip")
    def request_ip(_original: Any, _self: Any, ip: str, instance: Any) -> None:
        if not addresses.owns(ip):
            raise EC2ClientError("InvalidParameterValue", f"{ip} can't be chosen: on one machine, instances have loopback addresses.")

    @patch(EC2Backend, "allocate_address")
    def allocate_address(original: Any, self: Any, domain: str, address: str | None = None, tags: Any = None) -> Any:
        if address:
            raise EC2ClientError("InvalidAddress.NotFound", f"The address {address} does not belong to you.")
        return original(self, domain, address, tags)

    @patch(EC2Backend, "release_address")
    def release_address(original: Any, self: Any, address: str | None = None, allocation_id: str | None = None) -> None:
        found = next((eip for eip in self.addresses if address == eip.public_ip or allocation_id == eip.allocation_id), None)
        if found and found.association_id:
            # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html: disassociate it first
            raise EC2ClientError("InvalidIPAddress.InUse", f"The address {found.public_ip} is in use.")
        original(self, address, allocation_id)
        if found:
            addresses.release(found.public_ip)


def lock_addresses_with_reverse_dns() -> None:
    """Refuse to release an address with a reverse DNS record (InvalidAddress.Locked), and add ModifyAddressAttribute, which sets one.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html and …/API_ModifyAddressAttribute.html
    """
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models import EC2Backend
    from moto.ec2.responses import EC2Response

    def set_to(self: Any, name: str) -> Any:
        [address] = self.ec2_backend.describe_addresses([self._get_param("AllocationId")])
        address.ptr_record = name
        shown = {"AllocationId": address.allocation_id, "PublicIp": address.public_ip, "PtrRecord": name}
        return ActionResult({"Address": shown})

    add(EC2Response, "modify_address_attribute", lambda self: set_to(self, self._get_param("DomainName", "")))
    add(EC2Response, "reset_address_attribute", lambda self: set_to(self, ""))

    @patch(EC2Backend, "release_address")
    def release_address(original: Any, self: Any, address: str | None = None, allocation_id: str | None = None) -> None:
        found = [eip for eip in self.addresses if address == eip.public_ip or allocation_id == eip.allocation_id]
        if any(getattr(eip, "ptr_record", "") for eip in found):
            raise EC2ClientError("InvalidAddress.Locked", "The specified elastic IP address cannot be released from your account.")
        original(self, address, allocation_id)


def honour_client_tokens() -> None:
    """Return the same reservation for the same token and parameters; else raise IdempotentParameterMismatch.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
    """
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.responses.instances import InstanceResponse

    launched: dict[tuple[str, str], tuple[str, Any]] = {}

    @patch(InstanceResponse, "run_instances")
    def run_instances(original: Any, self: Any) -> Any:
        token = self._get_param("ClientToken")
        if not token:
            return original(self)
        parameters = _fingerprint(self)
        if known := launched.get((self.region, token)):
            if known[0] != parameters:
                raise EC2ClientError("IdempotentParameterMismatch", "The client token was used with different parameters.")
            return ActionResult(known[1])
        answer = original(self)
        launched[self.region, token] = (parameters, answer.result)
        return answer


def _fingerprint(response: Any) -> str:
    """Return all parameters that say what to launch."""
    sent = {name: values for name, values in response.data.items() if name not in ("ClientToken", "DryRun")}
    return repr(sorted(sent.items()))


def filter_by_client_token() -> None:
    """Add the filter client-token to DescribeInstances: it finds a launch whose response was lost.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
    """
    from moto.ec2.utils import filter_dict_attribute_mapping

    filter_dict_attribute_mapping["client-token"] = "client_token"


_CANONICAL = "099720109477"
_IMAGE_PARAMETERS = "/aws/service/canonical/ubuntu/server/"
_RELEASES = {"22.04": "jammy", "24.04": "noble"}
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


def add_ubuntu_images() -> None:
    """Add the AMIs of Ubuntu and the public SSM parameters with their ids, which moto lacks.

    https://documentation.ubuntu.com/aws/aws-how-to/instances/find-ubuntu-images/
    """
    from moto.ssm import models as ssm

    @patch(ssm.ParameterDict, "_check_loading_status")
    def check_loading_status(original: Any, self: Any, key: str) -> None:
        original(self, key)
        if not str(key or "").startswith(_IMAGE_PARAMETERS) or any(name.startswith(_IMAGE_PARAMETERS) for name in dict.keys(self)):
            return
        for name, image_id in _register_images(self.account_id, self.region_name).items():
            new_parameter: Any = ssm.Parameter
            parameter = new_parameter(
                account_id=self.account_id,
                name=name,
                value=image_id,
                parameter_type="String",
                description=None,
                allowed_pattern=None,
                keyid=None,
                last_modified_date=clock.now().timestamp(),
                version=1,
                data_type="aws:ec2:image",
            )
            dict.__setitem__(self, name, [parameter])


def _register_images(account_id: str, region: str) -> dict[str, str]:
    """Register the images in EC2, and return the id for each parameter name."""
    from moto.ec2.models import ec2_backends

    ec2 = ec2_backends[account_id][region]
    return {
        f"{_IMAGE_PARAMETERS}{version}/stable/current/{spelling}/hvm/{volume}/ami-id": _new_image(ec2, name, version, spelling).id
        for version, name in _RELEASES.items()
        for spelling in _ARCHITECTURES
        for volume in (("ebs-gp2",) if version == "22.04" else ("ebs-gp3",))
    }


def _new_image(ec2: Any, name: str, version: str, spelling: str) -> Any:
    from moto.ec2.models.amis import Ami
    from moto.ec2.utils import random_ami_id

    image = Ami(
        ec2,
        random_ami_id(),
        name=f"ubuntu/images/hvm-ssd/ubuntu-{name}-{version}-{spelling}-server-20261101",
        owner_id=_CANONICAL,
        public=True,
        virtualization_type="hvm",
        architecture=_ARCHITECTURES[spelling],
        state="available",
        root_device_name="/dev/sda1",
        root_device_type="ebs",
    )
    ec2.amis[image.id] = image
    return image


def delete_interfaces_with_instance() -> None:
    """Delete the interfaces of RunInstances with their instance, and disassociate its Elastic IPs; moto leaves both.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html and …/API_TerminateInstances.html
    """
    from moto.ec2.models.instances import Instance

    @patch(Instance, "prep_nics")
    def prep_nics(original: Any, self: Any, nic_spec: Any, *args: Any, **kwargs: Any) -> None:
        kept = {int(nic["DeviceIndex"]) for nic in nic_spec if nic.get("NetworkInterfaceId") or nic.get("DeleteOnTermination") is False}
        original(self, nic_spec, *args, **kwargs)
        for index, nic in self.nics.items():
            nic.delete_on_termination = index not in kept

    @patch(Instance, "terminate")
    def terminate(original: Any, self: Any) -> Any:
        if self.state == "terminated":
            return copy.copy(self.instance_state)  # a second termination is no error
        for eip in [eip for eip in self.ec2_backend.addresses if eip.instance is self]:
            self.ec2_backend.disassociate_address(association_id=eip.association_id)
        return original(self)


def show_groups_of_interfaces() -> None:
    """Show the security groups of its primary network interface on an instance; moto shows only those of the launch itself.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Instance.html (groupSet)
    """
    from moto.ec2.models.instances import Instance

    @patch(Instance, "prep_nics")
    def prep_nics(original: Any, self: Any, nic_spec: Any, *args: Any, **kwargs: Any) -> None:
        original(self, nic_spec, *args, **kwargs)
        self.security_groups = self.security_groups or list(self.nics[0].group_set)


def require_existing_groups() -> None:
    """Refuse unknown security groups on the network interfaces of RunInstances too; moto creates them.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html: InvalidGroup.NotFound
    """
    from moto.ec2.exceptions import InvalidSecurityGroupNotFoundError
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "create_network_interface")
    def create_network_interface(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        # Some callers in moto pass the arguments by name, others by position.
        asked = signature(original).bind(self, *args, **kwargs).arguments
        for group_id in asked.get("group_ids") or ():
            if self.get_security_group_from_id(group_id) is None:
                raise InvalidSecurityGroupNotFoundError(group_id)
        return original(self, *args, **kwargs)


def tag_interfaces_at_launch() -> None:
    """Keep the tags of RunInstances for `network-interface`; moto drops them.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html
    """
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "run_instances")
    def run_instances(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        tags = dict((kwargs.get("tags") or {}).get("network-interface", {}))
        reservation = original(self, *args, **kwargs)
        for nic in (nic for instance in reservation.instances for nic in instance.nics.values()):
            nic.add_tags(tags)
        return reservation


def honour_stop_protection() -> None:
    """Refuse to terminate an instance with DisableApiStop; moto checks DisableApiTermination only.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-stop-protection.html
    """
    from moto.ec2.exceptions import OperationNotPermitted4
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "terminate_instances")
    def terminate_instances(original: Any, self: Any, instance_ids: list[str]) -> Any:
        for instance in self.get_multi_instances_by_id(instance_ids):
            if str(instance.disable_api_stop).lower() == "true":
                raise OperationNotPermitted4(instance.id)
        return original(self, instance_ids)


def keep_omitted_metadata_options() -> None:
    """Keep the metadata options that ModifyInstanceMetadataOptions omits; moto drops them.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceMetadataOptions.html
    """
    from moto.ec2.models import EC2Backend

    kept = {
        "http_tokens": "http_tokens",
        "hop_limit": "http_put_response_hop_limit",
        "http_endpoint": "http_endpoint",
        "http_protocol": "http_protocol_ipv6",
        "metadata_tags": "instance_metadata_tags",
    }

    @patch(EC2Backend, "modify_instance_metadata_options")
    def modify_instance_metadata_options(original: Any, self: Any, instance_id: str, **wanted: Any) -> Any:
        before = self.get_instance(instance_id).metadata_options
        omitted = {name: getattr(before, attribute) for name, attribute in kept.items() if wanted.get(name) is None}
        return original(self, instance_id, **(wanted | omitted))


def describe_rules_of_groups() -> None:
    """Show the description of a rule whose source is a security group; moto shows that of address ranges alone.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html
    """
    from moto.ec2.models.security_groups import SecurityGroupRule

    def description(rule: Any) -> str | None:
        found = {**rule.ip_range, **rule.source_group}.get("Description")
        return None if found is None else str(found)

    replace(SecurityGroupRule, "description", property(description))


def refuse_deleting_used_groups() -> None:
    """Refuse to delete a group that an interface has, or that a rule of another group names (DependencyViolation).

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html
    """
    from moto.ec2.exceptions import DependencyViolationError
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "_delete_security_group")
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
