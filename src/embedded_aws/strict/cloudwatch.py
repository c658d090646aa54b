"""CloudWatch: alarms that are evaluated and act, and dashboards with tags."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import ceil
from typing import Any

from embedded_aws.strict.patching import patch
from embedded_aws.watching.evaluation import INSUFFICIENT_DATA, Rule, Value, evaluate
from sre_core import clock

_MOST_QUERIES = 500


def evaluate_alarms() -> None:
    """Evaluate alarms when their metric gets a value, and when a caller lists alarms. AWS does so by itself, each minute.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
    """
    from moto.cloudwatch.models import CloudWatchBackend
    from moto.cloudwatch.responses import CloudWatchResponse

    @patch(CloudWatchBackend, "put_metric_data")
    def put_metric_data(original: Any, self: Any, namespace: str, metric_data: Any) -> None:
        original(self, namespace, metric_data)
        names = {datum["MetricName"] for datum in metric_data}
        for alarm in self.alarms.values():
            if alarm.namespace == namespace and alarm.metric_name in names:
                _evaluate(self, alarm)

    @patch(CloudWatchResponse, "describe_alarms")
    def describe_alarms(original: Any, self: Any) -> Any:
        for alarm in self.cloudwatch_backend.alarms.values():
            _evaluate(self.cloudwatch_backend, alarm)
        return original(self)


def compute_percentiles() -> None:
    """Answer percentiles (`p99`) of GetMetricData and refuse statistics that do not exist; moto answers null for both.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
    """
    from moto.cloudwatch.exceptions import ValidationError
    from moto.cloudwatch.models import Statistics

    @patch(Statistics, "get_statistics_for_type")
    def get_statistics_for_type(original: Any, self: Any, stat: str) -> Any:
        if not re.fullmatch(r"p\d{1,2}(\.\d{1,10})?|p100", stat):
            if (found := original(self, stat)) is None:
                raise ValidationError(f"The statistic {stat} is not supported")
            return found
        values = sorted(self.metric_single_values_list)
        return values[max(0, ceil(len(values) * float(stat[1:]) / 100) - 1)]


def answer_metric_data() -> None:
    """Answer GetMetricData for the metric with exactly these dimensions, by periods that begin at multiples of their length.

    moto mixes namespaces, and looks through all values of all metrics for each period. Queries with an expression are left to it.
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
    """
    from moto.cloudwatch.exceptions import ValidationError
    from moto.cloudwatch.models import CloudWatchBackend

    @patch(CloudWatchBackend, "get_metric_data")
    def get_metric_data(original: Any, self: Any, queries: list[Any], **rest: Any) -> list[dict[str, Any]]:
        if len(queries) > _MOST_QUERIES:
            raise ValidationError(f"The parameter MetricDataQueries has more than {_MOST_QUERIES} members.")
        if any("Expression" in query for query in queries):
            answered: list[dict[str, Any]] = original(self, queries, **rest)
            return answered
        original(self, [], **rest)  # it checks the times
        by_metric = _group_by_metric(self.get_all_metrics(), rest["start_time"], rest["end_time"])
        return [_answer(query, by_metric, rest["scan_by"]) for query in queries if query.get("ReturnData", True)]


def list_each_metric_once() -> None:
    """List every metric once, with the dimensions that are asked for; moto lists some several times, and compares each with all others.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html
    """
    from moto.cloudwatch.models import CloudWatchBackend

    @patch(CloudWatchBackend, "get_filtered_metrics")
    def get_filtered_metrics(_original: Any, self: Any, metric_name: str, namespace: str, dimensions: Any) -> list[Any]:
        asked = [(each["Name"], each.get("Value")) for each in dimensions or ()]
        found: dict[tuple[object, ...], Any] = {}
        for each in self.get_all_metrics():
            own = {dimension.name: dimension.value for dimension in each.dimensions}
            fits = all(name in own and value in (None, own[name]) for name, value in asked)
            if fits and metric_name in (None, each.name) and namespace in (None, each.namespace):
                found.setdefault((each.namespace, each.name, *sorted(own.items())), each)
        return list(found.values())


def _group_by_metric(data: Iterable[Any], start: datetime, end: datetime) -> Mapping[tuple[object, ...], list[Any]]:
    by_metric: dict[tuple[object, ...], list[Any]] = defaultdict(list)
    for each in data:
        if start <= each.timestamp < end:
            key = (each.namespace, each.name, frozenset((dimension.name, dimension.value) for dimension in each.dimensions))
            by_metric[key].append(each)
    return by_metric


def _answer(query: Any, by_metric: Mapping[tuple[object, ...], list[Any]], scan_by: str) -> dict[str, Any]:
    from moto.cloudwatch.models import Statistics

    asked, metric = query["MetricStat"], query["MetricStat"]["Metric"]
    dimensions = frozenset((each["Name"], each["Value"]) for each in metric.get("Dimensions", []))
    period, periods = int(asked["Period"]), defaultdict[int, list[Any]](list)
    for each in by_metric.get((metric["Namespace"], metric["MetricName"], dimensions), ()):
        periods[int(each.timestamp.replace(tzinfo=UTC).timestamp()) // period * period].append(each)
    points: list[tuple[datetime, Any]] = []
    for start in sorted(periods, reverse=scan_by == "TimestampDescending"):
        moment = datetime.fromtimestamp(start, UTC)
        statistics = Statistics([asked["Stat"]], moment)
        statistics.metric_data = [each for each in periods[start] if asked.get("Unit") in (None, each.unit)]
        if statistics.metric_data:
            points.append((moment, statistics.get_statistics_for_type(asked["Stat"])))
    label = query.get("Label") or f"{metric['MetricName']} {asked['Stat']}"
    values = {"timestamps": [moment for moment, _ in points], "values": [value for _, value in points]}
    return {"id": query["Id"], "label": label, **values, "status_code": "Complete"}


def act_on_state_changes() -> None:
    """Publish to the topics of an alarm when its state changes, by any cause; moto only keeps the state.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions.html
    """
    from moto.cloudwatch.models import Alarm

    @patch(Alarm, "update_state")
    def update_state(original: Any, self: Any, reason: str, reason_data: str, state_value: str) -> None:
        before = self.state_value
        original(self, reason, reason_data, state_value)
        if before != state_value and self.actions_enabled:
            actions = {"ALARM": self.alarm_actions, "OK": self.ok_actions}.get(state_value, self.insufficient_data_actions)
            for topic in (action for action in actions or () if action.split(":")[2] == "sns"):
                _publish(self, topic, before)


def keep_state_of_replaced_alarms() -> None:
    """Begin an alarm with INSUFFICIENT_DATA; one that is put again keeps its state and tags. Forget the tags of a deleted one.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
    """
    from moto.cloudwatch.models import CloudWatchBackend

    @patch(CloudWatchBackend, "put_metric_alarm")
    def put_metric_alarm(original: Any, self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        earlier = self.alarms.get(name)
        if earlier:
            kwargs["tags"] = None
        alarm = original(self, name, *args, **kwargs)
        alarm.state_value = earlier.state_value if earlier else INSUFFICIENT_DATA
        return alarm

    @patch(CloudWatchBackend, "delete_alarms")
    def delete_alarms(original: Any, self: Any, alarm_names: Any) -> None:
        for alarm in self.get_alarms_by_alarm_names(alarm_names):
            self.tagger.delete_all_tags_for_resource(alarm.alarm_arn)
        original(self, alarm_names)


def tag_dashboards() -> None:
    """Keep the tags of dashboards, which moto ignores, and give a missing one's refusal its code.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html
    """
    from moto.cloudwatch.models import CloudWatchBackend
    from moto.cloudwatch.responses import CloudWatchResponse

    @patch(CloudWatchResponse, "put_dashboard")
    def put_dashboard(original: Any, self: Any) -> Any:
        backend, name = self.cloudwatch_backend, self._get_param("DashboardName")
        is_new = name not in backend.dashboards
        answer = original(self)
        if is_new:
            backend.tagger.tag_resource(_dashboard_arn(backend, name), self._get_param("Tags", []))
        return answer

    @patch(CloudWatchBackend, "tag_resource")
    def tag_resource(original: Any, self: Any, arn: str, tags: dict[str, str]) -> None:
        if ":dashboard/" in arn:
            self.tagger.tag_resource(arn, self.tagger.convert_dict_to_tags_input(tags))
        else:
            original(self, arn, tags)

    @patch(CloudWatchBackend, "delete_dashboards")
    def delete_dashboards(original: Any, self: Any, dashboards: Any) -> Any:
        for name in dashboards:
            self.tagger.delete_all_tags_for_resource(_dashboard_arn(self, name))
        return original(self, dashboards)


def refuse_tags_of_absent_resources() -> None:
    """Refuse to list the tags of an alarm or dashboard that does not exist; moto lists none.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListTagsForResource.html
    """
    from moto.cloudwatch.exceptions import ResourceNotFoundException
    from moto.cloudwatch.models import CloudWatchBackend

    @patch(CloudWatchBackend, "list_tags_for_resource")
    def list_tags_for_resource(original: Any, self: Any, arn: str) -> Any:
        known = {alarm.alarm_arn for alarm in self.alarms.values()} | {_dashboard_arn(self, name) for name in self.dashboards}
        if (":alarm:" in arn or ":dashboard/" in arn) and arn not in known:
            raise ResourceNotFoundException
        return original(self, arn)


def _dashboard_arn(backend: Any, name: str) -> str:
    return f"arn:{backend.partition}:cloudwatch::{backend.account_id}:dashboard/{name}"


def _evaluate(backend: Any, alarm: Any) -> None:
    """Give an alarm on one metric the state that its values ask for. Alarms on expressions and composite ones stay as they are."""
    if not alarm.metric_name or alarm.rule is not None:
        return
    rule = Rule(
        statistic=alarm.statistic or alarm.extended_statistic,
        period=int(alarm.period),
        evaluation_periods=int(alarm.evaluation_periods),
        threshold=float(alarm.threshold),
        comparison=alarm.comparison_operator,
        missing_data=alarm.treat_missing_data or "missing",
        datapoints_to_alarm=int(alarm.datapoints_to_alarm or 0),
    )
    state, reason = evaluate(rule, _values(backend, alarm), clock.now(), alarm.state_value)
    if state != alarm.state_value:
        alarm.update_state(reason, "{}", state)


def _values(backend: Any, alarm: Any) -> list[Value]:
    wanted = {(dimension.name, dimension.value) for dimension in alarm.dimensions}
    return [
        Value(datum.timestamp, datum.value)
        for datum in tuple(backend.metric_data)
        if datum.namespace == alarm.namespace
        and datum.name == alarm.metric_name
        and hasattr(datum, "value")
        and {(dimension.name, dimension.value) for dimension in datum.dimensions} == wanted
    ]


def _publish(alarm: Any, topic: str, before: str) -> None:
    """Publish the message of a state change, with the fields that CloudWatch sends."""
    from moto.sns.models import sns_backends

    account, region = alarm.alarm_arn.split(":")[4], alarm.region_name
    found = sns_backends[account][region].topics.get(topic)
    if found is None:
        return
    message = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": account,
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": clock.stamp(),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "Trigger": {"MetricName": alarm.metric_name, "Namespace": alarm.namespace, "Threshold": alarm.threshold},
    }
    found.publish(json.dumps(message), subject=f'{alarm.state_value}: "{alarm.name}" in {region}'[:100])
