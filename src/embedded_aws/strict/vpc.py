"""The parts of a VPC: what still uses one keeps it from being deleted.

https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html and, for the codes,
https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
"""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from embedded_aws.strict.patching import patch, replace


def refuse_deleting_used_parts() -> None:
    """Refuse to delete a subnet with interfaces and a VPC with groups or a gateway, and to detach a gateway that addresses need."""
    from moto.ec2.exceptions import DependencyViolationError
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "delete_subnet")
    def delete_subnet(original: Any, self: Any, subnet_id: str) -> Any:
        if any(eni.subnet.id == subnet_id for eni in tuple(self.enis.values())):
            raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        deleted = original(self, subnet_id)
        # Its association with a route table goes with it; moto keeps that, and then refuses to delete the table.
        for table in tuple(self.route_tables.values()):
            for association in [id for id, associated in table._associations.items() if associated == subnet_id]:
                table._associations.pop(association)
        return deleted

    @patch(EC2Backend, "detach_internet_gateway")
    def detach_internet_gateway(original: Any, self: Any, internet_gateway_id: str, vpc_id: str) -> None:
        interfaces = [eni for eni in tuple(self.enis.values()) if eni.subnet.vpc_id == vpc_id]
        if any(eni.public_ip for eni in interfaces):
            raise DependencyViolationError(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
            )
        original(self, internet_gateway_id, vpc_id)

    @patch(EC2Backend, "delete_vpc")
    def delete_vpc(original: Any, self: Any, vpc_id: str) -> Any:
        groups = [group for group in self.groups[vpc_id].values() if group.name != "default"]
        if groups or any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in tuple(self.internet_gateways.values())):
            raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return original(self, vpc_id)


def give_ipv6_addresses() -> None:
    """Give interfaces IPv6 addresses as RunInstances and the subnet ask for, and check the ranges; moto gives none and takes any.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterfaceSpecification.html (Ipv6AddressCount),
    …/API_AssociateSubnetCidrBlock.html and …/API_ModifySubnetAttribute.html
    """
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models import EC2Backend, vpcs
    from moto.ec2.models.instances import Instance
    from moto.ec2.models.subnets import Subnet
    from moto.ec2.utils import random_resource_id

    shown: Any = vars(Subnet)["ipv6_cidr_block_association_set"].fget

    def show_state(subnet: Any) -> list[dict[str, Any]]:
        # moto shows the whole association in place of its state.
        return [{**each, "ipv6CidrBlockState": {"state": "associated"}} for each in shown(subnet)]

    replace(Subnet, "ipv6_cidr_block_association_set", property(show_state))
    # Addresses for documentation (RFC 3849): no machine answers there.
    replace(vpcs, "random_ipv6_cidr", lambda: f"2001:db8:{random_resource_id(4)}:{random_resource_id(2)}00::/56")

    @patch(Instance, "prep_nics")
    def prep_nics(original: Any, self: Any, nic_spec: Any, *args: Any, **kwargs: Any) -> None:
        asked = {int(nic["DeviceIndex"]): nic.get("Ipv6AddressCount") for nic in nic_spec}
        original(self, nic_spec, *args, **kwargs)
        for index, nic in self.nics.items():
            count = asked.get(index)
            wanted = int(nic.subnet.assign_ipv6_address_on_creation) if count is None else int(count)
            if wanted and not nic.subnet.ipv6_cidr_block_association_set:
                raise EC2ClientError("InvalidParameterValue", f"The subnet {nic.subnet.id} has no IPv6 CIDR block.")
            if wanted > len(nic.ipv6_addresses):
                self.ec2_backend.assign_ipv6_addresses(nic.id, [], wanted - len(nic.ipv6_addresses))

    @patch(EC2Backend, "modify_subnet_attribute")
    def modify_subnet_attribute(original: Any, self: Any, subnet_id: str, attr_name: str, attr_value: bool) -> None:
        if attr_name == "assign_ipv6_address_on_creation":
            attr_value = str(attr_value).lower() == "true"
        has_block = self.get_subnet(subnet_id).ipv6_cidr_block_association_set
        if attr_name == "assign_ipv6_address_on_creation" and attr_value and not has_block:
            why = f"unless the subnet ({subnet_id}) has an IPv6 CIDR block associated with it."
            flag = "assign-ipv6-address-on-creation"
            raise EC2ClientError("InvalidParameterValue", f"Invalid value 'true' for {flag}. Cannot set {flag} to true {why}")
        original(self, subnet_id, attr_name, attr_value)

    @patch(EC2Backend, "associate_subnet_cidr_block")
    def associate_subnet_cidr_block(original: Any, self: Any, subnet_id: str, ipv6_cidr_block: str) -> Any:
        subnet = self.get_subnet(subnet_id)
        _check_ipv6_range(self, subnet.vpc_id, ipv6_cidr_block)
        return original(self, subnet_id, ipv6_cidr_block)


