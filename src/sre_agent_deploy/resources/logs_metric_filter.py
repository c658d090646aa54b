"""AWS::Logs::MetricFilter"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import Later, LaterText, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Steps, cfn
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_core import metrics
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_GONE = ("ResourceNotFoundException",)


@dataclass(frozen=True, kw_only=True)
class MetricFilter(Defaults):
    """Makes a metric from the lines of a log group that match a pattern."""

    KIND: ClassVar[str] = "AWS::Logs::MetricFilter"
    # It is in a log group of this deployment, and putting it again replaces it.
    TOKEN: ClassVar[bool] = True
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"log_group_name", "filter_name"})
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"log_group_name", "filter_name"})
    PARENT: ClassVar[str] = LogGroup.KIND
    NAME_FIELD: ClassVar[str] = "filter_name"

    name: str
    log_group_name: Later[str]
    filter_name: str
    filter_pattern: LaterText
    metric_namespace: str
    metric_name: str
    metric_value: str = "1"
    dimensions: tuple[tuple[str, str], ...] = ()
    """Names, each with the field of the line that has its value; a line without that field counts nothing."""

    def natural_id(self, aws: Aws) -> str:
        return f"{self.log_group_name}/{self.filter_name}" if isinstance(self.log_group_name, str) else ""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        groups = [group.id for group in LogGroup.owned(aws, deployment)]
        inside = [found for group in groups for found in _list_filters(aws, group)]
        return (*inside, *(found for found in _list_by_metric(aws, deployment) if found not in inside))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        group, _, filter_name = id.rpartition("/")
        # All of the group: the same question for each of its filters, which one look at AWS asks once.
        found = next((each for each in _describe(aws, group) if each["filterName"] == filter_name), None)
        if found is None:
            return None
        metric = found["metricTransformations"][0]
        seen = cls(
            name=name,
            log_group_name=group,
            filter_name=filter_name,
            filter_pattern=found.get("filterPattern", ""),
            metric_namespace=metric["metricNamespace"],
            metric_name=metric["metricName"],
            metric_value=metric["metricValue"],
            dimensions=tuple(sorted(metric.get("dimensions", {}).items())),
        )
        return Found(id, seen)

    def create(self, aws: Aws, mark: Mark) -> str:
        self._put(aws)
        return f"{require_known(self.log_group_name)}/{self.filter_name}"

    def configure(self, aws: Aws, id: str) -> None:
        found = type(self).read(aws, id, self.name)
        if found is None or found.seen != self:
            self._put(aws)

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        group, _, filter_name = id.rpartition("/")
        or_none(lambda: aws.client("logs").delete_metric_filter(logGroupName=group, filterName=filter_name), _GONE)

    def console(self) -> Steps:
        return (
            f"CloudWatch > Logs > Log groups > {self.log_group_name} > Metric filters > Create metric filter",
            f"Filter pattern: {self.filter_pattern}",
            f"Filter name: {self.filter_name}; Metric namespace: {self.metric_namespace}; Metric name: {self.metric_name}; "
            f"Metric value: {self.metric_value}",
            *(f"Dimension name: {name}; Dimension value: {field}" for name, field in self.dimensions),
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            LogGroupName=self.log_group_name,
            FilterName=self.filter_name,
            FilterPattern=self.filter_pattern,
            MetricTransformations=(self._metric_property(),),
        )

    def _put(self, aws: Aws) -> None:
        metric: Any = self._metric()
        aws.client("logs").put_metric_filter(
            logGroupName=require_known(self.log_group_name),
            filterName=self.filter_name,
            filterPattern=require_known(self.filter_pattern),
            metricTransformations=[metric],
        )

    def _metric(self) -> dict[str, str | dict[str, str]]:
        metric = {"metricNamespace": self.metric_namespace, "metricName": self.metric_name, "metricValue": self.metric_value}
        return {**metric, **({"dimensions": dict(self.dimensions)} if self.dimensions else {})}

    def _metric_property(self) -> dict[str, object]:
        """Return the same for CloudFormation, which has dimensions as pairs."""
        renamed = {name[0].upper() + name[1:]: value for name, value in self._metric().items()}
        pairs = [{"Key": name, "Value": field} for name, field in self.dimensions]
        return {**renamed, **({"Dimensions": pairs} if pairs else {})}

    FAILURES: ClassVar[Failures] = {
        ("PutMetricFilter", "LimitExceededException"): lambda each: Problem(
            code="LOGS-FILTER-QUOTA",
            what=f"Metric filter {each.filter_name} was not created.",
            why="Its log group has 100 metric filters, which is the most that CloudWatch Logs allows.",
            do=(f"Delete filters that nobody needs (Log groups > {each.log_group_name}).", "Run the same command again."),
        ),
    }


def _describe(aws: Aws, group: str) -> list[Any]:
    pages = aws.client("logs").get_paginator("describe_metric_filters").paginate(logGroupName=group)
    return [each for page in or_none(lambda: [*pages], _GONE) or () for each in page["metricFilters"]]


def _list_by_metric(aws: Aws, deployment: str) -> Iterator[Owned]:
    """List the filters of a deployment in log groups of others, which its configuration names: by the one metric that it counts there.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeMetricFilters.html
    """
    counted: Any = {"metricNamespace": metrics.namespace(deployment), "metricName": metrics.UNAUTHORIZED}
    for page in aws.client("logs").get_paginator("describe_metric_filters").paginate(**counted):
        for each in page["metricFilters"]:
            if each["filterName"].startswith(deployment):
                yield Owned(f"{each['logGroupName']}/{each['filterName']}", each["filterName"])


def _list_filters(aws: Aws, group: str) -> tuple[Owned, ...]:
    return tuple(Owned(f"{group}/{each['filterName']}", each["filterName"]) for each in _describe(aws, group))
