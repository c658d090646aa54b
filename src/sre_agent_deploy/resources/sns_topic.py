"""AWS::SNS::Topic"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
    Steps,
    TagChanges,
    cfn,
    tags_of,
)
from sre_agent_deploy.resources import policy_document
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException")
_NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_AS_DECLARED = "as declared"
_UNCONFIRMED = ("PendingConfirmation", "Deleted")
# Those that a person or a program outside of AWS confirms; a queue or function that is subscribed by hand stays.
_OURS = ("email", "https")


@dataclass(frozen=True, kw_only=True)
class SnsTopic(Defaults):
    """Sends alarms to its recipients, by e-mail and HTTPS. Only CloudWatch and AWS Budgets of this account publish to it, by TLS."""

    KIND: ClassVar[str] = "AWS::SNS::Topic"
    FIXED: ClassVar[frozenset[str]] = frozenset({"topic_arn"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"topic_arn"})
    # A second create call with the same name and tags answers the first; with other tags it is refused.
    TOKEN: ClassVar[bool] = True
    ADOPTS_SILENTLY: ClassVar[bool] = True
    MOST_TAGS: ClassVar[int] = 50
    EXEMPT: ClassVar[Mapping[str, str]] = {"policy": "it follows from the topic; only what AWS has can be otherwise"}

    name: str
    topic_arn: str
    display_name: str
    kms_key: str = ""
    recipients: tuple[str, ...] = ()
    """E-mail addresses, and addresses that begin with https://."""
    budgets: bool = False
    """Whether AWS Budgets of this account publishes to it as well."""
    policy: str = _AS_DECLARED

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipients", tuple(sorted(self.recipients)))

    @property
    def topic_name(self) -> str:
        return self.topic_arn.rpartition(":")[2]

    def natural_id(self, aws: Aws) -> str:
        return self.topic_arn

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        pages = aws.client("sns").get_paginator("list_topics").paginate()
        arns = [topic["TopicArn"] for page in pages for topic in page["Topics"]]
        tagged = [(arn, _read_tags(aws, arn)) for arn in arns if arn.rpartition(":")[2].startswith(deployment)]
        return tuple(Owned.tagged(arn, tags) for arn, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        answer: Any = or_none(lambda: aws.client("sns").get_topic_attributes(TopicArn=id), _GONE)
        if answer is None:
            return None
        seen = answer["Attributes"]
        budgets = '"budgets.amazonaws.com"' in seen.get("Policy", "")
        topic = cls(
            name=name,
            topic_arn=id,
            display_name=seen.get("DisplayName", ""),
            kms_key=seen.get("KmsMasterKeyId", ""),
            recipients=tuple(endpoint for endpoint, _ in list_subscriptions(aws, id)),
            budgets=budgets,
            policy=_compare_policy(_policy(id, budgets=budgets), seen.get("Policy", "")),
        )
        return Found(id, topic, {"topic_arn": id}, _read_tags(aws, id))

    def create(self, aws: Aws, mark: Mark) -> str:
        return str(aws.client("sns").create_topic(Name=self.topic_name, Tags=mark.tag_list())["TopicArn"])

    def configure(self, aws: Aws, id: str) -> None:
        sns = aws.client("sns")
        policy = json.dumps(_policy(self.topic_arn, budgets=self.budgets))
        for attribute, value in (("Policy", policy), ("DisplayName", self.display_name), ("KmsMasterKeyId", self.kms_key)):
            sns.set_topic_attributes(TopicArn=id, AttributeName=attribute, AttributeValue=value)
        seen = dict(list_subscriptions(aws, id))
        for endpoint in sorted(set(self.recipients) - seen.keys()):
            sns.subscribe(TopicArn=id, Protocol=_protocol(endpoint), Endpoint=endpoint)
        # An unconfirmed subscription can't be removed: AWS forgets it after two days.
        for endpoint in sorted(seen.keys() - set(self.recipients)):
            if seen[endpoint]:
                sns.unsubscribe(SubscriptionArn=seen[endpoint])

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        if changes.set:
            aws.client("sns").tag_resource(ResourceArn=id, Tags=changes.tag_list())
        if changes.remove:
            aws.client("sns").untag_resource(ResourceArn=id, TagKeys=list(changes.remove))

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        # First the queue that a killed `alarms test` may have left: afterwards nothing leads to it.
        url: Any = or_none(lambda: aws.client("sqs").get_queue_url(QueueName=name_test_queue(id)), _NO_QUEUE)
        if url is not None:
            or_none(lambda: aws.client("sqs").delete_queue(QueueUrl=url["QueueUrl"]), _NO_QUEUE)
        aws.client("sns").delete_topic(TopicArn=id)

    def console(self) -> Steps:
        key = f"Encryption: on, with the AWS KMS key {self.kms_key}" if self.kms_key else "Encryption: off (alarms can't use alias/aws/sns)"
        return (
            "Amazon SNS > Topics > Create topic; Type: Standard",
            f"Name: {self.topic_name}; Display name: {self.display_name}; {key}",
            f"Access policy > Advanced, for the topic {self.topic_arn}:",
            policy_document.render_indented(_policy(self.topic_arn, budgets=self.budgets)),
            *(f"Create subscription; Protocol: {_protocol(each)}; Endpoint: {each}; then confirm it there" for each in self.recipients),
        )

    def template(self) -> CfnResource:
        topic = cfn(
            self.KIND,
            {"topic_arn": "TopicArn"},
            TopicName=self.topic_name,
            DisplayName=self.display_name,
            KmsMasterKeyId=self.kms_key,
            Subscription=tuple({"Protocol": _protocol(each), "Endpoint": each} for each in self.recipients),
        )
        policy = cfn("AWS::SNS::TopicPolicy", Topics=(self.topic_arn,), PolicyDocument=_policy(self.topic_arn, budgets=self.budgets))
        return replace(topic, also={"Policy": policy})

    FAILURES: ClassVar[Failures] = {
        ("CreateTopic", "TopicLimitExceeded"): lambda topic: Problem(
            code="SNS-QUOTA",
            what=f"Topic {topic.topic_name} was not created.",
            why="This account has as many topics in this region as its quota allows.",
            do=("Delete topics that nobody reads (Amazon SNS > Topics).", "Run the same command again."),
        ),
        ("CreateTopic", "InvalidParameter"): lambda topic: Problem(
            code="SNS-NAME-TAKEN",
            what=f"Topic {topic.topic_name} was not created.",
            why="This account has a topic of that name in this region already, with other tags.",
            do=("Set another `name:` for this deployment, or delete that topic if it is a leftover.", "Run the same command again."),
        ),
        ("Subscribe", "InvalidParameter"): lambda topic: Problem(
            code="SNS-RECIPIENT-REFUSED",
            what=f"Topic {topic.topic_name} did not get all of its recipients.",
            why=f"Amazon SNS does not accept one of them: {', '.join(topic.recipients)}.",
            do=("Correct alerts.email and alerts.url in the configuration.", "Run the same command again."),
        ),
    }


def list_subscriptions(aws: Aws, topic_arn: str) -> Iterator[tuple[str, str]]:
    """Yield each e-mail and HTTPS address that a topic sends to, with the subscription's ARN; it is empty until it is confirmed."""
    pages: Any = or_none(lambda: [*aws.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)], _GONE)
    for subscription in (each for page in pages or () for each in page["Subscriptions"] if each["Protocol"] in _OURS):
        arn = subscription["SubscriptionArn"]
        yield subscription["Endpoint"], "" if arn in _UNCONFIRMED else arn


