"""AWS::SQS::Queue"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.resource import DEPLOYMENT_TAG, CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, cfn
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


@dataclass(frozen=True, kw_only=True)
class SqsQueue(Defaults):
    """Keeps what needs a person until one has seen it, and shows it after a delay."""

    KIND: ClassVar[str] = "AWS::SQS::Queue"
    FIXED: ClassVar[frozenset[str]] = frozenset({"queue_name"})
    # A second create call with the same name and settings answers the first.
    TOKEN: ClassVar[bool] = True

    name: str
    queue_name: str
    delay_seconds: int

    def natural_id(self, aws: Aws) -> str:
        return self.queue_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("sqs").get_paginator("list_queues").paginate(QueueNamePrefix=deployment)
        names = [url.rpartition("/")[2] for page in pages for url in page.get("QueueUrls", ())]
        tagged = [(name, _read_tags(aws, name)) for name in names]
        return tuple(Owned.tagged(name, tags) for name, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        url = _find_url(aws, id)
        if url is None:
            return None
        shown = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])["Attributes"]
        seen = cls(name=name, queue_name=id, delay_seconds=int(shown["DelaySeconds"]))
        return Found(id, seen, {"queue_url": url}, _read_tags(aws, id))

    def create(self, aws: Aws, mark: Mark) -> str:
        aws.client("sqs").create_queue(QueueName=self.queue_name, tags=mark.tags())
        return self.queue_name

    def configure(self, aws: Aws, id: str) -> None:
        url = _find_url(aws, id) or ""
        aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": str(self.delay_seconds)})

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        if url := _find_url(aws, id):
            aws.client("sqs").delete_queue(QueueUrl=url)

    def console(self) -> Steps:
        return (
            "Amazon SQS > Queues > Create queue",
            f"Name: {self.queue_name}; Delivery delay: {self.delay_seconds} seconds",
        )

    def template(self) -> CfnResource:
        return cfn(self.KIND, {"queue_url": "QueueUrl"}, QueueName=self.queue_name, DelaySeconds=self.delay_seconds)

    FAILURES: ClassVar[Failures] = {
        ("CreateQueue", "QueueDeletedRecently"): lambda queue: Problem(
            code="SQS-NAME-BUSY",
            what=f"Queue {queue.queue_name} was not created.",
            why="A queue of that name was deleted less than a minute ago.",
            do=("Run the same command again in a minute.",),
        ),
    }


def _find_url(aws: Aws, name: str) -> str | None:
    answer = or_none(lambda: aws.client("sqs").get_queue_url(QueueName=name), _GONE)
    return answer["QueueUrl"] if answer else None


def _read_tags(aws: Aws, name: str) -> dict[str, str]:
    url = _find_url(aws, name)
    return dict(aws.client("sqs").list_queue_tags(QueueUrl=url).get("Tags", {})) if url else {}
