"""The model of metrics, named measures as series over time, and what a provider of them must answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from sre_services.timespan import Window


class Measure(StrEnum):
    """The measures, each with its unit in the name."""

    REQUESTS_PER_SECOND = "requests_per_second"  # one series per HTTP status: label `code`
    LATENCY_MS = "latency_ms"  # one series per quantile: label `quantile`
    CPU_MILLICORES = "cpu_millicores"  # one series per pod
    CPU_THROTTLED_MS_PER_SECOND = "cpu_throttled_ms_per_second"  # one series per pod
    MEMORY_BYTES = "memory_bytes"  # one series per pod
    RESTARTS = "restarts"  # one series per pod, counted since its creation
    UP = "up"  # one series per pod: 1 while it answers its scrape
    CPU_LIMIT_MILLICORES = "cpu_limit_millicores"
    MEMORY_LIMIT_BYTES = "memory_limit_bytes"
    CALLS_PER_SECOND = "calls_per_second"  # from one service to another: label `to`
    FAILED_CALLS_PER_SECOND = "failed_calls_per_second"
    RETRANSMISSIONS_PER_SECOND = "retransmissions_per_second"  # of TCP, one series per node, whose name is in place of a service's


@dataclass(frozen=True, kw_only=True)
class Series:
    """A measure of one service (and pod) at growing times, in seconds since 1970. `source` is set where there are several."""

    service: str
    pod: str = ""
    source: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    times: Sequence[float]
    values: Sequence[float]

    def within(self, window: Window) -> Series:
        """Cut the series to a window."""
        start, end = window.start.timestamp(), window.end.timestamp()
        kept = [(time, value) for time, value in zip(self.times, self.values, strict=True) if start <= time <= end]
        return replace(self, times=[time for time, _ in kept], values=[value for _, value in kept])


class MetricStore(Protocol):
    """Answers about metrics. Series without a point in the window are left out."""

    @property
    def as_of(self) -> datetime: ...
    def services(self) -> Sequence[str]: ...
    def series(self, measure: Measure, window: Window, services: Sequence[str]) -> Sequence[Series]: ...


def to_datetime(seconds: float) -> datetime:
    """Convert a series' time to a datetime."""
    return datetime.fromtimestamp(seconds, UTC)
