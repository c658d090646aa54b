"""The parts of a VPC: what still uses one keeps it from being deleted.

https://docs.aws.amazon.com/vpc/latest/userguide/delete-vpc.html and, for the codes,
https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html
"""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.patching import patch


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
