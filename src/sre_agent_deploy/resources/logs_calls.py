"""The calls to CloudWatch Logs that its types share: the tags of what has an ARN, and which parts of a delivery belong together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Owned, TagChanges
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

GONE = ("ResourceNotFoundException",)


def read_tags(aws: Aws, arn: str) -> dict[str, str]:
    """Read the tags of one ARN; none where what it names is gone."""
    answer: Any = or_none(lambda: aws.client("logs").list_tags_for_resource(resourceArn=arn), GONE)
    return dict((answer or {}).get("tags", {}))


def change_tags(aws: Aws, arn: str, changes: TagChanges) -> None:
    """Set and remove tags of one ARN."""
    if changes.set:
        aws.client("logs").tag_resource(resourceArn=arn, tags=dict(changes.set))
    if changes.remove:
        aws.client("logs").untag_resource(resourceArn=arn, tagKeys=list(changes.remove))


def list_owned(aws: Aws, deployment: str, arns: Mapping[str, str]) -> tuple[Owned, ...]:
    """List those that the deployment's tag is on. `arns` has the ARN of each id."""
    tagged = ((id, read_tags(aws, arn)) for id, arn in arns.items())
    return tuple(Owned.tagged(id, tags) for id, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)


def list_deliveries(aws: Aws) -> Iterator[Any]:
    """List every delivery of the account and region, each with its source and its destination."""
    pages = aws.client("logs").get_paginator("describe_deliveries").paginate()
    return (each for page in pages for each in page["deliveries"])


def delivery_taken(what: str, why: str, see: str) -> Problem:
    """Explain that the account has a part of a delivery that ours would need to be. `see` is the command that shows it."""
    return Problem(
        code="LOGS-DELIVERY-TAKEN",
        what=f"{what} was not created.",
        why=why,
        do=(f"See it: `{see}`. Delete it if it is a leftover, its deliveries first.", "Run the same command again."),
    )


def delivery_quota(name: str) -> Problem:
    """Explain that the account has no room for one more part of a delivery."""
    return Problem(
        code="LOGS-DELIVERY-QUOTA",
        what=f"{name} was not created.",
        why="This account has as many sources, destinations or deliveries of logs in this region as its quota allows.",
        do=("Delete what nobody needs: `aws logs describe-deliveries`, `aws logs delete-delivery`.", "Run the same command again."),
    )


def delivery_in_use(id: str, using: list[str] | tuple[str, ...]) -> Problem:
    """Explain that a delivery that was made by hand uses a part of ours."""
    named = f": {', '.join(using)}" if using else ""
    return Problem(
        code="LOGS-DELIVERY-USED",
        what=f"{id} was not deleted.",
        why=f"A delivery that was made by hand uses it{named}.",
        do=("Delete that delivery: `aws logs delete-delivery --id ID`.", "Run the same command again."),
    )
