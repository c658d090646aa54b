"""CloudWatch Logs: metric filters that count, keys of log groups, and queries of Logs Insights."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from embedded_aws.strict.patching import add, patch, replace
from embedded_aws.watching.insights import Event, compile_query
from embedded_aws.watching.insights_expressions import QueryMalformed
from embedded_aws.watching.log_patterns import PatternUnknown, compile_pattern, matches, read_field

_MOST_GROUPS = 50
_LONGEST_PATTERN = 1024


def make_metrics_from_logs() -> None:
    """Put a value into the metric of each filter that a new log line matches; moto keeps filters and uses none.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/MonitoringLogData.html
    """
    from moto.logs.models import LogGroup

    @patch(LogGroup, "put_log_events")
    def put_log_events(original: Any, self: Any, log_stream_name: str, log_events: Any) -> str:
        from moto.cloudwatch.models import cloudwatch_backends
        from moto.logs.models import logs_backends

        token: str = original(self, log_stream_name, log_events)
        filters = logs_backends[self.account_id][self.region].filters.get_matching_filters(log_group_name=self.name)
        for one in filters:
            metric = one["metricTransformations"][0]
            if data := [datum for event in log_events for datum in _measure(one["filterPattern"], metric, event)]:
                cloudwatch_backends[self.account_id][self.region].put_metric_data(metric["metricNamespace"], data)
        return token


def replace_metric_filters() -> None:
    """Replace a filter that is put again, refuse one of no log group or with a bad pattern, and delete those of a deleted group.

    The filters of an absent group are an error, not an empty list.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
    """
    from moto.logs.exceptions import InvalidParameterException, ResourceNotFoundException
    from moto.logs.models import LogsBackend

    @patch(LogsBackend, "put_metric_filter")
    def put_metric_filter(original: Any, self: Any, filter_name: str, filter_pattern: str, log_group_name: str, *args: Any) -> None:
        if log_group_name not in self.groups:
            raise ResourceNotFoundException
        try:
            if filter_pattern.strip().startswith("{"):
                compile_pattern(filter_pattern.strip())
        except PatternUnknown as unknown:
            raise InvalidParameterException("Invalid metric filter pattern") from unknown
        for metric in args[0]:
            if why := _refuse_dimensions(metric):
                raise InvalidParameterException(why)
        self.filters.delete_filter(filter_name, log_group_name)
        original(self, filter_name, filter_pattern, log_group_name, *args)

    @patch(LogsBackend, "describe_metric_filters")
    def describe_metric_filters(original: Any, self: Any, prefix: str | None = None, log_group_name: str | None = None, *args: Any) -> Any:
        if log_group_name is not None and log_group_name not in self.groups:
            raise ResourceNotFoundException
        return original(self, prefix, log_group_name, *args)

    @patch(LogsBackend, "delete_metric_filter")
    def delete_metric_filter(original: Any, self: Any, filter_name: str, log_group_name: str) -> None:
        if log_group_name not in self.groups:
            raise ResourceNotFoundException
        if all(one["filterName"] != filter_name for one in self.filters.get_matching_filters(log_group_name=log_group_name)):
            raise ResourceNotFoundException("The specified metric filter does not exist.")
        original(self, filter_name, log_group_name)

    @patch(LogsBackend, "delete_log_group")
    def delete_log_group(original: Any, self: Any, log_group_name: str) -> None:
        group = self.groups.get(log_group_name)
        original(self, log_group_name)
        self.tagger.delete_all_tags_for_resource(group.arn)
        for one in self.filters.get_matching_filters(log_group_name=log_group_name):
            self.filters.delete_filter(one["filterName"], log_group_name)


def refuse_tags_of_absent_groups() -> None:
    """Refuse to read or change the tags of a log group that does not exist; moto keeps them for later.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_ListTagsForResource.html
    """
    from moto.logs.exceptions import ResourceNotFoundException
    from moto.logs.models import LogsBackend

    def require_group(backend: Any, arn: str) -> None:
        _, is_group, name = arn.partition(":log-group:")
        if is_group and name.removesuffix(":*") not in backend.groups:
            raise ResourceNotFoundException("The specified resource does not exist.")

    @patch(LogsBackend, "list_tags_for_resource")
    def list_tags_for_resource(original: Any, self: Any, resource_arn: str) -> Any:
        require_group(self, resource_arn)
        return original(self, resource_arn)

    @patch(LogsBackend, "tag_resource")
    def tag_resource(original: Any, self: Any, arn: str, tags: dict[str, str]) -> None:
        require_group(self, arn)
        original(self, arn, tags)

    @patch(LogsBackend, "untag_resource")
    def untag_resource(original: Any, self: Any, arn: str, tag_keys: list[str]) -> None:
        require_group(self, arn)
        original(self, arn, tag_keys)


def filter_events_by_patterns() -> None:
    """Return the events that match a pattern in braces, and refuse one that is wrong; moto takes such a pattern for none.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
    """
    from moto.logs import models
    from moto.logs.exceptions import InvalidParameterException

    class Pattern:
        def __init__(self, pattern: str | None) -> None:
            self._pattern = (pattern or "").strip()

        def matches(self, line: str) -> bool:
            return matches(self._pattern, line)

    replace(models, "EventMessageFilter", Pattern)

    @patch(models.LogsBackend, "filter_log_events")
    def filter_log_events(original: Any, self: Any, *args: Any) -> Any:
        pattern = (args[6] or "").strip()
        if len(pattern) > _LONGEST_PATTERN:
            raise InvalidParameterException("filterPattern is longer than 1024 characters")
        try:
            if pattern.startswith("{"):
                compile_pattern(pattern)
        except PatternUnknown as unknown:
            raise InvalidParameterException("Invalid filter pattern") from unknown
        return original(self, *args)


def add_key_operations() -> None:
    """Add AssociateKmsKey and DisassociateKmsKey, which moto lacks.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_AssociateKmsKey.html
    """
    from moto.logs.responses import LogsResponse

    def associate_kms_key(self: Any) -> str:
        self.logs_backend._find_log_group(log_group_name=self._get_param("logGroupName")).kms_key_id = self._get_param("kmsKeyId")
        return "{}"

    def disassociate_kms_key(self: Any) -> str:
        self.logs_backend._find_log_group(log_group_name=self._get_param("logGroupName")).kms_key_id = None
        return "{}"

    add(LogsResponse, "associate_kms_key", associate_kms_key)
    add(LogsResponse, "disassociate_kms_key", disassociate_kms_key)


def answer_insights() -> None:
    """Run queries of Logs Insights as AWS does: refuse what it does not know, take a moment, and be stopped; moto ignores most of a query.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_StartQuery.html
    """
    from moto.logs import models
    from moto.logs.exceptions import InvalidParameterException, LogsClientError, ResourceNotFoundException
    from moto.logs.responses import LogsResponse

    replace(models, "execute_query", _run_query)

    @patch(models.LogsBackend, "start_query")
    def start_query(original: Any, self: Any, log_group_names: list[str], *rest: Any) -> str:
        start_time, end_time, query_string = rest
        if not log_group_names or len(log_group_names) > _MOST_GROUPS:
            raise InvalidParameterException(f"A query is of 1 to {_MOST_GROUPS} log groups")
        if end_time < start_time:
            raise InvalidParameterException("End time should not be before start time")
        try:
            compile_query(query_string)
        except QueryMalformed as malformed:
            raise LogsClientError("MalformedQueryException", str(malformed)) from malformed
        query_id: str = original(self, log_group_names, start_time, end_time, query_string)
        self.queries[query_id].status = "Running"
        return query_id

    @patch(models.LogsBackend, "get_query_results")
    def get_query_results(original: Any, self: Any, query_id: str) -> Any:
        if query_id not in self.queries:
            raise ResourceNotFoundException("The specified query does not exist.")
        found = original(self, query_id)
        seen, found.asked = getattr(found, "asked", 0), getattr(found, "asked", 0) + 1
        # It runs until it has been asked for once: a caller that does not wait has to fail here, too.
        if found.status == "Running" and seen:
            found.status = "Complete"
        return found

    def stop_query(self: Any) -> str:
        found = self.logs_backend.queries.get(self._get_param("queryId"))
        if found is None:
            raise ResourceNotFoundException("The specified query does not exist.")
        running = found.status == "Running"
        found.status = "Cancelled" if running else found.status
        return json.dumps({"success": running})

    add(LogsResponse, "stop_query", stop_query)


def _run_query(log_groups: Any, query: str, start_time: int, end_time: int) -> list[dict[str, str]]:
    """Answer a query over the events of some groups; both ends of its time are inclusive, and in seconds."""
    events = (
        Event(str(event.event_id), f"{group.account_id}:{group.name}", name, event.timestamp, event.message)
        for group in log_groups
        for name, stream in group.streams.items()
        for event in stream.events
        if start_time * 1000 <= event.timestamp <= end_time * 1000 + 999
    )
    return compile_query(query).run(events)


_MOST_DIMENSIONS = 3


def _refuse_dimensions(metric: Mapping[str, Any]) -> str:
    """Say what AWS does not accept of the dimensions of a metric.

    https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html
    """
    dimensions = metric.get("dimensions") or {}
    if len(dimensions) > _MOST_DIMENSIONS:
        return f"A metric filter has at most {_MOST_DIMENSIONS} dimensions"
    if dimensions and metric.get("defaultValue") is not None:
        return "Invalid metric transformation: dimensions and default value are mutually exclusive properties"
    return "" if all(field.startswith("$") for field in dimensions.values()) else "Invalid dimension value"


def _measure(pattern: str, metric: Mapping[str, Any], event: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the value that a line puts into a metric, if it matches and has every field that is a dimension."""
    value = _value(metric["metricValue"], event["message"]) if matches(pattern, event["message"]) else None
    if value is None:
        return
    wanted = metric.get("dimensions") or {}
    found = {name: read_field(field, json.loads(event["message"])) for name, field in wanted.items()}
    if None not in found.values():
        # moto keeps times without a zone.
        at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).replace(tzinfo=None)
        named = [{"Name": name, "Value": str(each)} for name, each in found.items()]
        yield {"MetricName": metric["metricName"], "Value": value, "Timestamp": at, "Dimensions": named}


def _value(declared: str, line: str) -> float | None:
    """Return the value that a filter puts for a line: a number, or the number in a field."""
    if not declared.startswith("$"):
        return float(declared)
    try:
        return float(read_field(declared, json.loads(line)))
    except (TypeError, ValueError):
        return None
