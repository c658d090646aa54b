"""AWS::DynamoDB::Table"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Ready,
    Steps,
    TagChanges,
    Waiting,
    cfn,
    tags_of,
)
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFoundException", "TableNotFoundException")
_NO_POLICY = (*_GONE, "PolicyNotFoundException")
_ON_ITS_WAY = ("CREATING", "UPDATING", "DELETING")
_TYPES = {"S": "String", "N": "Number", "B": "Binary"}
_BY_HAND = "a new table has none; what is added by hand is shown by a plan"


@dataclass(frozen=True, kw_only=True)
class DynamoDbTable(Defaults):
    """Keeps the questions of the assistant's sessions until their time is up, for every process that answers."""

    KIND: ClassVar[str] = "AWS::DynamoDB::Table"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"table_name", "partition_key", "sort_key"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = FIXED
    MOST_TAGS: ClassVar[int] = 50
    LOSES: ClassVar[str] = "data"
    # While it is CREATING no setting can be changed, and while it is DELETING its name is not free.
    PROPAGATES: ClassVar[frozenset[str]] = frozenset({"ResourceInUseException"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset(
        {("DeleteTable", "ResourceInUseException"), ("DeleteTable", "ValidationException")}
    )
    EXEMPT: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("deletion_protection", "point_in_time_recovery", "kms_key", "resource_policy", "stream"), _BY_HAND
    )
    PROTECTIONS: ClassVar[Mapping[str, str]] = {
        "deletion_protection": "its deletion protection, which was switched on by hand, stays on",
        "point_in_time_recovery": "its point-in-time recovery, which was switched on by hand, stays on",
        "kms_key": "its KMS key, which was chosen by hand, stays",
    }
    NOT_COMPARED: ClassVar[Mapping[str, str]] = {
        "indexes, replicas, exports, table class, throughput limits": "they add copies inside the account or cost, and change no answer"
    }

    name: str
    table_name: str
    partition_key: tuple[str, str]
    """The attribute, and its type: S, N or B."""
    sort_key: tuple[str, str]
    ttl_attribute: str
    """The attribute by which DynamoDB deletes an item: seconds since 1970."""
    billing_mode: str = "PAY_PER_REQUEST"
    kms_key: str = ""
    """Empty: a key that DynamoDB owns. Every table is encrypted."""
    deletion_protection: bool = False
    point_in_time_recovery: bool = False
    stream: str = ""
    """What a stream of changes shows, which others could read; empty: there is none."""
    resource_policy: str = ""
    """A policy of the table itself, which could let others read; empty: there is none."""

    def natural_id(self, aws: Aws) -> str:
        return self.table_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("dynamodb").get_paginator("list_tables").paginate()
        names = [name for page in pages for name in page["TableNames"] if name.startswith(deployment)]
        tables = filter(None, (_describe(aws, name) for name in names))
        tagged = [(table, _read_tags(aws, table["TableArn"])) for table in tables]
        ours = [(table, tags) for table, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment]
        return tuple(Owned.tagged(table["TableName"], tags, table.get("CreationDateTime")) for table, tags in ours)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        table = _describe(aws, id)
        if not table:
            return None
        types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
        keys = {each["KeyType"]: (each["AttributeName"], types[each["AttributeName"]]) for each in table["KeySchema"]}
        stream = table.get("StreamSpecification", {})
        seen = cls(
            name=name,
            table_name=id,
            partition_key=keys.get("HASH", ("", "")),
            sort_key=keys.get("RANGE", ("", "")),
            ttl_attribute=_read_ttl(aws, id),
            # AWS shows no mode of a table that has always been provisioned.
            billing_mode=table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            kms_key=table.get("SSEDescription", {}).get("KMSMasterKeyArn", ""),
            deletion_protection=table.get("DeletionProtectionEnabled", False),
            point_in_time_recovery=_has_recovery(aws, id),
            stream=stream.get("StreamViewType", "") if stream.get("StreamEnabled") else "",
            resource_policy=_read_policy(aws, table["TableArn"]),
        )
        outputs = {"table_name": id, "arn": table["TableArn"]}
        broken = "it is being deleted" if table["TableStatus"] == "DELETING" else ""
        return Found(id, seen, outputs, _read_tags(aws, table["TableArn"]), broken)

    def create(self, aws: Aws, mark: Mark) -> str:
        answer: Any = aws.client("dynamodb").create_table(
            TableName=self.table_name, BillingMode=self.billing_mode, Tags=mark.tag_list(), **self._describe_keys()
        )
        return str(answer["TableDescription"]["TableName"])

    def configure(self, aws: Aws, id: str) -> None:
        found = self.read(aws, id, self.name)
        if found is None:
            return
        seen = found.seen
        # One call changes one of them.
        if seen.billing_mode != self.billing_mode:
            aws.client("dynamodb").update_table(TableName=id, BillingMode=self.billing_mode)
        if seen.stream:
            aws.client("dynamodb").update_table(TableName=id, StreamSpecification={"StreamEnabled": False})
        if seen.resource_policy:
            aws.client("dynamodb").delete_resource_policy(ResourceArn=str(found.outputs["arn"]))
        if seen.ttl_attribute != self.ttl_attribute:
            _set_ttl(aws, id, seen.ttl_attribute, self.ttl_attribute)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        arn = _describe(aws, id).get("TableArn", "")
        if changes.set:
            aws.client("dynamodb").tag_resource(ResourceArn=arn, Tags=changes.tag_list())
        if changes.remove:
            aws.client("dynamodb").untag_resource(ResourceArn=arn, TagKeys=list(changes.remove))

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        status = _describe(aws, id).get("TableStatus", "not shown")
        if status == "ACTIVE":
            return Ready()
        return Waiting(f"table {id} is {status}") if status in (*_ON_ITS_WAY, "not shown") else _unusable(id, status)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        if _describe(aws, id).get("TableStatus") != "DELETING":
            or_none(lambda: aws.client("dynamodb").delete_table(TableName=id), _GONE)

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        table = _describe(aws, id)
        if table.get("DeletionProtectionEnabled"):
            return _protected(id)
        return Waiting(f"table {id} is {table['TableStatus']}") if table.get("TableStatus") in _ON_ITS_WAY else None

    def console(self) -> Steps:
        keys = (("Partition key", self.partition_key), ("Sort key", self.sort_key))
        return (
            "DynamoDB > Tables > Create table",
            f"Table name: {self.table_name}",
            *(f"{label}: {name}, {_TYPES.get(kind, kind)}" for label, (name, kind) in keys),
            "Table settings > Customize settings",
            f"Read/write capacity settings: {'On-demand' if self.billing_mode == 'PAY_PER_REQUEST' else self.billing_mode}",
            "Encryption at rest > Encryption key management: Owned by Amazon DynamoDB",
            "Deletion protection: off; Resource-based policy: none",
            f"Once it is Active: Additional settings > Time to Live (TTL) > Turn on; TTL attribute name: {self.ttl_attribute}",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"table_name": "Ref", "arn": "Arn"},
            TableName=self.table_name,
            BillingMode=self.billing_mode,
            TimeToLiveSpecification={"AttributeName": self.ttl_attribute, "Enabled": True},
            **self._describe_keys(),
        )

    def _describe_keys(self) -> dict[str, Any]:
        """Describe the keys as the API and CloudFormation both take them: the type of each attribute, and its use."""
        keys = (self.partition_key, self.sort_key)
        return {
            "AttributeDefinitions": tuple({"AttributeName": name, "AttributeType": kind} for name, kind in keys),
            "KeySchema": tuple({"AttributeName": name, "KeyType": use} for (name, _), use in zip(keys, ("HASH", "RANGE"), strict=True)),
        }

    FAILURES: ClassVar[Failures] = {
        ("CreateTable", "ResourceInUseException"): lambda table: Problem(
            code="DYNAMODB-NAME-TAKEN",
            what=f"Table {table.table_name} was not created.",
            why="This account has a table of that name in this region, or one is still being deleted.",
            do=(
                "If you have just cleaned up this deployment, wait a minute and run the same command again.",
                "Otherwise set another `name:` for this deployment, or delete that table if it is a leftover (DynamoDB > Tables).",
            ),
        ),
        ("CreateTable", "LimitExceededException"): lambda table: Problem(
            code="DYNAMODB-QUOTA",
            what=f"Table {table.table_name} was not created.",
            why="This account has as many tables in this region as its quota allows, or changes as many of them at this moment.",
            do=(
                "Delete tables that nobody uses (DynamoDB > Tables), or ask for more under Service Quotas > Amazon DynamoDB.",
                "If other tables are being created or deleted, run the same command again in a minute.",
            ),
        ),
        ("UpdateTimeToLive", "ValidationException"): lambda table: Problem(
            code="DYNAMODB-TTL-LATER",
            what=f"Table {table.table_name} does not delete its items by {table.ttl_attribute} yet.",
            why="DynamoDB takes one change of the Time to Live of a table in an hour, and it was changed a short time ago.",
            do=(
                "Nothing is urgent: until then questions are kept, and are no longer shown once their time is up.",
                "Run the same command again in an hour.",
            ),
            aws_docs="https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html",
        ),
    }


