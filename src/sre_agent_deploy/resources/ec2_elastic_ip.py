"""AWS::EC2::EIP"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Steps,
    TagChanges,
    Waiting,
    cfn,
    tags_of,
)
from sre_agent_deploy.resources.ec2_calls import change_tags, of_deployment, tag_specification
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

GONE = ("InvalidAllocationID.NotFound",)
# The local AWS can't give an unprivileged process port 443; this tag says which port it gave instead.
PORT_TAG = "embedded-aws:port-443"
MACHINE_TAG = "sre-agent:instance"


@dataclass(frozen=True, kw_only=True)
class ElasticIp(Defaults):
    """The public address that stays when instances come and go."""

    KIND: ClassVar[str] = "AWS::EC2::EIP"
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        {("ReleaseAddress", "InvalidIPAddress.InUse"), ("ReleaseAddress", "InvalidAddress.Locked")}
    )
    LOSES: ClassVar[str] = "address"
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {"reverse DNS": "a user sets it, for mail; the deployment sends none"}
    MOST_TAGS: ClassVar[int] = 50
    ID_FROM_AWS: ClassVar[bool] = True

    name: str

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        addresses = aws.client("ec2").describe_addresses(Filters=of_deployment(deployment))["Addresses"]
        return tuple(Owned.tagged(address["AllocationId"], tags_of(address.get("Tags"))) for address in addresses)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        answer = aws.client("ec2").describe_addresses(Filters=[{"Name": "tag-key", "Values": [DEPLOYMENT_TAG]}])
        return (tags_of(address.get("Tags")).get(DEPLOYMENT_TAG, "") for address in answer["Addresses"])

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        answer = or_none(lambda: aws.client("ec2").describe_addresses(AllocationIds=[id]), GONE)
        if answer is None or not answer["Addresses"]:
            return None
        tags = tags_of(answer["Addresses"][0].get("Tags"))
        return Found(id, cls._seen(name, tags), _outputs(id, answer["Addresses"][0]["PublicIp"], tags.get(PORT_TAG, "443")), tags)

    @classmethod
    def _seen(cls, name: str, tags: Mapping[str, str]) -> Self:
        return cls(name=name)

    def create(self, aws: Aws, mark: Mark) -> str:
        made = aws.client("ec2").allocate_address(Domain="vpc", TagSpecifications=tag_specification("elastic-ip", mark))
        return made["AllocationId"]

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, [id], changes)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        addresses: list[Any] = [*aws.client("ec2").describe_addresses(AllocationIds=[id])["Addresses"]]
        for association_id in filter(None, (address.get("AssociationId") for address in addresses)):
            aws.client("ec2").disassociate_address(AssociationId=association_id)
        aws.client("ec2").release_address(AllocationId=id)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        return _locked(id) if code == "InvalidAddress.Locked" else Waiting(f"EC2 to disassociate address {id} from its instance")

    def console(self) -> Steps:
        return (
            "EC2 > Elastic IPs > Allocate Elastic IP address",
            "Public IPv4 address pool: Amazon's pool of IPv4 addresses",
            "Allocate; note the allocation ID and the address",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"allocation_id": "AllocationId", "public_ip": "PublicIp", "https_authority": "PublicIp", "https_suffix": ""},
            Domain="vpc",
        )

    FAILURES: ClassVar[Failures] = {
        ("AllocateAddress", "AddressLimitExceeded"): lambda _: Problem(
            code="ELASTIC-IP-QUOTA",
            what="No Elastic IP address was allocated.",
            why="This region has as many Elastic IPs as its quota allows (5 unless raised).",
            do=(
                "Release one that is not associated (EC2 > Elastic IPs), or ask for more under "
                "Service Quotas > Amazon EC2 > EC2-VPC Elastic IPs.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/elastic-ip-addresses-eip.html",
        ),
        ("AllocateAddress", "InsufficientAddressCapacity"): lambda _: Problem(
            code="ELASTIC-IP-CAPACITY",
            what="No Elastic IP address was allocated.",
            why="AWS has no free address of its pool in this region at the moment.",
            do=("See whether AWS knows of it: https://health.aws.amazon.com.", "Run the same command again in some minutes; it continues."),
        ),
    }


@dataclass(frozen=True, kw_only=True)
class MachineAddress(ElasticIp):
    """The public address of one machine, where a DNS record says which machine serves: each machine has an address of its own."""

    LISTS_KIND: ClassVar[bool] = False
    FIXED: ClassVar[frozenset[str]] = frozenset({"instance_id"})
    # Of the AWS type it is said once, above.
    NOT_COMPARED: ClassVar[Mapping[str, str]] = MappingProxyType({})
    # Clients know the domain; the address is replaced with its machine.
    LOSES: ClassVar[str] = ""

    instance_id: LaterText

    @classmethod
    def _seen(cls, name: str, tags: Mapping[str, str]) -> Self:
        return cls(name=name, instance_id=tags.get(MACHINE_TAG, ""))

    def loses(self, seen: Self) -> str:
        # Without a machine's tag it was the deployment's fixed address, which others may know.
        return "" if seen.instance_id else ElasticIp.LOSES

    def create(self, aws: Aws, mark: Mark) -> str:
        tags = tag_specification("elastic-ip", mark)
        tags[0]["Tags"].append({"Key": MACHINE_TAG, "Value": require_known(self.instance_id)})
        return aws.client("ec2").allocate_address(Domain="vpc", TagSpecifications=tags)["AllocationId"]

    def console(self) -> Steps:
        return (*super().console(), f"Add tag: {MACHINE_TAG} = {self.instance_id}")

    def template(self) -> CfnResource:
        declared = super().template()
        return replace(declared, properties={**declared.properties, "Tags": ({"Key": MACHINE_TAG, "Value": self.instance_id},)})


def _outputs(allocation_id: str, public_ip: str, port: str) -> dict[str, str]:
    suffix = "" if port == "443" else f":{port}"
    return {
        "allocation_id": allocation_id,
        "public_ip": public_ip,
        "https_port": port,
        "https_suffix": suffix,
        "https_authority": f"{public_ip}{suffix}",
    }


def _locked(allocation_id: str) -> Problem:
    return Problem(
        code="ELASTIC-IP-LOCKED",
        what=f"Elastic IP {allocation_id} was not released.",
        why="It has a reverse DNS record, which was set by hand and must be reset first: mail may be sent from this address.",
        do=(
            f"If it is not needed: aws ec2 reset-address-attribute --allocation-id {allocation_id} --attribute domain-name",
            "Run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Elastic_Addressing_Reverse_DNS.html",
    )
