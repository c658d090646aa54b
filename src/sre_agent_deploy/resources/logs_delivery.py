"""AWS::Logs::Delivery"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, TagChanges, cfn
from sre_agent_deploy.resources.logs_calls import GONE, change_tags, delivery_quota, list_deliveries, list_owned, read_tags
from sre_agent_deploy.resources.logs_delivery_destination import DeliveryDestination
from sre_agent_deploy.resources.logs_delivery_source import DeliverySource
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


@dataclass(frozen=True, kw_only=True)
class Delivery(Defaults):
    """Delivers the logs of one source to one destination. CloudWatch Logs gives itself the right to write there."""

    KIND: ClassVar[str] = "AWS::Logs::Delivery"
    # There is one at most for a source and a destination.
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"delivery_source_name", "delivery_destination_arn"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"delivery_source_name", "delivery_destination_arn"})
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {"recordFields": "which fields a line has; without a choice it has all"}
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({DeliverySource.KIND, DeliveryDestination.KIND})
    MOST_TAGS: ClassVar[int] = 50

    name: str
    delivery_source_name: LaterText
    delivery_destination_arn: LaterText

    def natural_id(self, aws: Aws) -> str:
        pair = (self.delivery_source_name, self.delivery_destination_arn)
        found = (each for each in list_deliveries(aws) if (each["deliverySourceName"], each["deliveryDestinationArn"]) == pair)
        return next((str(each["id"]) for each in found), "")

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        ours = {each["id"]: each["arn"] for each in list_deliveries(aws) if each["deliverySourceName"].startswith(deployment)}
        return list_owned(aws, deployment, ours)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = _find(aws, id)
        if not found:
            return None
        source, destination = found["deliverySourceName"], found["deliveryDestinationArn"]
        seen = cls(name=name, delivery_source_name=source, delivery_destination_arn=destination)
        return Found(id, seen, tags=read_tags(aws, found["arn"]))

    def create(self, aws: Aws, mark: Mark) -> str:
        source, destination = require_known(self.delivery_source_name), require_known(self.delivery_destination_arn)
        answer = aws.client("logs").create_delivery(deliverySourceName=source, deliveryDestinationArn=destination, tags=mark.tags())
        return str(answer["delivery"]["id"])

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        change_tags(aws, _find(aws, id).get("arn", ""), changes)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("logs").delete_delivery(id=id), GONE)

    def console(self) -> Steps:
        return (
            "In CloudShell, run:",
            f"aws logs create-delivery --delivery-source-name {self.delivery_source_name} "
            f"--delivery-destination-arn {self.delivery_destination_arn}",
        )

    def template(self) -> CfnResource:
        return cfn(self.KIND, DeliverySourceName=self.delivery_source_name, DeliveryDestinationArn=self.delivery_destination_arn)

    FAILURES: ClassVar[Failures] = {
        ("CreateDelivery", "ConflictException"): lambda delivery: Problem(
            code="LOGS-DELIVERY-TAKEN",
            what=f"The delivery from {delivery.delivery_source_name} was not created.",
            why="This source has a delivery to a log group already: a source can have one only.",
            do=("See it: `aws logs describe-deliveries`. Delete it: `aws logs delete-delivery --id ID`.", "Run the same command again."),
        ),
        ("CreateDelivery", "ServiceQuotaExceededException"): lambda delivery: delivery_quota(
            f"The delivery from {delivery.delivery_source_name}"
        ),
        ("CreateDelivery", "AccessDeniedException"): lambda delivery: Problem(
            code="LOGS-DELIVERY-DENIED",
            what=f"The delivery from {delivery.delivery_source_name} was not created.",
            why="These credentials may not create it, or may not let CloudWatch Logs write into the log group.",
            do=(
                "Allow logs:CreateDelivery, logs:TagResource, logs:PutResourcePolicy and logs:DescribeResourcePolicies: "
                "`sre-agent-deploy iam-policy`.",
                "With monitoring.kms_key_arn, allow delivery.logs.amazonaws.com to use the key: `sre-agent-deploy plan` checks it.",
                "Run the same command again.",
            ),
            aws_docs="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-V2-CloudWatchLogs.html",
        ),
    }


def _find(aws: Aws, id: str) -> dict[str, Any]:
    return next((each for each in list_deliveries(aws) if each["id"] == id), {})
