"""Amazon DynamoDB: tables take a moment to exist and to go, and settings that moto ignores count."""

from __future__ import annotations

from typing import Any

from embedded_aws.pace import PACE
from embedded_aws.strict.patching import patch
from sre_core import clock

_OF_ITEMS = ("put_item", "get_item", "update_item", "delete_item", "query", "scan")


def take_time_for_tables() -> None:
    """Show a table as CREATING and DELETING for a moment, and refuse then what AWS refuses; moto's exist and are gone at once.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html, …/API_DeleteTable.html and
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
    """
    from moto.dynamodb.exceptions import DeletionProtectedException, ResourceInUseException
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.models.table import Table

    @patch(DynamoDBBackend, "create_table")
    def create_table(original: Any, self: Any, name: str, **wanted: Any) -> Any:
        _remove_deleted(self)
        table = original(self, name, **wanted)
        table.works_from = clock.elapsed() + PACE.table
        return table

    @patch(DynamoDBBackend, "delete_table")
    def delete_table(_original: Any, self: Any, name: str) -> Any:
        table = self.get_table(name)
        if _status(table) != "ACTIVE":
            raise ResourceInUseException(f"Attempt to change a resource which is still in use: Table is being created or deleted: {name}")
        if table.deletion_protection_enabled:
            raise DeletionProtectedException(name)
        table.gone_from = clock.elapsed() + PACE.table
        return table

    @patch(DynamoDBBackend, "get_table")
    def get_table(original: Any, self: Any, table_name: str) -> Any:
        _remove_deleted(self)
        return original(self, table_name)

    @patch(DynamoDBBackend, "list_tables")
    def list_tables(original: Any, self: Any, limit: int, exclusive_start_table_name: str) -> Any:
        _remove_deleted(self)
        return original(self, limit, exclusive_start_table_name)

    @patch(DynamoDBBackend, "list_tags_of_resource")
    def list_tags_of_resource(original: Any, self: Any, table_arn: str) -> Any:
        _remove_deleted(self)
        return original(self, table_arn)

    @patch(Table, "describe")
    def describe(original: Any, self: Any, base_key: str = "TableDescription") -> Any:
        shown = original(self, base_key)
        shown[base_key]["TableStatus"] = _status(self)
        return shown

    for operation in _OF_ITEMS:
        _require_existing_table(operation)


def _status(table: Any) -> str:
    if getattr(table, "gone_from", None):
        return "DELETING"
    return "CREATING" if clock.elapsed() < getattr(table, "works_from", 0) else "ACTIVE"


def _remove_deleted(backend: Any) -> None:
    for name, table in tuple(backend.tables.items()):
        if clock.elapsed() > (getattr(table, "gone_from", 0) or float("inf")):
            del backend.tables[name]
            backend.resource_policies.pop(table.table_arn, None)


def _require_existing_table(operation: str) -> None:
    """Answer that there is no such table while it is being created."""
    from moto.dynamodb.exceptions import ResourceNotFoundException
    from moto.dynamodb.responses import DynamoHandler

    @patch(DynamoHandler, operation)
    def refuse(original: Any, self: Any) -> Any:
        if _status(self.dynamodb_backend.get_table(self.body["TableName"])) == "CREATING":
            raise ResourceNotFoundException
        return original(self)


def refuse_untimely_changes() -> None:
    """Refuse to change a table that is not ACTIVE, and a change that changes nothing; encrypt with the key that UpdateTable names.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html and …/API_UpdateTimeToLive.html
    """
    from moto.dynamodb.exceptions import MockValidationException, ResourceInUseException
    from moto.dynamodb.models import DynamoDBBackend
    from moto.dynamodb.responses import DynamoHandler

    def require_active(backend: Any, name: str) -> Any:
        table = backend.get_table(name)
        if _status(table) != "ACTIVE":
            raise ResourceInUseException(f"Attempt to change a resource which is still in use: Table is being created or deleted: {name}")
        return table

    @patch(DynamoHandler, "update_table")
    def update_table(original: Any, self: Any) -> Any:
        table = require_active(self.dynamodb_backend, self.body["TableName"])
        if set(self.body) <= {"TableName", "AttributeDefinitions"}:
            raise MockValidationException("At least one of ProvisionedThroughput, BillingMode or another setting is required")
        if encryption := self.body.get("SSESpecification"):
            table.sse_specification = encryption if encryption.get("Enabled") else None
        return original(self)

    @patch(DynamoDBBackend, "update_time_to_live")
    def update_time_to_live(original: Any, self: Any, table_name: str, ttl_spec: Any) -> None:
        table = require_active(self, table_name)
        enabled, attribute = table.ttl["TimeToLiveStatus"] == "ENABLED", table.ttl.get("AttributeName")
        if enabled and ttl_spec["Enabled"] and attribute != ttl_spec["AttributeName"]:
            raise MockValidationException(f"TimeToLive is active on a different AttributeName: current AttributeName is {attribute}")
        if enabled == ttl_spec["Enabled"]:
            raise MockValidationException(f"TimeToLive is already {'enabled' if enabled else 'disabled'}")
        original(self, table_name, ttl_spec)
        if not ttl_spec["Enabled"]:
            del table.ttl["AttributeName"]

    @patch(DynamoDBBackend, "describe_time_to_live")
    def describe_time_to_live(_original: Any, self: Any, table_name: str) -> Any:
        return self.get_table(table_name).ttl
