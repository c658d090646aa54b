"""The series that answer a question, with name and unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sre_services.metrics.errors import error_percent_series
from sre_services.metrics.model import Measure, MetricStore, Series
from sre_services.metrics.statistics import SeriesSummary, sum_series, summarize_series
from sre_services.parameters import describe_unknown_service, match_names
from sre_services.timespan import Window

if TYPE_CHECKING:
    from sre_services.metrics.trends import Trend

_RESOURCES = {
    "cpu": (Measure.CPU_MILLICORES, Measure.CPU_LIMIT_MILLICORES, "millicores"),
    "memory": (Measure.MEMORY_BYTES, Measure.MEMORY_LIMIT_BYTES, "bytes"),
    "restarts": (Measure.RESTARTS, None, "restarts"),
}
# What has trends and no limit that would be worth a list of its own.
_OTHERS = {
    "cpu_throttled": (Measure.CPU_THROTTLED_MS_PER_SECOND, "ms_per_second"),
    "retransmissions": (Measure.RETRANSMISSIONS_PER_SECOND, "per_second"),
}


def summarize_performance(store: MetricStore, window: Window, services: Sequence[str], metric_type: str) -> list[SeriesSummary]:
    """Summarize latency percentiles and throughput, service by service."""
    found: list[SeriesSummary] = []
    for name in services:
        if metric_type in ("all", "latency"):
            quantiles = store.series(Measure.LATENCY_MS, window, [name])
            found += [summarize_series(series, _percentile(series), "ms", with_points=len(services) == 1) for series in quantiles]
        if metric_type in ("all", "throughput") and (series := throughput(store, window, name)):
            found.append(summarize_series(series, "throughput", "requests_per_second", with_points=len(services) == 1))
    return found


def summarize_resources(store: MetricStore, window: Window, services: Sequence[str], resource_type: str) -> list[SeriesSummary]:
    """Summarize CPU, memory and restarts of each pod, the closest to its limit first."""
    found: list[SeriesSummary] = []
    for name, (measure, limited_by, unit) in _RESOURCES.items():
        if resource_type not in ("all", name):
            continue
        limits = {series.pod: series.values[-1] for series in store.series(limited_by, window, services)} if limited_by else {}
        several = store.series(measure, window, services)
        found += [summarize_series(series, name, unit, limit=limits.get(series.pod), with_points=len(services) == 1) for series in several]
    return sorted(found, key=lambda item: (-(item.max_percent_of_limit or 0), -(item.last if item.metric == "restarts" else 0), item.pod))


def analyze_trends(store: MetricStore, window: Window, services: Sequence[str], metric_name: str, threshold: float) -> list[Trend]:
    """Analyze each series of a metric, the most important trend first."""
    # Importing numpy takes as long as the rest of the start.
    from sre_services.metrics.trends import analyze_series

    made = (
        analyze_series(series, name, unit, threshold)
        for name, unit, series in _series(store, window, services)
        if metric_name in ("all", name)
    )
    return sorted((found for found in made if found), key=lambda found: (-found.notable, found.service, found.pod, found.metric))


def throughput(store: MetricStore, window: Window, service: str) -> Series | None:
    """Sum the requests per second of all status codes; None without requests."""
    parts = store.series(Measure.REQUESTS_PER_SECOND, window, [service])
    sums = sorted(sum_series(parts).items())
    source = parts[0].source if parts else ""
    return Series(service=service, source=source, times=[time for time, _ in sums], values=[value for _, value in sums]) if sums else None


def describe_no_series(store: MetricStore, service: str) -> str:
    """Explain an empty answer: the service is unknown, or nothing was measured."""
    known = store.services()
    if service and not match_names(known, service):
        return describe_unknown_service(known, service)
    return "Nothing of this kind was found in this window."


def _series(store: MetricStore, window: Window, services: Sequence[str]) -> Iterator[tuple[str, str, Series]]:
    requests = store.series(Measure.REQUESTS_PER_SECOND, window, services)
    for name in services:
        if series := error_percent_series(requests, name):
            yield "error_rate", "percent", series
        if series := throughput(store, window, name):
            yield "throughput", "requests_per_second", series
    yield from (("latency", "ms", series) for series in store.series(Measure.LATENCY_MS, window, services))
    for name, (measure, unit) in _OTHERS.items():
        yield from ((name, unit, series) for series in store.series(measure, window, services))
    for resource, (measure, _, unit) in _RESOURCES.items():
        yield from ((resource, unit, series) for series in store.series(measure, window, services))


def _percentile(series: Series) -> str:
    return f"latency_p{float(series.labels['quantile']) * 100:g}"
