"""Error rates: HTTP 5xx of all requests, and failed calls between services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sre_services.metrics.model import Measure, MetricStore, Series, to_datetime
from sre_services.metrics.statistics import mean, sum_series
from sre_services.timespan import Window


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Calls from this service to another, and the percentage that failed."""

    to: str
    per_second: float
    failed_percent: float
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class ErrorRate:
    """The percentage of a service's answers with status 5xx, with that of the equally long window before."""

    service: str
    requests_per_second: float
    error_percent: float
    error_percent_before: float | None
    peak_percent: float
    peak_at: datetime | None
    per_second_by_code: Mapping[str, float]
    calls: Sequence[Calls]
    source: str = ""


def measure_error_rates(store: MetricStore, window: Window, services: Sequence[str]) -> list[ErrorRate]:
    """Measure the services with requests in the window, the highest percentage of errors first."""
    requests = store.series(Measure.REQUESTS_PER_SECOND, window, services)
    before = store.series(Measure.REQUESTS_PER_SECOND, window.previous(), services)
    rates = [_rate(name, requests, before, measure_calls(store, window, name)) for name in services]
    return sorted((rate for rate in rates if rate), key=lambda rate: (-rate.error_percent, rate.service))


def measure_calls(store: MetricStore, window: Window, service: str) -> list[Calls]:
    """Measure the calls of a service to others, the most failing first."""
    several = store.series(Measure.CALLS_PER_SECOND, window, [service])
    made = {series.labels["to"]: mean(series.values) for series in several}
    failed = {series.labels["to"]: mean(series.values) for series in store.series(Measure.FAILED_CALLS_PER_SECOND, window, [service])}
    source = several[0].source if several else ""
    found = [
        Calls(to=name, per_second=rate, failed_percent=_percent(failed.get(name, 0.0), rate), source=source) for name, rate in made.items()
    ]
    return sorted(found, key=lambda call: (-call.failed_percent, call.to))


@dataclass(frozen=True, kw_only=True)
class ServiceCalls:
    """The services that a service calls, also where only the fact is known and no rate."""

    service: str
    calls: Sequence[Calls]


def list_calls(store: MetricStore, window: Window, services: Sequence[str]) -> list[ServiceCalls]:
    """List who calls whom, the most failing first."""
    found = [ServiceCalls(service=name, calls=measure_calls(store, window, name)) for name in services]
    return sorted((item for item in found if item.calls), key=lambda item: (-item.calls[0].failed_percent, item.service))


def error_percent_series(series: Sequence[Series], service: str) -> Series | None:
    """Compute the percentage of 5xx of one service at each time that has requests; None without requests."""
    own = [found for found in series if found.service == service]
    everything, errors = sum_series(own), sum_series(found for found in own if is_error(found))
    points = [(time, _percent(errors.get(time, 0.0), rate)) for time, rate in sorted(everything.items()) if rate > 0]
    if not points:
        return None
    return Series(service=service, source=own[0].source, times=[time for time, _ in points], values=[value for _, value in points])


def is_error(series: Series) -> bool:
    """Return True for answers with status 5xx; 4xx are errors of the caller."""
    return series.labels.get("code", "").startswith("5")


def error_percent(series: Sequence[Series], service: str) -> float | None:
    """Compute the percentage of errors over all requests of the window; None without requests."""
    own = [found for found in series if found.service == service]
    everything = sum(sum(found.values) for found in own)
    return _percent(sum(sum(found.values) for found in own if is_error(found)), everything) if everything else None


def _rate(service: str, requests: Sequence[Series], before: Sequence[Series], made: Sequence[Calls]) -> ErrorRate | None:
    course = error_percent_series(requests, service)
    if course is None:
        return None
    peak = max(range(len(course.values)), key=course.values.__getitem__)
    own = [series for series in requests if series.service == service]
    return ErrorRate(
        service=service,
        requests_per_second=mean(list(sum_series(own).values())),
        error_percent=error_percent(requests, service) or 0.0,
        error_percent_before=error_percent(before, service),
        peak_percent=course.values[peak],
        peak_at=to_datetime(course.times[peak]) if course.values[peak] else None,
        per_second_by_code={series.labels["code"]: mean(series.values) for series in own},
        calls=made,
        source=own[0].source,
    )


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0
