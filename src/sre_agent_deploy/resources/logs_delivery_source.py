"""AWS::Logs::DeliverySource"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import (
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
)
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.logs_calls import (
    GONE,
    change_tags,
    delivery_in_use,
    delivery_quota,
    delivery_taken,
    list_deliveries,
    list_owned,
    read_tags,
)
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


@dataclass(frozen=True, kw_only=True)
class DeliverySource(Defaults):
    """Names the resource whose own logs AWS delivers, such as those of the gateway."""

    KIND: ClassVar[str] = "AWS::Logs::DeliverySource"
    # Putting an existing one again is refused with tags.
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"delivery_source_name", "resource_arn", "log_type"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"delivery_source_name", "resource_arn", "log_type"})
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({Gateway.KIND})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteDeliverySource", "ConflictException")})
    MOST_TAGS: ClassVar[int] = 50

    name: str
    delivery_source_name: str
    resource_arn: LaterText
    log_type: str = "APPLICATION_LOGS"

    def natural_id(self, aws: Aws) -> str:
        return self.delivery_source_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("logs").get_paginator("describe_delivery_sources").paginate()
        found = (each for page in pages for each in page["deliverySources"] if each["name"].startswith(deployment))
        return list_owned(aws, deployment, {each["name"]: each["arn"] for each in found})

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = _find(aws, id)
        if not found:
            return None
        seen = cls(name=name, delivery_source_name=id, resource_arn=found["resourceArns"][0], log_type=found["logType"])
        return Found(id, seen, {"delivery_source_name": id}, read_tags(aws, found["arn"]))

    def create(self, aws: Aws, mark: Mark) -> str:
        arn = require_known(self.resource_arn)
        aws.client("logs").put_delivery_source(name=self.delivery_source_name, resourceArn=arn, logType=self.log_type, tags=mark.tags())
        return self.delivery_source_name

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, _find(aws, id).get("arn", ""), changes)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("logs").delete_delivery_source(name=id), GONE)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        using = [each["id"] for each in list_deliveries(aws) if each["deliverySourceName"] == id]
        return delivery_in_use(id, using) if using else Waiting(f"the deliveries of {id} to be deleted")

    def console(self) -> Steps:
        return (
            "The Console chooses names of its own for deliveries; in CloudShell, run:",
            f"aws logs put-delivery-source --name {self.delivery_source_name} --log-type {self.log_type} "
            f"--resource-arn {self.resource_arn}",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"delivery_source_name": "Ref"},
            Name=self.delivery_source_name,
            ResourceArn=self.resource_arn,
            LogType=self.log_type,
        )

    FAILURES: ClassVar[Failures] = {
        ("PutDeliverySource", "ConflictException"): lambda source: delivery_taken(
            f"Delivery source {source.delivery_source_name}",
            "This account has one of that name, or another one delivers the same logs of that resource.",
            "aws logs describe-delivery-sources",
        ),
        ("PutDeliverySource", "ServiceQuotaExceededException"): lambda source: delivery_quota(source.delivery_source_name),
        ("DeleteDeliverySource", "ConflictException"): lambda _: delivery_in_use("The delivery source", ()),
    }


def _find(aws: Aws, name: str) -> dict[str, Any]:
    answer: Any = or_none(lambda: aws.client("logs").get_delivery_source(name=name), GONE)
    return answer["deliverySource"] if answer else {}
