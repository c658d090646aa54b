"""The tags that CloudWatch Logs keeps of what it knows by an ARN: log groups, and the parts of a delivery."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Owned, TagChanges

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
