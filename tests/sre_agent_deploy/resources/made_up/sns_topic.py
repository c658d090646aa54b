"""AWS::SNS::Topic"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import DEPLOYMENT_TAG, CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, cfn, tags_of
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException")


@dataclass(frozen=True, kw_only=True)
class SnsTopic(Defaults):
    """Tells those who subscribe to it what needs a person."""

    KIND: ClassVar[str] = "AWS::SNS::Topic"
    FIXED: ClassVar[frozenset[str]] = frozenset({"topic_name"})
    # A second create call with the same name and tags answers the first.
    TOKEN: ClassVar[bool] = True

    name: str
    topic_name: str
    display_name: str

    def natural_id(self, aws: Aws) -> str:
        return f"arn:{aws.partition}:sns:{aws.region}:{aws.account_id}:{self.topic_name}"

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("sns").get_paginator("list_topics").paginate()
        arns = [topic["TopicArn"] for page in pages for topic in page["Topics"]]
        tagged = [(arn, _read_tags(aws, arn)) for arn in arns if arn.rpartition(":")[2].startswith(deployment)]
        return tuple(Owned.tagged(arn, tags) for arn, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        answer = or_none(lambda: aws.client("sns").get_topic_attributes(TopicArn=id), _GONE)
        if answer is None:
            return None
        seen = cls(name=name, topic_name=id.rpartition(":")[2], display_name=answer["Attributes"].get("DisplayName", ""))
        return Found(id, seen, {"topic_arn": id}, _read_tags(aws, id))

    def create(self, aws: Aws, mark: Mark) -> str:
        return str(aws.client("sns").create_topic(Name=self.topic_name, Tags=mark.tag_list())["TopicArn"])

    def configure(self, aws: Aws, id: str) -> None:
        aws.client("sns").set_topic_attributes(TopicArn=id, AttributeName="DisplayName", AttributeValue=self.display_name)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        aws.client("sns").delete_topic(TopicArn=id)

    def console(self) -> Steps:
        return ("Amazon SNS > Topics > Create topic", "Type: Standard", f"Name: {self.topic_name}", f"Display name: {self.display_name}")

    def template(self) -> CfnResource:
        return cfn(self.KIND, {"topic_arn": "TopicArn"}, TopicName=self.topic_name, DisplayName=self.display_name)

    FAILURES: ClassVar[Failures] = {
        ("CreateTopic", "TopicLimitExceeded"): lambda topic: Problem(
            code="SNS-QUOTA",
            what=f"Topic {topic.topic_name} was not created.",
            why="This account has as many topics in this region as its quota allows.",
            do=("Delete topics that nobody reads (Amazon SNS > Topics).", "Run the same command again."),
        ),
    }


def _read_tags(aws: Aws, arn: str) -> dict[str, str]:
    answer = or_none(lambda: aws.client("sns").list_tags_for_resource(ResourceArn=arn), _GONE)
    return tags_of(answer["Tags"] if answer else None)
