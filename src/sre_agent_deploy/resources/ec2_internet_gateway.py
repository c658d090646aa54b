"""AWS::EC2::InternetGateway"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, Ref, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, Waiting, cfn, tags_of
from sre_agent_deploy.resources.ec2_calls import (
    change_tags,
    find_interfaces,
    list_owned,
    of_deployment,
    over_quota,
    refused_deletion,
    tag_specification,
)
from sre_agent_deploy.resources.ec2_vpc import Vpc
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("InvalidInternetGatewayID.NotFound",)


@dataclass(frozen=True, kw_only=True)
class InternetGateway(Defaults):
    """Connects the VPC with the internet."""

    KIND: ClassVar[str] = "AWS::EC2::InternetGateway"
    # EC2 detaches none while a machine of its VPC has a public address.
    FIXED: ClassVar[frozenset[str]] = frozenset({"vpc_id"})
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    MOST_TAGS: ClassVar[int] = 50
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({Vpc.KIND})
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({*_GONE, "InvalidVpcID.NotFound"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        {("DetachInternetGateway", "DependencyViolation"), ("DeleteInternetGateway", "DependencyViolation")}
    )

    name: str
    vpc_id: LaterText

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("ec2").get_paginator("describe_internet_gateways").paginate(Filters=of_deployment(deployment))
        return list_owned(pages, "InternetGateways", "InternetGatewayId")

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        gateway = _describe(aws, id)
        if gateway is None:
            return None
        return Found(id, cls(name=name, vpc_id=_vpc_of(gateway)), {"internet_gateway_id": id}, tags_of(gateway.get("Tags")))

    def create(self, aws: Aws, mark: Mark) -> str:
        made = aws.client("ec2").create_internet_gateway(TagSpecifications=tag_specification("internet-gateway", mark))
        return made["InternetGateway"]["InternetGatewayId"]

    def configure(self, aws: Aws, id: str) -> None:
        attached, wanted = _vpc_of(_describe(aws, id) or {}), require_known(self.vpc_id)
        if attached and attached != wanted:
            aws.client("ec2").detach_internet_gateway(InternetGatewayId=id, VpcId=attached)
        if attached != wanted:
            aws.client("ec2").attach_internet_gateway(InternetGatewayId=id, VpcId=wanted)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, [id], changes)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        if attached := _vpc_of(_describe(aws, id) or {}):
            aws.client("ec2").detach_internet_gateway(InternetGatewayId=id, VpcId=attached)
        aws.client("ec2").delete_internet_gateway(InternetGatewayId=id)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        # EC2 does not detach it while an interface of the VPC has a public address.
        found = find_interfaces(aws, "vpc-id", _vpc_of(_describe(aws, id) or {}))
        return found if isinstance(found, Waiting) else replace(found, what=f"{id} was not deleted.")

    def console(self) -> Steps:
        return ("VPC > Internet gateways > Create internet gateway", f"Actions > Attach to VPC: {self.vpc_id}")

    def template(self) -> CfnResource:
        declared = cfn(self.KIND, {"internet_gateway_id": "Ref"})
        attachment = CfnResource(
            "AWS::EC2::VPCGatewayAttachment", {"VpcId": self.vpc_id, "InternetGatewayId": Ref(self.name, "internet_gateway_id")}
        )
        return replace(declared, also={"Attachment": attachment})

    FAILURES: ClassVar[Failures] = {
        ("CreateInternetGateway", "InternetGatewayLimitExceeded"): lambda _: over_quota("internet gateway", "Internet gateways per Region"),
        ("DetachInternetGateway", "DependencyViolation"): refused_deletion,
        ("DeleteInternetGateway", "DependencyViolation"): refused_deletion,
    }


def _describe(aws: Aws, id: str) -> Any:
    answer = or_none(lambda: aws.client("ec2").describe_internet_gateways(InternetGatewayIds=[id]), _GONE)
    return answer["InternetGateways"][0] if answer and answer["InternetGateways"] else None


def _vpc_of(gateway: Any) -> str:
    return next((str(each["VpcId"]) for each in gateway.get("Attachments", ())), "")
