"""`alarms` and `alarms test`: which alarms are raised, who has not confirmed, and the proof that a message arrives at the topic."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sre_agent_deploy.alarms import TOPIC, problem_of
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import state_not_found
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, User
from sre_agent_deploy.commands.workspace import find_state, open_workspace
from sre_agent_deploy.resources.sns_topic import create_test_queue, list_subscriptions
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

# A new queue may refuse its first messages for up to a minute.
_TRIES, _SECONDS = 4, 20


@dataclass(frozen=True)
class AlarmState:
    """One alarm with its state, and what it means."""

    name: str
    state: str
    reason: str
    problem: Problem | None

    def to_json(self) -> dict[str, Any]:
        meaning = {"problem": self.problem.to_json()} if self.problem else {}
        return {"name": self.name, "state": self.state, "reason": self.reason, **meaning}


@dataclass(frozen=True)
class Watched:
    """The alarms of a deployment, and the recipients that have not confirmed: they get nothing."""

    deployment: str
    alarms: tuple[AlarmState, ...]
    unconfirmed: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        alarms = [alarm.to_json() for alarm in self.alarms]
        return {"deployment": self.deployment, "alarms": alarms, "unconfirmed": list(self.unconfirmed)}


def alarms(request: Request, user: User = UNATTENDED) -> Watched:
    """List the alarms of a deployment. Raises Refused if it has none."""
    with _open(request, user) as (aws, deployment, topic):
        return read_alarms(aws, deployment, topic)


def prove_alarms(request: Request, user: User = UNATTENDED) -> CommandResult:
    """Raise an alarm for a moment, and read its message from the topic. Raises Refused if none arrives."""
    with _open(request, user) as (aws, deployment, topic):
        problem = prove_delivery(aws, deployment, topic)
        warn_of_unconfirmed(aws, topic, user)
    if problem:
        raise Refused(problem)
    message = "The message of an alarm arrived at the topic. Every confirmed recipient got it as well."
    return CommandResult(success=True, component="alarms", message=message)


def read_alarms(aws: Aws, deployment: str, topic: str) -> Watched:
    """Read the state of each alarm."""
    found: Any = ask_or_refuse(aws, lambda: aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{deployment}-"))["MetricAlarms"]
    read = (AlarmState(each["AlarmName"], each["StateValue"], each["StateReason"], problem_of(each["AlarmName"])) for each in found)
    return Watched(deployment, tuple(read), list_unconfirmed(aws, topic))


def list_unconfirmed(aws: Aws, topic: str) -> tuple[str, ...]:
    """List the recipients that have not confirmed."""
    subscriptions = ask_or_refuse(aws, lambda: tuple(list_subscriptions(aws, topic)))
    return tuple(recipient for recipient, arn in subscriptions if not arn)


def warn_of_unconfirmed(aws: Aws, topic: object, user: User) -> None:
    """Say who must still confirm. `topic` is empty where there are no alarms."""
    for recipient in list_unconfirmed(aws, str(topic)) if topic else ():
        user.warn(f"OPEN: {recipient} gets no alarms yet: nobody has confirmed the message that AWS has sent there. {_CONFIRM}")


_CONFIRM = "Open its link within two days; after that, `sre-agent-deploy deploy` has a new one sent."


def prove_delivery(aws: Aws, deployment: str, topic: str) -> Problem | None:
    """Change the state of an alarm, and look for its message in a queue that is subscribed meanwhile. CloudWatch puts the state right."""
    token = secrets.token_hex(8)
    with _queue(aws, topic) as url:
        for _ in range(_TRIES):
            _flip(aws, f"{deployment}-errors", f"Test {token} by `sre-agent-deploy alarms test`: nothing is wrong.")
            if _arrives(aws, url, token):
                return None
    return Problem(
        code="ALARMS-NOT-DELIVERED",
        what=f"The message of an alarm did not arrive at the topic within {_TRIES * _SECONDS} s.",
        why="The topic's policy, or the policy of its KMS key, does not let CloudWatch publish to it.",
        do=(
            "Run `sre-agent-deploy plan`: it shows if the topic's policy was changed, and `deploy` repairs it.",
            "With monitoring.kms_key_arn, allow cloudwatch.amazonaws.com kms:Decrypt and kms:GenerateDataKey* in the key's policy.",
        ),
        context={"topic": topic},
    )


def _flip(aws: Aws, alarm: str, reason: str) -> None:
    """Give an alarm another state: only a change sends a message."""
    alarms = ask_or_refuse(aws, lambda: aws.client("cloudwatch").describe_alarms(AlarmNames=[alarm]))["MetricAlarms"]
    if not alarms:
        raise Refused(_alarm_missing(alarm))
    found = alarms[0]
    other: Any = "OK" if found["StateValue"] == "ALARM" else "ALARM"
    ask_or_refuse(aws, lambda: aws.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue=other, StateReason=reason))


def _arrives(aws: Aws, url: str, token: str) -> bool:
    answer: Mapping[str, Any] = ask_or_refuse(
        aws, lambda: aws.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=_SECONDS)
    )
    return any(token in message["Body"] for message in answer.get("Messages", ()))


@contextmanager
def _queue(aws: Aws, topic: str) -> Iterator[str]:
    """Subscribe a queue to the topic, and remove both in the end. What a killed test has left is used and removed."""
    sqs, sns = aws.client("sqs"), aws.client("sns")
    url, arn = ask_or_refuse(aws, lambda: create_test_queue(aws, topic))
    subscription = ""
    try:
        subscription = ask_or_refuse(aws, lambda: sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"])
        yield url
    finally:
        try:
            if subscription:
                ask_or_refuse(aws, lambda: sns.unsubscribe(SubscriptionArn=subscription))
        finally:
            ask_or_refuse(aws, lambda: sqs.delete_queue(QueueUrl=url))


@contextmanager
def _open(request: Request, user: User) -> Iterator[tuple[Aws, str, str]]:
    """Open the account of a deployment, with its id and the ARN of its topic."""
    located = find_state(request).of_deployed()
    state = located.state
    if state is None:
        raise Refused(state_not_found(located.store.location, "alarms"))
    record = state.current(TOPIC)
    if record is None or not record.id:
        raise Refused(_no_alarms(state.deployment))
    with open_workspace(located, user, start=False) as here:
        yield here.account.aws, state.deployment, record.id


def _alarm_missing(alarm: str) -> Problem:
    return Problem(
        code="ALARMS-NONE",
        what=f"The alarm {alarm} does not exist, so nothing could be tested.",
        why="It was deleted by hand, or the deployment has not created it yet.",
        do=("Run `sre-agent-deploy deploy`: it creates what is missing. Then run the same command again.",),
    )


def _no_alarms(deployment: str) -> Problem:
    return Problem(
        code="ALARMS-NONE",
        what=f"Deployment {deployment} has no alarms.",
        why="monitoring.enabled is never; or it is auto, and this is local mode or neither alerts.email nor alerts.url is set.",
        do=("Set alerts.email, or monitoring.enabled to always.", "Then run `sre-agent-deploy deploy`."),
    )
