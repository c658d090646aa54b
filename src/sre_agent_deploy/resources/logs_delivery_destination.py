"""AWS::Logs::DeliveryDestination"""

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
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


@dataclass(frozen=True, kw_only=True)
class DeliveryDestination(Defaults):
    """Names the log group into which AWS delivers the logs of a resource."""

    KIND: ClassVar[str] = "AWS::Logs::DeliveryDestination"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"delivery_destination_name", "output_format"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"delivery_destination_name", "output_format"})
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({LogGroup.KIND})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("DeleteDeliveryDestination", "ConflictException")})
    MOST_TAGS: ClassVar[int] = 50

    name: str
    delivery_destination_name: str
    destination_arn: LaterText
    output_format: str = "json"

    def __post_init__(self) -> None:
        # A log group's ARN is written with and without its streams.
        if isinstance(self.destination_arn, str):
            object.__setattr__(self, "destination_arn", self.destination_arn.removesuffix(":*"))

    def natural_id(self, aws: Aws) -> str:
        return self.delivery_destination_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("logs").get_paginator("describe_delivery_destinations").paginate()
        found = (each for page in pages for each in page["deliveryDestinations"] if each["name"].startswith(deployment))
        return list_owned(aws, deployment, {each["name"]: each["arn"] for each in found})

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = _find(aws, id)
        if not found:
            return None
        seen = cls(
            name=name,
            delivery_destination_name=id,
            destination_arn=found["deliveryDestinationConfiguration"]["destinationResourceArn"],
            output_format=found.get("outputFormat", ""),
        )
        return Found(id, seen, {"arn": found["arn"]}, read_tags(aws, found["arn"]))

    def create(self, aws: Aws, mark: Mark) -> str:
        aws.client("logs").put_delivery_destination(tags=mark.tags(), **self._settings())
        return self.delivery_destination_name

    def configure(self, aws: Aws, id: str) -> None:
        found = type(self).read(aws, id, self.name)
        if found is None or found.seen != self:
            aws.client("logs").put_delivery_destination(**self._settings())

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, _find(aws, id).get("arn", ""), changes)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("logs").delete_delivery_destination(name=id), GONE)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        arn = _find(aws, id).get("arn", "")
        using = [each["id"] for each in list_deliveries(aws) if each["deliveryDestinationArn"] == arn]
        return delivery_in_use(id, using) if using else Waiting(f"the deliveries to {id} to be deleted")

    def console(self) -> Steps:
        return (
            "In CloudShell, run:",
            f"aws logs put-delivery-destination --name {self.delivery_destination_name} --delivery-destination-type CWL "
            f"--output-format {self.output_format} --delivery-destination-configuration destinationResourceArn={self.destination_arn}",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"arn": "Arn"},
            Name=self.delivery_destination_name,
            DestinationResourceArn=self.destination_arn,
            DeliveryDestinationType="CWL",
            OutputFormat=self.output_format,
        )

    def _settings(self) -> Any:
        return {
            "name": self.delivery_destination_name,
            "deliveryDestinationType": "CWL",
            "outputFormat": self.output_format,
            "deliveryDestinationConfiguration": {"destinationResourceArn": require_known(self.destination_arn).removesuffix(":*")},
        }

    FAILURES: ClassVar[Failures] = {
        ("PutDeliveryDestination", "ConflictException"): lambda destination: delivery_taken(
            f"Delivery destination {destination.delivery_destination_name}",
            "This account has one of that name already.",
            "aws logs describe-delivery-destinations",
        ),
        ("PutDeliveryDestination", "ServiceQuotaExceededException"): lambda each: delivery_quota(each.delivery_destination_name),
        ("DeleteDeliveryDestination", "ConflictException"): lambda _: delivery_in_use("The delivery destination", ()),
    }


def _find(aws: Aws, name: str) -> dict[str, Any]:
    answer: Any = or_none(lambda: aws.client("logs").get_delivery_destination(name=name), GONE)
    return answer["deliveryDestination"] if answer else {}
