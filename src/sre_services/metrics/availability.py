"""Availability of services: the share of successful answers, and of the time that their replicas answered the scraper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre_services.metrics.errors import error_percent, error_percent_series
from sre_services.metrics.model import Measure, MetricStore, Series
from sre_services.metrics.statistics import mean
from sre_services.timespan import Window

# A minute counts as bad when more than this share of its answers failed.
BAD_PERCENT = 5.0


@dataclass(frozen=True, kw_only=True)
class Availability:
    """A service's availability. Fields are absent where nothing was measured."""

    service: str
    success_percent: float | None
    bad_minutes: float | None
    up_percent: float | None
    replicas_up: int
    replicas_seen: int
    sources: Sequence[str] = ()


def measure_availability(store: MetricStore, window: Window, services: Sequence[str]) -> list[Availability]:
    """Measure the availability of services, the worst first; services without data are left out."""
    requests = store.series(Measure.REQUESTS_PER_SECOND, window, services)
    up = store.series(Measure.UP, window, services)
    found = [_availability(name, requests, [series for series in up if series.service == name]) for name in services]
    kept = [item for item in found if item.success_percent is not None or item.replicas_seen]
    return sorted(kept, key=lambda item: (_worst(item), item.service))


def _availability(service: str, requests: Sequence[Series], up: Sequence[Series]) -> Availability:
    failed, course = error_percent(requests, service), error_percent_series(requests, service)
    newest = max((series.times[-1] for series in up), default=0.0)
    return Availability(
        service=service,
        success_percent=None if failed is None else 100 - failed,
        bad_minutes=_bad_minutes(course) if course else None,
        up_percent=100 * mean([value for series in up for value in series.values]) if up else None,
        # A deleted pod has no newest point; it does not count as a replica that is down.
        replicas_up=sum(1 for series in up if series.times[-1] == newest and series.values[-1] >= 1),
        replicas_seen=sum(1 for series in up if series.times[-1] == newest),
        sources=sorted({series.source for series in (*requests, *up) if series.service == service and series.source}),
    )


def _bad_minutes(course: Series) -> float:
    if len(course.times) < 2:
        return 0.0
    step = (course.times[-1] - course.times[0]) / (len(course.times) - 1)
    return sum(value > BAD_PERCENT for value in course.values) * step / 60


def _worst(item: Availability) -> float:
    return min(value for value in (item.success_percent, item.up_percent, 100.0) if value is not None)
