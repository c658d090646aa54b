"""Ids of hosted zones, texts of records, and health checks that exist once and ask public addresses."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from embedded_aws.addresses import LoopbackAddresses
from embedded_aws.strict.patching import patch

_MOST_TAGS = 10
_LONGEST_STRING, _LONGEST_TEXT = 255, 4000
_STRING = re.compile(r'"([^"]*)"')


def begin_zone_ids_with_z() -> None:
    """Begin the id of a hosted zone with Z; moto uses fifteen characters of any kind.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html
    """
    from moto.route53 import models

    @patch(models, "create_route53_zone_id")
    def create_route53_zone_id(original: Any, *args: Any, **kwargs: Any) -> str:
        return f"Z{original(*args, **kwargs)[1:]}"


def limit_texts() -> None:
    """Refuse a TXT record with a string or a value that is too long; moto takes any.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html#TXTFormat
    """
    from moto.route53.exceptions import Route53ClientError
    from moto.route53.models import Route53Backend

    @patch(Route53Backend, "change_resource_record_sets")
    def change_resource_record_sets(original: Any, self: Any, zoneid: str, change_list: list[Any]) -> None:
        records = [change["ResourceRecordSet"] for change in change_list]
        for value in (each["Value"] for record in records if record["Type"] == "TXT" for each in record.get("ResourceRecords", ())):
            if len(value) > _LONGEST_TEXT or any(len(string) > _LONGEST_STRING for string in _STRING.findall(value)):
                fault = f"FATAL problem: CharacterStringTooLong (Value is too long) encountered with '{value}'"
                raise Route53ClientError("InvalidChangeBatch", f"[Invalid Resource Record: '{fault}']")
        original(self, zoneid, change_list)


def keep_caller_references(addresses: LoopbackAddresses) -> None:
    """Answer a repeated creation with the first one, refuse a used reference, and refuse what can't be asked; moto creates each time.

    A public address is here one of the local AWS's own, which lie in the loopback range.
    https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHealthCheck.html
    """
    from moto.route53.exceptions import InvalidInput, Route53ClientError
    from moto.route53.models import Route53Backend

    @patch(Route53Backend, "create_health_check")
    def create_health_check(original: Any, self: Any, caller_reference: str, health_check_args: dict[str, Any]) -> Any:
        used: dict[str, tuple[str, Any]] = self.__dict__.setdefault("used_references", {})
        id, settings = used.get(caller_reference, ("", None))
        if id:
            if id in self.health_checks and settings == health_check_args:
                return self.health_checks[id]
            raise Route53ClientError(
                "HealthCheckAlreadyExists", f"A health check with caller reference {caller_reference} exists or existed."
            )
        if not (health_check_args.get("ip_address") or health_check_args.get("fqdn") or health_check_args.get("children")):
            raise InvalidInput("Invalid parameter : FullyQualifiedDomainName is required without an IPAddress")
        _refuse_unreachable(health_check_args.get("ip_address"))
        check = original(self, caller_reference, health_check_args)
        used[caller_reference] = check.id, health_check_args
        return check

    @patch(Route53Backend, "delete_health_check")
    def delete_health_check(original: Any, self: Any, health_check_id: str) -> None:
        self.get_health_check(health_check_id)
        original(self, health_check_id)
        self.resource_tags.pop(health_check_id, None)

    def _refuse_unreachable(address: str | None) -> None:
        if address and not (ipaddress.ip_address(address).is_global or addresses.owns(address)):
            raise InvalidInput(f"Invalid parameter : IPAddress {address} is in a range that can't be checked")


def count_updates_of_health_checks() -> None:
    """Count the updates of a health check, refuse one of an older version, and one that adds or removes the address.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_UpdateHealthCheck.html
    """
    from moto.route53.exceptions import InvalidInput, Route53ClientError
    from moto.route53.models import Route53Backend
    from moto.route53.responses import Route53

    @patch(Route53Backend, "update_health_check")
    def update_health_check(original: Any, self: Any, health_check_id: str, health_check_args: dict[str, Any]) -> Any:
        before = self.get_health_check(health_check_id)
        if health_check_args.get("ip_address") and not before.ip_address:
            raise InvalidInput("Invalid parameter : IPAddress can't be added to an existing health check")
        check = original(self, health_check_id, health_check_args)
        check.health_check_version += 1
        return check

    @patch(Route53, "update_health_check")
    def answer_update(original: Any, self: Any) -> Any:
        asked = self._get_param("HealthCheckVersion")
        seen = self.backend.get_health_check(self._get_param("HealthCheckId")).health_check_version
        if asked is not None and int(asked) != seen:
            raise Route53ClientError("HealthCheckVersionMismatch", f"The health check is at version {seen}.")
        return original(self)


def tag_existing_health_checks() -> None:
    """Refuse the tags of a health check that does not exist, and more than ten of one.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html
    """
    from moto.route53.exceptions import InvalidInput
    from moto.route53.models import Route53Backend
    from moto.route53.responses import Route53

    @patch(Route53Backend, "change_tags_for_resource")
    def change_tags_for_resource(original: Any, self: Any, resource_type: str, resource_id: str, *changes: Any) -> None:
        added, removed = changes
        if resource_type == "healthcheck":
            self.get_health_check(resource_id)
            kept = (set(self.resource_tags.get(resource_id, ())) - set(removed or ())) | {tag["Key"] for tag in added or ()}
            if len(kept) > _MOST_TAGS:
                raise InvalidInput(f"A resource can have at most {_MOST_TAGS} tags")
        original(self, resource_type, resource_id, *changes)

    @patch(Route53, "list_tags_for_resource")
    def list_tags_for_resource(original: Any, self: Any) -> Any:
        if self._get_param("ResourceType") == "healthcheck":
            self.backend.get_health_check(self._get_param("ResourceId"))
        return original(self)

    @patch(Route53Backend, "list_tags_for_resources")
    def list_tags_for_resources(original: Any, self: Any, resource_type: str, resource_ids: list[str]) -> Any:
        if resource_type == "healthcheck":
            for resource_id in resource_ids:
                self.get_health_check(resource_id)
        return original(self, resource_type, resource_ids)


def show_answers_of_endpoints() -> None:
    """Show what an endpoint really answered, once it was asked; moto shows a success that never was.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHealthCheckStatus.html
    """
    from moto.core.responses import ActionResult
    from moto.route53.responses import Route53

    @patch(Route53, "get_health_check_status")
    def get_health_check_status(_original: Any, self: Any) -> Any:
        check = self.backend.get_health_check(self._get_param("HealthCheckId"))
        said = getattr(check, "observed", None)
        seen = (
            [{"Region": "us-east-1", "IPAddress": "127.0.0.1", "StatusReport": {"Status": said[0], "CheckedTime": said[1]}}] if said else []
        )
        return ActionResult({"HealthCheckObservations": seen})
