"""Summaries of series: mean, extremes, first and last value, and a few points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sre_services.metrics.model import Series, to_datetime

MOST_POINTS = 40


@dataclass(frozen=True, kw_only=True)
class SeriesSummary:
    """The summary of one series. `points` are [time, value], present when one service was asked for."""

    service: str
    metric: str
    unit: str
    pod: str = ""
    source: str = ""
    mean: float
    min: float
    max: float
    max_at: datetime
    first: float
    last: float
    limit: float | None = None
    max_percent_of_limit: float | None = None
    points: Sequence[tuple[datetime, float]] = ()


def summarize_series(series: Series, metric: str, unit: str, *, limit: float | None = None, with_points: bool) -> SeriesSummary:
    """Summarize a series with at least one point."""
    values = series.values
    highest = max(range(len(values)), key=values.__getitem__)
    return SeriesSummary(
        service=series.service,
        metric=metric,
        unit=unit,
        pod=series.pod,
        source=series.source,
        mean=mean(values),
        min=min(values),
        max=values[highest],
        max_at=to_datetime(series.times[highest]),
        first=values[0],
        last=values[-1],
        limit=limit,
        max_percent_of_limit=100 * values[highest] / limit if limit else None,
        points=reduce_points(series) if with_points else (),
    )


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def reduce_points(series: Series) -> list[tuple[datetime, float]]:
    """Reduce a series to at most MOST_POINTS points, each the mean of equally many measured ones, at the time of the last of them."""
    size = max(1, -(-len(series.times) // MOST_POINTS))
    starts = range(0, len(series.times), size)
    return [
        (to_datetime(series.times[min(start + size, len(series.times)) - 1]), mean(series.values[start : start + size])) for start in starts
    ]


def sum_series(several: Iterable[Series]) -> dict[float, float]:
    """Sum several series at each time that any of them has."""
    sums: dict[float, float] = {}
    for series in several:
        for time, value in zip(series.times, series.values, strict=True):
            sums[time] = sums.get(time, 0.0) + value
    return sums
