"""AWS::CloudWatch::Alarm"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import LaterText
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
from sre_agent_deploy.resources.route53_health_check import HealthCheck
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFound", "ResourceNotFoundException")
# The names of a deployment's alarms begin with its id: `sre-` and ten hexadecimal digits.
_LENGTH_OF_ID = 14


@dataclass(frozen=True, kw_only=True)
class Alarm(Defaults):
    """Watches one metric, and acts when it passes a threshold. Its description says what it means and what to do first."""

    KIND: ClassVar[str] = "AWS::CloudWatch::Alarm"
    # Putting an alarm again replaces it: whose the existing one is has to be read before.
    TOKEN: ClassVar[bool] = True
    ADOPTS_SILENTLY: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"alarm_name"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"alarm_name"})
    # An alarm whose metric ends with what it watches would be raised by a cleanup.
    DELETE_BEFORE: ClassVar[frozenset[str]] = frozenset({HealthCheck.KIND})
    MOST_TAGS: ClassVar[int] = 50

    name: str
    alarm_name: str
    alarm_description: str
    metric_namespace: str
    metric_name: str
    dimensions: tuple[tuple[str, LaterText], ...] = ()
    statistic: str = "Sum"
    """`Sum`, `Minimum`, …, or a percentile such as `p95`."""
    period: int = 300
    evaluation_periods: int = 1
    datapoints_to_alarm: int = 0
    """How many of these periods must pass the threshold; 0 for all of them."""
    alarm_threshold: float
    comparison: str = "GreaterThanOrEqualToThreshold"
    missing_data: str = "notBreaching"
    alarm_actions: tuple[LaterText, ...] = ()
    ok_actions: tuple[LaterText, ...] = ()
    insufficient_data_actions: tuple[LaterText, ...] = ()
    actions_enabled: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "datapoints_to_alarm", self.datapoints_to_alarm or self.evaluation_periods)

    def natural_id(self, aws: Aws) -> str:
        return self.alarm_name

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        tagged = [(alarm["AlarmName"], _read_tags(aws, alarm["AlarmArn"])) for alarm in _describe(aws, deployment)]
        return tuple(Owned.tagged(id, tags) for id, tags in tagged if tags.get(DEPLOYMENT_TAG) == deployment)

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        # All of the deployment: the same question for each of its alarms, which one look at AWS asks once.
        alarm = next((each for each in _describe(aws, id[:_LENGTH_OF_ID]) if each["AlarmName"] == id), None)
        if alarm is None:
            return None
        seen = cls(
            name=name,
            alarm_name=id,
            alarm_description=alarm.get("AlarmDescription", ""),
            metric_namespace=alarm.get("Namespace", ""),
            metric_name=alarm.get("MetricName", ""),
            dimensions=tuple((each["Name"], each["Value"]) for each in alarm.get("Dimensions", ())),
            statistic=alarm.get("Statistic") or alarm.get("ExtendedStatistic", ""),
            period=alarm.get("Period", 0),
            evaluation_periods=alarm.get("EvaluationPeriods", 0),
            datapoints_to_alarm=alarm.get("DatapointsToAlarm") or 0,
            alarm_threshold=alarm.get("Threshold", 0.0),
            comparison=alarm.get("ComparisonOperator", ""),
            missing_data=alarm.get("TreatMissingData", "missing"),
            alarm_actions=tuple(alarm.get("AlarmActions", ())),
            ok_actions=tuple(alarm.get("OKActions", ())),
            insufficient_data_actions=tuple(alarm.get("InsufficientDataActions", ())),
            actions_enabled=alarm.get("ActionsEnabled", True),
        )
        return Found(id, seen, {"alarm_arn": alarm["AlarmArn"]}, _read_tags(aws, alarm["AlarmArn"]))

    def create(self, aws: Aws, mark: Mark) -> str:
        aws.client("cloudwatch").put_metric_alarm(**self._settings(), Tags=mark.tag_list())
        return self.alarm_name

    def configure(self, aws: Aws, id: str) -> None:
        found = type(self).read(aws, id, self.name)
        # No call without a difference: an alarm that is put again is evaluated again, and may tell its recipients again.
        if found is None or found.seen != self:
            aws.client("cloudwatch").put_metric_alarm(**self._settings())

    @classmethod
    def set_tags(cls, aws: Aws, id: str, changes: TagChanges) -> None:
        found = cls.read(aws, id, "")
        arn = str(found.outputs["alarm_arn"]) if found else ""
        if arn and changes.set:
            aws.client("cloudwatch").tag_resource(ResourceARN=arn, Tags=changes.tag_list())
        if arn and changes.remove:
            aws.client("cloudwatch").untag_resource(ResourceARN=arn, TagKeys=list(changes.remove))

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        aws.client("cloudwatch").delete_alarms(AlarmNames=[id])

    def console(self) -> Steps:
        dimensions = ", ".join(f"{name} = {value}" for name, value in self.dimensions) or "none"
        return (
            "CloudWatch > Alarms > All alarms > Create alarm > Select metric",
            f"Namespace: {self.metric_namespace}; Metric name: {self.metric_name}; Dimensions: {dimensions}",
            f"Statistic: {self.statistic}; Period: {self.period} seconds; {self.comparison} {self.alarm_threshold:g}",
            f"Datapoints to alarm: {self.datapoints_to_alarm} out of {self.evaluation_periods}; "
            f"Missing data treatment: {self.missing_data}",
            *(f"In alarm > Add action: {action}" for action in self.alarm_actions),
            *(f"OK > Add action: {action}" for action in self.ok_actions),
            *(f"Insufficient data > Add action: {action}" for action in self.insufficient_data_actions),
            f"Alarm name: {self.alarm_name}; its actions are {'enabled' if self.actions_enabled else 'disabled'}",
            f"Alarm description: {self.alarm_description}",
        )

    def template(self) -> CfnResource:
        settings = self._settings() | {"ActionsEnabled": self.actions_enabled}
        return cfn(self.KIND, {"alarm_arn": "Arn"}, **settings)

    def _settings(self) -> dict[str, Any]:
        percentile = self.statistic.startswith("p")
        return {
            "AlarmName": self.alarm_name,
            "AlarmDescription": self.alarm_description,
            "Namespace": self.metric_namespace,
            "MetricName": self.metric_name,
            "Dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions],
            "ExtendedStatistic" if percentile else "Statistic": self.statistic,
            "Period": self.period,
            "EvaluationPeriods": self.evaluation_periods,
            "DatapointsToAlarm": self.datapoints_to_alarm,
            "Threshold": self.alarm_threshold,
            "ComparisonOperator": self.comparison,
            "TreatMissingData": self.missing_data,
            "AlarmActions": list(self.alarm_actions),
            "OKActions": list(self.ok_actions),
            "InsufficientDataActions": list(self.insufficient_data_actions),
            "ActionsEnabled": self.actions_enabled,
        }

    FAILURES: ClassVar[Failures] = {
        ("PutMetricAlarm", "LimitExceeded"): lambda alarm: Problem(
            code="CLOUDWATCH-QUOTA",
            what=f"Alarm {alarm.alarm_name} was not created.",
            why="This account has as many alarms in this region as its quota allows.",
            do=("Delete alarms that nobody needs (CloudWatch > Alarms > All alarms).", "Run the same command again."),
        ),
        ("PutMetricAlarm", "ValidationError"): lambda alarm: Problem(
            code="CLOUDWATCH-ALARM-REFUSED",
            what=f"Alarm {alarm.alarm_name} was not created.",
            why="CloudWatch does not accept one of its actions or settings; the topic or the instance may just have been deleted.",
            do=("See whether both still exist: `sre-agent-deploy plan`.", "Run the same command again: it creates what is missing."),
        ),
    }


def _describe(aws: Aws, prefix: str) -> list[Any]:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm"])
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def _read_tags(aws: Aws, arn: str) -> dict[str, str]:
    answer: Any = or_none(lambda: aws.client("cloudwatch").list_tags_for_resource(ResourceARN=arn), _GONE)
    return tags_of((answer or {}).get("Tags"))
