"""Metrics of Amazon CloudWatch. API: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_services.metrics.cloudwatch import METRICS, MOST_QUERIES, NAMESPACES, Dimensions, Metric, choose_period
from sre_services.metrics.model import Measure, Series
from sre_services.sources.aws import AwsClient
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

_REMEMBERED_SECONDS = 300.0

type Found = tuple[str, str, Dimensions]
type Points = Mapping[float, float]


@dataclass(frozen=True)
class Wanted:
    """One metric of the account that is asked for; `name` is its own, or the one that is subtracted from it."""

    metric: Metric
    name: str
    dimensions: Dimensions

    def query(self, id: str, period: int) -> dict[str, Any]:
        """Write it for GetMetricData."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions.items()]
        about = {"Namespace": self.metric.namespace, "MetricName": self.name, "Dimensions": dimensions}
        return {"Id": id, "MetricStat": {"Metric": about, "Period": period, "Stat": self.metric.stat}, "ReturnData": True}


class CloudWatchMetrics:
    """Asks for the metrics of the asked services only. Which metrics there are is remembered for some minutes."""

    def __init__(self, client: AwsClient) -> None:
        self._client = client
        self._known: tuple[float, list[Found]] = (0.0, [])

    @property
    def as_of(self) -> datetime:
        return clock.now()

    def services(self) -> tuple[str, ...]:
        return tuple(sorted({metric.service_of(dimensions) for measure in METRICS for metric, dimensions in self._of_measure(measure)}))

    def series(self, measure: Measure, window: Window, services: Sequence[str]) -> list[Series]:
        wanted = [(metric, dimensions) for metric, dimensions in self._of_measure(measure) if metric.service_of(dimensions) in services]
        period = choose_period(window, (self.as_of - window.start).total_seconds())
        asked = [Wanted(metric, name, dimensions) for metric, dimensions in wanted for name in (metric.name, metric.less) if name]
        points = dict(zip(map(_key, asked), self._read(asked, window, period), strict=True))
        made = (_make_series(metric, dimensions, points, period) for metric, dimensions in wanted)
        parts = sorted((each.within(window) for each in made), key=lambda each: (each.service, each.pod, *sorted(each.labels.items())))
        return [part for part in parts if part.times]

    def check(self) -> Problem | None:
        """Explain why it can't be read; None where it can."""
        try:
            self._client.call("list_metrics", "cloudwatch:ListMetrics", Namespace=NAMESPACES[0])
            probe = Wanted(METRICS[Measure.REQUESTS_PER_SECOND][0], "RequestCount", {})
            self._read([probe], Window(self.as_of - timedelta(minutes=5), self.as_of), 60)
        except Refused as refused:
            return refused.problems[0]
        return None

    def _of_measure(self, measure: Measure) -> Iterator[tuple[Metric, Dimensions]]:
        for found in self._find_metrics():
            yield from ((metric, found[2]) for metric in METRICS.get(measure, ()) if metric.fits(*found))

    def _find_metrics(self) -> list[Found]:
        if self._known[0] < time.monotonic():
            self._known = (time.monotonic() + _REMEMBERED_SECONDS, [found for name in NAMESPACES for found in self._list(name)])
        return self._known[1]

    def _list(self, namespace: str) -> list[Found]:
        """List the metrics of a namespace that had a value lately."""
        found: list[Found] = []
        more: dict[str, str] = {}
        while True:
            page = self._client.call("list_metrics", "cloudwatch:ListMetrics", Namespace=namespace, **more)
            found += [(namespace, each["MetricName"], {d["Name"]: d["Value"] for d in each["Dimensions"]}) for each in page["Metrics"]]
            if not page.get("NextToken"):
                return found
            more = {"NextToken": page["NextToken"]}

    def _read(self, asked: Sequence[Wanted], window: Window, period: int) -> list[Points]:
        """Read the points of metrics, as many at once as one request may have."""
        # A period counts for its beginning; the first one of a window may have begun before it.
        start = datetime.fromtimestamp(window.start.timestamp() // period * period, UTC)
        found: list[dict[float, float]] = [{} for _ in asked]
        for part in batched(enumerate(asked), MOST_QUERIES):
            queries = [wanted.query(f"m{number}", period) for number, wanted in part]
            more: dict[str, str] = {}
            while True:
                answer = self._client.call(
                    "get_metric_data", "cloudwatch:GetMetricData", MetricDataQueries=queries, StartTime=start, EndTime=window.end, **more
                )
                for result in answer["MetricDataResults"]:
                    times = (moment.timestamp() for moment in result["Timestamps"])
                    found[int(result["Id"][1:])] |= dict(zip(times, result["Values"], strict=True))
                if not answer.get("NextToken"):
                    break
                more = {"NextToken": answer["NextToken"]}
        return list(found)


def open_provider(settings: Settings) -> CloudWatchMetrics:
    """Open CloudWatch in `region`."""
    return CloudWatchMetrics(AwsClient("cloudwatch", "CloudWatch", settings))


def _key(wanted: Wanted) -> tuple[object, ...]:
    return (wanted.metric.namespace, wanted.name, wanted.metric.stat, *sorted(wanted.dimensions.items()))


def _make_series(metric: Metric, dimensions: Dimensions, points: Mapping[tuple[object, ...], Points], period: int) -> Series:
    own = points[_key(Wanted(metric, metric.name, dimensions))]
    less = points[_key(Wanted(metric, metric.less, dimensions))] if metric.less else {}
    scale = metric.scale / (period if metric.is_per_second() else 1)
    times = sorted(own)
    return Series(
        service=metric.service_of(dimensions),
        pod=dimensions.get(metric.pod, ""),
        labels=metric.labels,
        times=times,
        values=[(own[moment] - less.get(moment, 0.0)) * scale for moment in times],
    )