def _check_ipv6_range(ec2: Any, vpc_id: str, block: str) -> None:
    from moto.ec2.exceptions import EC2ClientError

    whole = [ipaddress.IPv6Network(each["cidr_block"]) for each in ec2.get_vpc(vpc_id).get_cidr_block_association_set(ipv6=True)]
    wanted = ipaddress.IPv6Network(block)
    if wanted.prefixlen != 64 or not any(wanted.subnet_of(each) for each in whole):
        raise EC2ClientError("InvalidSubnet.Range", f"The IPv6 CIDR '{block}' is invalid.")
    taken = (each["ipv6CidrBlock"] for subnet in ec2.describe_subnets() for each in subnet.ipv6_cidr_block_association_set)
    if any(wanted.overlaps(ipaddress.IPv6Network(each)) for each in taken):
        raise EC2ClientError("InvalidSubnet.Conflict", f"The CIDR '{block}' conflicts with another subnet")


def refuse_second_association() -> None:
    """Refuse to associate a subnet that has another route table (Resource.AlreadyAssociated); moto answers as if it had done so.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html
    """
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "associate_route_table")
    def associate_route_table(
        original: Any, self: Any, route_table_id: str, gateway_id: str | None = None, subnet_id: str | None = None
    ) -> Any:
        others = [table for table in tuple(self.route_tables.values()) if table.id != route_table_id]
        if subnet_id and any(subnet_id in table._associations.values() for table in others):
            raise EC2ClientError("Resource.AlreadyAssociated", f"the specified association for route table {route_table_id} conflicts.")
        return original(self, route_table_id, gateway_id, subnet_id)


# The services that have an endpoint here, by the last part of their names.
_GATEWAYS = frozenset({"s3", "dynamodb"})
_INTERFACES = frozenset(
    {
        "aps-workspaces", "bedrock-runtime", "ec2", "ec2messages", "eks", "kms", "logs", "monitoring", "s3", "secretsmanager", "ssm",
        "ssmmessages", "sts", "xray",
    }
)  # fmt: skip
_ENDPOINT_KIND = "vpc_endpoint"


def validate_vpc_endpoints() -> None:
    """Refuse an endpoint of an unknown service, without the VPC's names or beside another one; moto creates any. Honour client tokens.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html, …/API_DeleteVpcEndpoints.html and
    https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
    """
    from moto.ec2.models import EC2Backend

    @patch(EC2Backend, "create_vpc_endpoint")
    def create_vpc_endpoint(original: Any, self: Any, vpc_id: str, service_name: str, endpoint_type: str | None, **wanted: Any) -> Any:
        asked = (vpc_id, service_name, endpoint_type, repr(sorted(wanted.items(), key=str)))
        for known in tuple(self.vpc_end_points.values()):
            if wanted.get("client_token") and known.client_token == wanted["client_token"]:
                return _same(known, asked)
        _validate_new(self, vpc_id, service_name, endpoint_type or "Gateway", wanted)
        endpoint = original(self, vpc_id, service_name, endpoint_type or "Gateway", **wanted)
        endpoint.asked = asked
        endpoint.private_dns_enabled = bool(wanted.get("private_dns_enabled")) and endpoint_type == "Interface"
        _mark_interfaces(self, endpoint)
        return endpoint

    @patch(EC2Backend, "delete_vpc")
    def delete_vpc(original: Any, self: Any, vpc_id: str) -> Any:
        from moto.ec2.exceptions import DependencyViolationError

        if any(endpoint.vpc_id == vpc_id for endpoint in _alive(self)):
            raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return original(self, vpc_id)

    _change_vpc_endpoints()
    _delete_vpc_endpoints()


