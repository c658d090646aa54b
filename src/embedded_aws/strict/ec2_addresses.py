"""IP addresses: moto invents real ones, and a token must never be sent to a stranger's machine."""

from __future__ import annotations

from typing import Any

from embedded_aws.addresses import LoopbackAddresses
from embedded_aws.strict.replacing import put, replacing


def loopback_only(addresses: LoopbackAddresses) -> None:
    """Every address of an instance, a network interface and an Elastic IP is a loopback address of this AWS's own."""
    from moto.ec2.models import elastic_ip_addresses, elastic_network_interfaces, instances
    from moto.ec2.models.subnets import Subnet

    put(elastic_ip_addresses, "random_ip", addresses.take)
    put(elastic_network_interfaces, "random_public_ip", addresses.take)
    put(instances, "random_private_ip", addresses.take)
    put(Subnet, "get_available_subnet_ip", lambda _self, instance: addresses.take())

    @replacing(elastic_network_interfaces, "random_private_ip")
    def random_private_ip(original: Any, cidr: str | None = None, ipv6: bool = False) -> str:
        return str(original(cidr, ipv6)) if ipv6 else addresses.take()

    _chosen_here(addresses)


def _chosen_here(addresses: LoopbackAddresses) -> None:
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models import EC2Backend
    from moto.ec2.models.subnets import Subnet

    @replacing(Subnet, "request_ip")
    def request_ip(_original: Any, _self: Any, ip: str, instance: Any) -> None:
        if not addresses.owns(ip):
            raise EC2ClientError("InvalidParameterValue", f"{ip} can't be chosen: on one machine, instances have loopback addresses.")

    @replacing(EC2Backend, "allocate_address")
    def allocate_address(original: Any, self: Any, domain: str, address: str | None = None, tags: Any = None) -> Any:
        if address:
            raise EC2ClientError("InvalidAddress.NotFound", f"The address {address} does not belong to you.")
        return original(self, domain, address, tags)

    @replacing(EC2Backend, "release_address")
    def release_address(original: Any, self: Any, address: str | None = None, allocation_id: str | None = None) -> None:
        found = next((eip for eip in self.addresses if address == eip.public_ip or allocation_id == eip.allocation_id), None)
        if found and found.association_id:
            # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReleaseAddress.html: disassociate it first
            raise EC2ClientError("InvalidIPAddress.InUse", f"The address {found.public_ip} is in use.")
        original(self, address, allocation_id)
        if found:
            addresses.give_back(found.public_ip)


def reverse_dns_locks() -> None:
    """An address with a reverse DNS record is not released: InvalidAddress.Locked. ModifyAddressAttribute sets one; moto has none.

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

    put(EC2Response, "modify_address_attribute", lambda self: set_to(self, self._get_param("DomainName", "")))
    put(EC2Response, "reset_address_attribute", lambda self: set_to(self, ""))

    @replacing(EC2Backend, "release_address")
    def release_address(original: Any, self: Any, address: str | None = None, allocation_id: str | None = None) -> None:
        found = [eip for eip in self.addresses if address == eip.public_ip or allocation_id == eip.allocation_id]
        if any(getattr(eip, "ptr_record", "") for eip in found):
            raise EC2ClientError("InvalidAddress.Locked", "The specified elastic IP address cannot be released from your account.")
        original(self, address, allocation_id)