def _describe(aws: Aws, name: str) -> dict[str, Any]:
    answer: Any = or_none(lambda: aws.client("dynamodb").describe_table(TableName=name), _GONE)
    return dict(answer["Table"]) if answer else {}


def _read_tags(aws: Aws, arn: str) -> dict[str, str]:
    pages = aws.client("dynamodb").get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    tags: Any = or_none(lambda: [tag for page in pages for tag in page["Tags"]], _GONE)
    return tags_of(tags)


def _read_ttl(aws: Aws, name: str) -> str:
    answer: Any = or_none(lambda: aws.client("dynamodb").describe_time_to_live(TableName=name), _GONE)
    ttl = (answer or {}).get("TimeToLiveDescription", {})
    return str(ttl.get("AttributeName", "")) if ttl.get("TimeToLiveStatus") in ("ENABLING", "ENABLED") else ""


def _has_recovery(aws: Aws, name: str) -> bool:
    answer: Any = or_none(lambda: aws.client("dynamodb").describe_continuous_backups(TableName=name), _GONE)
    recovery = (answer or {}).get("ContinuousBackupsDescription", {}).get("PointInTimeRecoveryDescription", {})
    return bool(recovery.get("PointInTimeRecoveryStatus") == "ENABLED")


def _read_policy(aws: Aws, arn: str) -> str:
    answer: Any = or_none(lambda: aws.client("dynamodb").get_resource_policy(ResourceArn=arn), _NO_POLICY)
    return json.dumps(json.loads(answer["Policy"]), sort_keys=True) if answer else ""


def _set_ttl(aws: Aws, name: str, seen: str, wanted: str) -> None:
    """Set the attribute by which items expire; another one must be switched off first."""
    for attribute, enabled in ((seen, False), (wanted, True)) if seen else ((wanted, True),):
        ttl: Any = {"AttributeName": attribute, "Enabled": enabled}
        aws.client("dynamodb").update_time_to_live(TableName=name, TimeToLiveSpecification=ttl)


def _unusable(name: str, status: str) -> Problem:
    return Problem(
        code="DYNAMODB-TABLE-UNUSABLE",
        what=f"Table {name} is {status}.",
        why="Its KMS key can't be used, or AWS has archived the table because of that.",
        do=(
            "Enable the key, and let DynamoDB use it (KMS > Customer managed keys), or choose another one: DynamoDB > Tables > Encryption.",
            "Run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html",
    )


def _protected(name: str) -> Problem:
    return Problem(
        code="DYNAMODB-PROTECTED",
        what=f"Table {name} was not deleted.",
        why="Its deletion protection was switched on by hand; no command of this tool switches it off.",
        do=(
            f"aws dynamodb update-table --table-name {name} --no-deletion-protection-enabled",
            "Run the same cleanup again.",
        ),
    )