def name_test_queue(topic_arn: str) -> str:
    """Name the queue in which `alarms test` reads a topic; it is deleted with the topic at the latest."""
    return f"{topic_arn.rpartition(':')[2]}-test"


def create_test_queue(aws: Aws, topic_arn: str) -> tuple[str, str]:
    """Create the queue that only this topic may send to, or find the one that a killed test has left; return its URL and ARN."""
    name = name_test_queue(topic_arn)
    arn = ":".join((*topic_arn.replace(":sns:", ":sqs:").split(":")[:5], name))
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    document = {"Version": policy_document.VERSION, "Statement": [{**allow, "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}}}]}
    return aws.client("sqs").create_queue(QueueName=name, Attributes={"Policy": json.dumps(document)})["QueueUrl"], arn


def _protocol(recipient: str) -> str:
    return "https" if recipient.startswith("https://") else "email"


def _policy(topic_arn: str, *, budgets: bool) -> dict[str, Any]:
    """Build the policy: CloudWatch, and AWS Budgets where asked, publish for the topic's own account, and no identity without TLS."""
    partition, account = topic_arn.split(":")[1], topic_arn.split(":")[4]
    of_account = {"StringEquals": {"aws:SourceAccount": account}}
    # https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
    of_budgets = {**of_account, "ArnLike": {"aws:SourceArn": f"arn:{partition}:budgets::{account}:*"}}
    allow = [_statement(topic_arn, "AllowAlarms", "Allow", {"Service": "cloudwatch.amazonaws.com"}, of_account)]
    if budgets:
        allow.append(_statement(topic_arn, "AllowBudgets", "Allow", {"Service": "budgets.amazonaws.com"}, of_budgets))
    refuse = _statement(topic_arn, "RefusePlainHttp", "Deny", "*", {"Bool": {"aws:SecureTransport": "false"}})
    return {"Version": policy_document.VERSION, "Statement": [*allow, refuse]}


def _statement(topic_arn: str, sid: str, effect: str, principal: Any, condition: Mapping[str, Any]) -> dict[str, Any]:
    who = {"Sid": sid, "Effect": effect, "Principal": principal}
    return {**who, "Action": "sns:Publish", "Resource": topic_arn, "Condition": condition}


def _compare_policy(wanted: Mapping[str, Any], seen: str) -> str:
    """Return `as declared`, or the text of another policy, which so counts as a difference."""
    return _AS_DECLARED if seen and json.loads(seen) == wanted else seen


def _read_tags(aws: Aws, arn: str) -> dict[str, str]:
    answer: Any = or_none(lambda: aws.client("sns").list_tags_for_resource(ResourceArn=arn), _GONE)
    return tags_of((answer or {}).get("Tags"))
