"""AWS::EC2::VPCEndpoint"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none, raise_first_error
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Ready, Steps, TagChanges, Waiting, cfn, tags_of
from sre_agent_deploy.resources import policy_document
from sre_agent_deploy.resources.ec2_calls import change_tags, of_deployment, over_quota, tag_specification
from sre_agent_deploy.resources.ec2_route_table import RouteTable
from sre_agent_deploy.resources.ec2_security_group import SecurityGroup
from sre_agent_deploy.resources.ec2_subnet import Subnet
from sre_agent_deploy.resources.ec2_vpc import Vpc
from sre_agent_deploy.resources.policy_document import Statement
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("InvalidVpcEndpointId.NotFound", "InvalidVpcEndpoint.NotFound")
_NO_LONGER = ("deleting", "rejected", "failed", "expired")


@dataclass(frozen=True, kw_only=True)
class VpcEndpoint(Defaults):
    """Leads the machine's calls of one AWS service through Amazon's network. Its policy allows what the machine does there, and no more."""

    KIND: ClassVar[str] = "AWS::EC2::VPCEndpoint"
    FIXED: ClassVar[frozenset[str]] = frozenset({"vpc_id", "service_name", "endpoint_type"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"vpc_id", "service_name", "endpoint_type"})
    # In another VPC.
    BESIDE: ClassVar[bool] = True
    KEPT_FOR_ROLLBACK: ClassVar[bool] = True
    TOKEN: ClassVar[bool] = True
    ID_FROM_AWS: ClassVar[bool] = True
    MOST_TAGS: ClassVar[int] = 50
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({Vpc.KIND, Subnet.KIND, RouteTable.KIND, SecurityGroup.KIND})
    PROPAGATES: ClassVar[frozenset[str]] = frozenset(
        {"InvalidVpcID.NotFound", "InvalidSubnetID.NotFound", "InvalidRouteTableID.NotFound", "InvalidSecurityGroupID.NotFound"}
    )
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {
        "IP address type, DNS options": "the VPC has IPv4 addresses, for which both have one value"
    }

    name: str
    vpc_id: LaterText
    service_name: str
    endpoint_type: str
    """Gateway, for S3 and DynamoDB, or Interface."""
    statements: tuple[Statement, ...]
    route_table_ids: tuple[LaterText, ...] = ()
    """Of a gateway: the tables that get a route to it."""
    subnet_ids: tuple[LaterText, ...] = ()
    """Of an interface: one in each Availability Zone where it has an address."""
    security_group_ids: tuple[LaterText, ...] = ()
    private_dns: bool = False
    """Of an interface: the service's usual name leads to it, inside the VPC."""

    def __post_init__(self) -> None:
        # AWS lists them in an order of its own.
        for field in ("route_table_ids", "subnet_ids", "security_group_ids"):
            object.__setattr__(self, field, tuple(sorted(getattr(self, field), key=str)))

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("ec2").get_paginator("describe_vpc_endpoints").paginate(Filters=of_deployment(deployment))
        found = [each for page in pages for each in page["VpcEndpoints"] if _state(each) != "deleted"]
        return tuple(Owned.tagged(each["VpcEndpointId"], tags_of(each.get("Tags")), each.get("CreationTimestamp")) for each in found)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        # While it is being deleted its network interfaces still use subnets and the group, so it still exists.
        found = _describe(aws, id)
        if not found or _state(found) == "deleted":
            return None
        seen = cls(
            name=name,
            vpc_id=found["VpcId"],
            service_name=found["ServiceName"],
            endpoint_type=found["VpcEndpointType"],
            statements=policy_document.parse_open_statements(json.loads(found["PolicyDocument"])),
            route_table_ids=tuple(found.get("RouteTableIds", ())),
            subnet_ids=tuple(found.get("SubnetIds", ())),
            security_group_ids=tuple(group["GroupId"] for group in found.get("Groups", ())),
            private_dns=found.get("PrivateDnsEnabled", False),
        )
        broken = f"it is {_state(found)}" if _state(found) in _NO_LONGER else ""
        return Found(id, seen, {"vpc_endpoint_id": id}, tags_of(found.get("Tags")), broken)

    def create(self, aws: Aws, mark: Mark) -> str:
        made = aws.client("ec2").create_vpc_endpoint(
            VpcId=require_known(self.vpc_id),
            ServiceName=self.service_name,
            PolicyDocument=self._policy(),
            ClientToken=mark.token,
            TagSpecifications=tag_specification("vpc-endpoint", mark),
            **self._place(),
        )
        return made["VpcEndpoint"]["VpcEndpointId"]

    def configure(self, aws: Aws, id: str) -> None:
        found = self.read(aws, id, self.name)
        # AWS takes no change while it still makes the endpoint, and then it is as the creation said.
        if found and (changes := self._changes(found.seen)):
            aws.client("ec2").modify_vpc_endpoint(VpcEndpointId=id, **changes)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, [id], changes)

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        state = _state(_describe(aws, id) or {})
        return Ready() if state == "available" else Waiting(f"VPC endpoint is {state or 'not shown'}")

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        answer = aws.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[id])
        # EC2 answers 200 and lists what it did not delete.
        errors = [{**each["Error"], "Key": each.get("ResourceId", "")} for each in answer.get("Unsuccessful", ())]
        raise_first_error("DeleteVpcEndpoints", [{"Errors": errors, "ResponseMetadata": answer["ResponseMetadata"]}])

    def console(self) -> Steps:
        return (
            "VPC > Endpoints > Create endpoint > Type: AWS services",
            f"Services: {self.service_name}, Type {self.endpoint_type}",
            f"VPC: {self.vpc_id}",
            *(f"Route tables: {each}" for each in self.route_table_ids),
            f"Additional settings > Enable DNS name: {self.private_dns}",
            *(f"Subnets: {each}" for each in self.subnet_ids),
            *(f"Security groups: {each}" for each in self.security_group_ids),
            "Policy > Custom, and paste:",
            policy_document.render_indented(policy_document.open_policy(self.statements)),
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"vpc_endpoint_id": "Ref"},
            VpcId=self.vpc_id,
            ServiceName=self.service_name,
            VpcEndpointType=self.endpoint_type,
            PolicyDocument=policy_document.open_policy(self.statements),
            RouteTableIds=self.route_table_ids,
            SubnetIds=self.subnet_ids,
            SecurityGroupIds=self.security_group_ids,
            PrivateDnsEnabled=self.private_dns,
        )

    def _place(self) -> Any:
        lists = {"RouteTableIds": self.route_table_ids, "SubnetIds": self.subnet_ids, "SecurityGroupIds": self.security_group_ids}
        named = {key: [require_known(each) for each in ids] for key, ids in lists.items() if ids}
        return {"VpcEndpointType": self.endpoint_type, "PrivateDnsEnabled": self.private_dns, **named}

    def _policy(self) -> str:
        return policy_document.render_json(policy_document.open_policy(self.statements))

    def _changes(self, seen: Self) -> Any:
        """List what differs, as parameters of ModifyVpcEndpoint."""
        changes: dict[str, Any] = {"PolicyDocument": self._policy()} if seen.statements != self.statements else {}
        changes |= {"PrivateDnsEnabled": self.private_dns} if seen.private_dns != self.private_dns else {}
        for key, field in (("RouteTableIds", "route_table_ids"), ("SubnetIds", "subnet_ids"), ("SecurityGroupIds", "security_group_ids")):
            there, wanted = set(getattr(seen, field)), {require_known(each) for each in getattr(self, field)}
            changes |= {f"Add{key}": sorted(wanted - there)} if wanted - there else {}
            changes |= {f"Remove{key}": sorted(there - wanted)} if there - wanted else {}
        return changes

    FAILURES: ClassVar[Failures] = {
        ("CreateVpcEndpoint", "VpcEndpointLimitExceeded"): lambda _: over_quota("VPC endpoint", "Interface VPC endpoints per VPC"),
    } | {
        ("CreateVpcEndpoint", code): lambda endpoint: Problem(
            code="VPC-ENDPOINT-REFUSED",
            what=f"No VPC endpoint was created for {endpoint.service_name}.",
            why="The service has no endpoint in this region or in one of its Availability Zones, or another endpoint of the VPC serves it.",
            do=(
                "See what there is: `aws ec2 describe-vpc-endpoint-services --query 'ServiceDetails[].[ServiceName,AvailabilityZones]'`, "
                "and VPC > Endpoints.",
                "Set aws.endpoints to s3 or none: the machine then calls this service through the internet gateway, with TLS.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html",
        )
        for code in ("InvalidServiceName", "InvalidParameter", "RouteAlreadyExists")
    }


def _describe(aws: Aws, id: str) -> Any:
    answer = or_none(lambda: aws.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[id]), _GONE)
    return answer["VpcEndpoints"][0] if answer and answer["VpcEndpoints"] else None


def _state(endpoint: Any) -> str:
    # The model writes `Available`, answers `available`.
    return str(endpoint.get("State", "")).lower()