def _change_vpc_endpoints() -> None:
    """Change the private name and the interfaces of an endpoint too, and refuse a policy that is none."""
    from moto.core.responses import ActionResult
    from moto.ec2.responses import EC2Response

    @patch(EC2Response, "modify_vpc_endpoint")
    def modify_vpc_endpoint(original: Any, self: Any) -> ActionResult:
        [endpoint] = self.ec2_backend.describe_vpc_endpoints(vpc_end_point_ids=[self._get_param("VpcEndpointId")])
        _validate_policy(self._get_param("PolicyDocument"))
        answer: ActionResult = original(self)
        private = self._get_param("PrivateDnsEnabled")
        if private is not None:
            endpoint.private_dns_enabled = str(private).lower() == "true"
        _mark_interfaces(self.ec2_backend, endpoint)
        return answer


def _delete_vpc_endpoints() -> None:
    """List the endpoints that are not there as unsuccessful, and forget the deleted ones, which moto shows forever."""
    from moto.core.responses import ActionResult
    from moto.ec2.responses import EC2Response

    @patch(EC2Response, "delete_vpc_endpoints")
    def delete_vpc_endpoints(original: Any, self: Any) -> ActionResult:
        known, ids = self.ec2_backend.vpc_end_points, self._get_param("VpcEndpointIds", [])
        absent = [id for id in ids if id not in known]
        original(self)
        for id in set(ids) - set(absent):
            known.pop(id)
        missing = {"Code": "InvalidVpcEndpoint.NotFound", "Message": "The Vpc Endpoint Id does not exist"}
        return ActionResult({"Unsuccessful": [{"ResourceId": id, "Error": missing} for id in absent]})


def _alive(ec2: Any) -> list[Any]:
    return [endpoint for endpoint in tuple(ec2.vpc_end_points.values()) if endpoint.state != "deleted"]


def _same(known: Any, asked: Any) -> Any:
    from moto.ec2.exceptions import EC2ClientError

    if known.asked != asked:
        raise EC2ClientError("IdempotentParameterMismatch", "The client token was used with different parameters.")
    return known


def _validate_new(ec2: Any, vpc_id: str, service_name: str, endpoint_type: str, wanted: dict[str, Any]) -> None:
    from moto.ec2.exceptions import EC2ClientError

    start, _, service = service_name.rpartition(".")
    offered = _INTERFACES if endpoint_type == "Interface" else _GATEWAYS
    if start != f"com.amazonaws.{ec2.region_name}" or service not in offered:
        raise EC2ClientError("InvalidServiceName", f"The Vpc Endpoint Service '{service_name}' does not exist")
    _validate_policy(wanted.get("policy_document"))
    vpc, others = ec2.get_vpc(vpc_id), [each for each in _alive(ec2) if (each.vpc_id, each.service_name) == (vpc_id, service_name)]
    if endpoint_type == "Interface" and wanted.get("private_dns_enabled"):
        if not (vpc.enable_dns_support and vpc.enable_dns_hostnames):
            attributes = "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true"
            raise EC2ClientError("InvalidParameter", f"{attributes} for {vpc_id}")
        if any(each.private_dns_enabled for each in others):
            raise EC2ClientError("InvalidParameter", f"private-dns-enabled cannot be set: {vpc_id} has a conflicting DNS domain already")
    tables = set(wanted.get("route_table_ids") or ())
    if any(tables & set(each.route_table_ids) for each in others if endpoint_type == "Gateway"):
        raise EC2ClientError("RouteAlreadyExists", f"a route table already has a route to {service_name}")


def _validate_policy(document: str | None) -> None:
    from moto.ec2.exceptions import EC2ClientError

    try:
        parsed = json.loads(document) if document else {"Statement": []}
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict) or "Statement" not in parsed:
        raise EC2ClientError("InvalidPolicyDocument", "The policy document is not a valid JSON policy document.")


def _mark_interfaces(ec2: Any, endpoint: Any) -> None:
    """Give an endpoint an interface in each of its subnets, with its security groups, of the type that EC2 shows."""
    if endpoint.vpc_endpoint_type != "Interface":
        return
    own = {id: ec2.enis[id] for id in endpoint.network_interface_ids if id in ec2.enis}
    for id in [id for id, eni in own.items() if eni.subnet.id not in endpoint.subnet_ids]:
        ec2.enis.pop(id)
        own.pop(id)
    for subnet_id in set(endpoint.subnet_ids) - {eni.subnet.id for eni in own.values()}:
        eni = ec2.create_network_interface(subnet_id, None)
        own[eni.id] = eni
    endpoint.network_interface_ids = [*own]
    for eni in own.values():
        eni.interface_type = _ENDPOINT_KIND
        eni._group_set = [ec2.get_security_group_from_id(id) for id in endpoint.security_group_ids]
