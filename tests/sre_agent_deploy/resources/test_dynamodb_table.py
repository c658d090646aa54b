"""A DynamoDB table: created, configured when it is active, protected if a person wants it, and refused as AWS refuses it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import attempt
from sre_agent_deploy.engine.create import configure_resource
from sre_agent_deploy.engine.delete import delete_resource
from sre_agent_deploy.resource import Waiting
from sre_agent_deploy.resources.dynamodb_table import DynamoDbTable
from sre_core.problem import Problem

from .conftest import Marked
from .life import check_life_cycle, create, drift, wait_until_ready


def declared(deployment: str) -> DynamoDbTable:
    return DynamoDbTable(
        name="session_table",
        table_name=f"{deployment}-sessions",
        partition_key=("session", "S"),
        sort_key=("turn", "N"),
        ttl_attribute="expires",
    )


def test_a_table_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str) -> None:
    """It is as declared, and goes without a trace; another one under its name is refused while it is there."""
    check_life_cycle(aws, declared(deployment), marked("session_table"))


def test_a_table_that_is_not_there_yet(aws: Aws, marked: Marked, deployment: str) -> None:
    """While it is CREATING, DynamoDB changes and deletes nothing, and finds no item: all of it is waited for."""
    table, client = declared(deployment), aws.client("dynamodb")
    id = table.create(aws, marked("session_table"))
    assert isinstance(table.ready(aws, id), Waiting)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.query(TableName=id, KeyConditionExpression="#s = :s", ExpressionAttributeNames={"#s": "session"},
                     ExpressionAttributeValues={":s": {"S": "x"}})  # fmt: skip
    with pytest.raises(ClientError, match="ResourceInUseException"):
        client.delete_table(TableName=id)
    assert isinstance(DynamoDbTable.blockers(aws, id, "ResourceInUseException"), Waiting)
    assert configure_resource(aws, table, id) is None
    assert drift(aws, table, id) == ()
    assert delete_resource(aws, DynamoDbTable, id, table.name, deployment) is None


def test_what_dynamodb_refuses(aws: Aws, marked: Marked, deployment: str) -> None:
    """A name that is taken, a protected table, and a second change of its Time to Live are Problems; a wrong item is an error of AWS's."""
    table, client = declared(deployment), aws.client("dynamodb")
    id = create(aws, table, marked("session_table"))
    assert isinstance(attempt(lambda: client.create_table(**_request(id)), subject=table, failures=DynamoDbTable.FAILURES), Problem)
    assert drift(aws, table, id) == ()
    key: Any = {"session": {"S": "s"}, "turn": {"N": "1"}}
    for item, code in (
        ({"session": {"S": "s"}}, "ValidationException"),
        ({**key, "turn": {"S": "1"}}, "ValidationException"),
        ({**key, "prompt": {"S": "x" * 410_000}}, "ValidationException"),
    ):
        with pytest.raises(ClientError, match=code):
            client.put_item(TableName=id, Item=item)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.put_item(TableName=f"{id}-other", Item=key)
    again: Any = {"AttributeName": "expires", "Enabled": True}
    ttl = attempt(
        lambda: client.update_time_to_live(TableName=id, TimeToLiveSpecification=again), subject=table, failures=DynamoDbTable.FAILURES
    )
    assert isinstance(ttl, Problem) and ttl.code == "DYNAMODB-TTL-LATER"

    client.update_table(TableName=id, DeletionProtectionEnabled=True)
    kept = delete_resource(aws, DynamoDbTable, id, table.name, deployment)
    assert kept and kept.code == "DYNAMODB-PROTECTED"
    client.update_table(TableName=id, DeletionProtectionEnabled=False)
    wait_until_ready(lambda: table.ready(aws, id))
    assert delete_resource(aws, DynamoDbTable, id, table.name, deployment) is None


def _request(name: str) -> Any:
    return {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": "session", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "session", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
