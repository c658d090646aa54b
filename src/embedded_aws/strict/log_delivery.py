"""CloudWatch Logs: the delivery of logs that an AWS service writes itself, such as AgentCore's gateway."""

from __future__ import annotations

import re
from typing import Any

from embedded_aws.strict.patching import patch

_GATEWAY = re.compile(r"arn:aws:bedrock-agentcore:[a-z0-9-]+:\d{12}:gateway/[0-9a-z-]+")
_LOG_TYPES = ("APPLICATION_LOGS", "TRACES")


def deliver_logs_of_gateways() -> None:
    """Accept a gateway as the source of a delivery; moto knows other services only.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutDeliverySource.html
    """
    from moto.logs.exceptions import ConflictException, ResourceNotFoundException, ValidationException
    from moto.logs.models import DeliverySource, LogsBackend

    @patch(LogsBackend, "put_delivery_source")
    def put_delivery_source(original: Any, self: Any, name: str, resource_arn: str, *settings: Any, **more: Any) -> Any:
        if ":bedrock-agentcore:" not in resource_arn:
            return original(self, name, resource_arn, *settings, **more)
        log_type, tags = settings or (more["log_type"], more["tags"])
        if not _GATEWAY.fullmatch(resource_arn):
            raise ResourceNotFoundException(msg="The local AWS delivers the logs of gateways alone.")
        if log_type not in _LOG_TYPES:
            raise ValidationException(msg="This service is not allowed for this LogSource.")
        known = self.delivery_sources.get(name)
        if known and tags:
            raise ConflictException(msg="Tags can only be provided when a resource is being created, not updated.")
        if known and (resource_arn not in known.resource_arns or log_type != known.log_type):
            raise ConflictException(msg="Update to existing Delivery Source with new ResourceId is not allowed.")
        same = (each for each in self.delivery_sources.values() if resource_arn in each.resource_arns and each.log_type == log_type)
        if any(each.name != name for each in same):
            raise ConflictException(msg="Another Delivery Source for this resource and log type already exists.")
        source = known or DeliverySource(self.account_id, self.region_name, name, resource_arn, log_type, tags)
        self.delivery_sources[name] = source
        if tags:
            self.tag_resource(source.arn, tags)
        return source

    @patch(LogsBackend, "create_delivery")
    def create_delivery(original: Any, self: Any, delivery_source_name: str, *settings: Any, **more: Any) -> Any:
        delivery = original(self, delivery_source_name, *settings, **more)
        # moto's fields are those of CloudFront.
        if self.delivery_sources[delivery_source_name].service == "bedrock-agentcore" and "x-edge-location" in delivery.record_fields:
            delivery.record_fields = []
        return delivery


def keep_parts_of_deliveries() -> None:
    """Refuse to delete the source or destination of a delivery, and to deliver into an absent group; forget the tags of what is gone.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteDeliverySource.html
    """
    from moto.logs.exceptions import ConflictException, ResourceNotFoundException
    from moto.logs.models import LogsBackend

    @patch(LogsBackend, "put_delivery_destination")
    def put_delivery_destination(original: Any, self: Any, *args: Any, **settings: Any) -> Any:
        arn = (settings.get("delivery_destination_configuration") or {}).get("destinationResourceArn", "")
        if ":log-group:" in arn and group_of(arn) not in self.groups:
            raise ResourceNotFoundException
        return original(self, *args, **settings)

    @patch(LogsBackend, "delete_delivery_source")
    def delete_delivery_source(original: Any, self: Any, name: str) -> None:
        if any(each.delivery_source_name == name for each in self.deliveries.values()):
            raise ConflictException(msg="This Delivery Source is in use by a Delivery.")
        arn = self.get_delivery_source(name).arn
        original(self, name)
        self.tagger.delete_all_tags_for_resource(arn)

    @patch(LogsBackend, "delete_delivery_destination")
    def delete_delivery_destination(original: Any, self: Any, name: str) -> None:
        arn = self.get_delivery_destination(name).arn
        if any(each.delivery_destination_arn == arn for each in self.deliveries.values()):
            raise ConflictException(msg="This Delivery Destination is in use by a Delivery.")
        original(self, name)
        self.tagger.delete_all_tags_for_resource(arn)

    @patch(LogsBackend, "delete_delivery")
    def delete_delivery(original: Any, self: Any, id: str) -> None:
        arn = self.get_delivery(id).arn
        original(self, id)
        self.tagger.delete_all_tags_for_resource(arn)


def group_of(arn: str) -> str:
    """Return the name of the log group that an ARN names, with or without its streams."""
    return arn.removesuffix(":*").rpartition(":log-group:")[2]
