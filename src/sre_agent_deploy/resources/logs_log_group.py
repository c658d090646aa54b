"""AWS::Logs::LogGroup"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText, require_known, text
from sre_agent_deploy.resource import (
    DEPLOYMENT_TAG,
    CfnResource,
    Defaults,
    Failures,
    Found,
    Mark,
    Owned,
    Steps,
    TagChanges,
    cfn,
)
from sre_agent_deploy.resources.logs_calls import GONE, change_tags, read_tags
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

# How the names of groups begin into which AWS's services deliver their own logs.
_VENDED = "/aws/vendedlogs/"
# AgentCore Runtime makes the group of an endpoint at its first line, unless it is there: without tags, and with no end of its lines.
_OF_RUNTIMES = "/aws/bedrock-agentcore/runtimes/"
_EXISTS = ("ResourceAlreadyExistsException",)
# `sre-` and ten hexadecimal digits; `sre_` in the names of runtimes.
_LENGTH_OF_ID = 14


@dataclass(frozen=True, kw_only=True)
class LogGroup(Defaults):
    """Keeps one kind of log of the deployment for a number of days."""

    KIND: ClassVar[str] = "AWS::Logs::LogGroup"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"log_group_name"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"log_group_name"})
    MOST_TAGS: ClassVar[int] = 50
    LOSES: ClassVar[str] = "data"

    name: str
    log_group_name: LaterText
    retention_days: int
    kms_key: str = ""

    def natural_id(self, aws: Aws) -> str:
        return self.log_group_name if isinstance(self.log_group_name, str) else ""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        prefixes = (deployment, _VENDED + deployment, _OF_RUNTIMES + name_runtime(deployment))
        groups = [group for prefix in prefixes for group in _list(aws, prefix)]
        tagged = [(group["logGroupName"], _read_owner(aws, group)) for group in groups]
        return tuple(Owned.tagged(id, tags) for id, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def deployments(cls, aws: Aws) -> Iterable[str]:
        # The tagging API lists those with tags.
        return (_find_runtime(group["logGroupName"]) for group in _list(aws, _OF_RUNTIMES))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        found = _find(aws, id)
        if found is None:
            return None
        seen = cls(name=name, log_group_name=id, retention_days=found.get("retentionInDays", 0), kms_key=found.get("kmsKeyId", ""))
        return Found(id, seen, {"log_group_name": id, "arn": f"{_arn(found)}:*"}, _read_owner(aws, found))

    def create(self, aws: Aws, mark: Mark) -> str:
        name, key = require_known(self.log_group_name), {"kmsKeyId": self.kms_key} if self.kms_key else {}
        settings: Any = {"logGroupName": name, "tags": mark.tags(), **key}
        if not _find_runtime(name):
            aws.client("logs").create_log_group(**settings)
        elif or_none(lambda: aws.client("logs").create_log_group(**settings), _EXISTS) is None:
            # AgentCore was faster.
            self.set_tags(aws, name, TagChanges(mark.tags(), ()))
        return name

    def configure(self, aws: Aws, id: str) -> None:
        aws.client("logs").put_retention_policy(logGroupName=id, retentionInDays=self.retention_days)
        seen = (_find(aws, id) or {}).get("kmsKeyId", "")
        if self.kms_key and seen != self.kms_key:
            aws.client("logs").associate_kms_key(logGroupName=id, kmsKeyId=self.kms_key)
        elif seen and not self.kms_key:
            aws.client("logs").disassociate_kms_key(logGroupName=id)

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        found = _find(aws, id)
        if found:
            change_tags(aws, _arn(found), changes)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        or_none(lambda: aws.client("logs").delete_log_group(logGroupName=id), GONE)

    def console(self) -> Steps:
        return (
            "CloudWatch > Logs > Log groups > Create log group",
            f"Log group name: {self.log_group_name}",
            f"Retention setting: {self.retention_days} days; KMS key ARN: {self.kms_key or 'leave empty'}",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"log_group_name": "Ref", "arn": "Arn"},
            LogGroupName=self.log_group_name,
            RetentionInDays=self.retention_days,
            KmsKeyId=self.kms_key,
        )

    FAILURES: ClassVar[Failures] = {
        ("CreateLogGroup", "ResourceAlreadyExistsException"): lambda group: Problem(
            code="LOGS-NAME-TAKEN",
            what=f"Log group {group.log_group_name} was not created.",
            why="This account has a log group of that name in this region, and it does not carry this deployment's tag.",
            do=(
                "Set another `name:` for this deployment, or delete that log group if it is a leftover "
                f"(aws logs delete-log-group --log-group-name {group.log_group_name}).",
                "Run the same command again.",
            ),
        ),
        ("CreateLogGroup", "LimitExceededException"): lambda group: Problem(
            code="LOGS-QUOTA",
            what=f"Log group {group.log_group_name} was not created.",
            why="This account has as many log groups in this region as its quota allows.",
            do=("Delete log groups that nobody reads (CloudWatch > Logs > Log groups).", "Run the same command again."),
        ),
        **{
            (operation, "InvalidParameterException"): lambda group: Problem(
                code="LOGS-KEY-REFUSED",
                what=f"Log group {group.log_group_name} can't be encrypted with {group.kms_key or 'its key'}.",
                why="The key is disabled, or its policy does not let CloudWatch Logs of this region use it.",
                do=(
                    "Allow kms:Encrypt*, kms:Decrypt*, kms:ReEncrypt*, kms:GenerateDataKey* and kms:Describe* on the key to "
                    "logs.REGION.amazonaws.com (KMS > Customer managed keys > Key policy).",
                    "Run the same command again.",
                ),
                aws_docs="https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html",
            )
            for operation in ("CreateLogGroup", "AssociateKmsKey")
        },
    }


def name_runtime(deployment: str) -> str:
    """Name the runtime of a deployment: AgentCore allows letters, digits and underscores."""
    return deployment.replace("-", "_")


def name_runtime_log(runtime_id: LaterText, endpoint: str) -> LaterText:
    """Name the log group of an endpoint of a runtime, as AgentCore does."""
    return text(_OF_RUNTIMES + "{runtime_id}-" + endpoint, runtime_id=runtime_id)


def _find_runtime(name: str) -> str:
    """Return the id of the deployment whose runtime writes into a group; empty for another group."""
    return name.removeprefix(_OF_RUNTIMES).partition("-")[0].replace("_", "-") if name.startswith(_OF_RUNTIMES) else ""


def _read_owner(aws: Aws, group: Any) -> dict[str, str]:
    """Read the tags of a group; a runtime's says by its name whose it is, although AgentCore gives it no tags."""
    of = _find_runtime(group["logGroupName"])
    return {**({DEPLOYMENT_TAG: of} if of else {}), **read_tags(aws, _arn(group))}


def _find(aws: Aws, name: str) -> Any:
    """Return what CloudWatch Logs shows of the group of exactly this name, or None.

    All of its deployment are listed: the same question for each of them, which one look at AWS asks once.
    """
    return next((group for group in _list(aws, _family(name)) if group["logGroupName"] == name), None)


def _family(name: str) -> str:
    """Return how the names of a group and of its like begin, up to the id of the deployment."""
    begins = next((prefix for prefix in (_VENDED, _OF_RUNTIMES) if name.startswith(prefix)), "")
    return name[: len(begins) + _LENGTH_OF_ID]


def _list(aws: Aws, prefix: str) -> Iterator[Any]:
    pages = aws.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    return (group for page in pages for group in page["logGroups"])


def _arn(group: Any) -> str:
    # `arn` ends with `:*`, which the calls for tags refuse.
    return str(group.get("logGroupArn") or group["arn"]).removesuffix(":*")
