"""AWS::EC2::EIPAssociation"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, cfn, tags_of
from sre_agent_deploy.resources.ec2_calls import of_deployment
from sre_agent_deploy.resources.ec2_elastic_ip import GONE, ElasticIp
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


@dataclass(frozen=True, kw_only=True)
class AddressAssociation(Defaults):
    """Points the public address at the instance that serves; an update moves it there in one call.

    An address has one association at most, whose AWS id changes with every move: our id is `<allocation id>/association`.
    """

    KIND: ClassVar[str] = "AWS::EC2::EIPAssociation"
    UNIQUE: ClassVar[bool] = True
    # Two machines with an address each, during an update.
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"allocation_id"})
    # Associating once more what is associated already changes nothing.
    TOKEN: ClassVar[bool] = True
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"allocation_id"})
    PARENT: ClassVar[str] = ElasticIp.KIND
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({Ec2Instance.KIND})

    name: str
    allocation_id: LaterText
    instance_id: LaterText

    def natural_id(self, aws: Aws) -> str:
        return _association_id(self.allocation_id) if isinstance(self.allocation_id, str) else ""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        addresses = aws.client("ec2").describe_addresses(Filters=of_deployment(deployment))["Addresses"]
        return tuple(_owned_association(address) for address in addresses if address.get("AssociationId"))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        address = _describe_address(aws, id)
        if not address.get("AssociationId"):
            return None
        seen = cls(name=name, allocation_id=address["AllocationId"], instance_id=address.get("InstanceId", ""))
        return Found(id, seen, {"association_id": address["AssociationId"]})

    def create(self, aws: Aws, mark: Mark) -> str:
        allocation_id = require_known(self.allocation_id)
        aws.client("ec2").associate_address(AllocationId=allocation_id, InstanceId=require_known(self.instance_id), AllowReassociation=True)
        return _association_id(allocation_id)

    def configure(self, aws: Aws, id: str) -> None:
        if _describe_address(aws, id).get("InstanceId") != self.instance_id:
            aws.client("ec2").associate_address(
                AllocationId=_allocation_id(id), InstanceId=require_known(self.instance_id), AllowReassociation=True
            )

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        if association_id := _describe_address(aws, id).get("AssociationId"):
            aws.client("ec2").disassociate_address(AssociationId=association_id)

    def console(self) -> Steps:
        return (
            f"EC2 > Elastic IPs > select {self.allocation_id} > Actions > Associate Elastic IP address",
            f"Resource type: Instance; Instance: {self.instance_id}",
            "Reassociation: Allow this Elastic IP address to be reassociated",
        )

    def template(self) -> CfnResource:
        return cfn(self.KIND, {"association_id": "Ref"}, AllocationId=self.allocation_id, InstanceId=self.instance_id)

    FAILURES: ClassVar[Failures] = {
        ("AssociateAddress", code): lambda association: Problem(
            code="INSTANCE-NOT-ADDRESSABLE",
            what=f"The Elastic IP was not associated with {association.instance_id}.",
            why="The instance is not running yet, or is being terminated.",
            do=("See the state of the instance: EC2 > Instances.", "When it is running, run the same command again; it continues."),
        )
        for code in ("InvalidInstanceID", "IncorrectInstanceState")
    } | {
        ("AssociateAddress", "InvalidInstanceID.NotFound"): lambda association: Problem(
            code="INSTANCE-NOT-FOUND",
            what=f"The Elastic IP was not associated with {association.instance_id}.",
            why="There is no such instance: it was terminated meanwhile.",
            do=(
                "See who terminated it: CloudTrail > Event history, TerminateInstances.",
                "Run the same command again; it starts a new instance.",
            ),
        ),
        ("AssociateAddress", "Gateway.NotAttached"): lambda association: Problem(
            code="SUBNET-NOT-PUBLIC",
            what=f"The Elastic IP was not associated with {association.instance_id}.",
            why="The VPC of its subnet has no internet gateway, so nothing can reach it from outside.",
            do=(
                "Attach an internet gateway to the VPC (VPC > Internet gateways) and route 0.0.0.0/0 to it, "
                "or name a public subnet in aws.subnet_id.",
                "Run the same command again.",
            ),
        ),
    }


def _owned_association(address: Any) -> Owned:
    # It has no tags of its own, so its name follows from its address.
    above = Owned.tagged(address["AllocationId"], tags_of(address.get("Tags")))
    return Owned(_association_id(above.id), f"{above.name}_association", above.generation)


def _association_id(allocation_id: str) -> str:
    return f"{allocation_id}/association"


def _allocation_id(id: str) -> str:
    return id.partition("/")[0]


def _describe_address(aws: Aws, id: str) -> Any:
    answer = or_none(lambda: aws.client("ec2").describe_addresses(AllocationIds=[_allocation_id(id)]), GONE)
    return answer["Addresses"][0] if answer and answer["Addresses"] else {}
