"""Where a series' level changes, how fast it rises, and which points are out of the ordinary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sre_services.metrics.model import Series, at

type Numbers = NDArray[np.float64]

_FEWEST = 8
# A fall of at least this share of the whole range between two points is a reset, not a trend.
_DROP = 0.4
# Levels that differ by less than this share are the same level to anyone who operates a service.
_NOTICEABLE = 0.1
_FITS = 0.5


@dataclass(frozen=True, kw_only=True)
class ChangePoint:
    """The moment after which the mean is another; `score` counts standard deviations."""

    time: datetime
    before: float
    after: float
    score: float


@dataclass(frozen=True, kw_only=True)
class Anomalies:
    """Points further from the median than the threshold, in robust standard deviations."""

    count: int
    first_at: datetime
    last_at: datetime
    worst: float
    worst_score: float


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The course of one series. Fields are absent where there is nothing of the kind."""

    service: str
    metric: str
    unit: str
    pod: str = ""
    direction: str
    first: float
    last: float
    min: float
    max: float
    slope_per_hour: float
    r_squared: float
    drops: int | None = None
    slope_per_hour_between_drops: float | None = None
    change_point: ChangePoint | None = None
    anomalies: Anomalies | None = None

    @property
    def notable(self) -> float:
        """How much it deserves to be looked at; 0 for a steady series."""
        jump = self.change_point.score if self.change_point else 0.0
        steady_rise = 10 * self.r_squared if self.direction in ("rising", "falling", "sawtooth") else 0.0
        return max(jump, steady_rise, self.anomalies.worst_score if self.anomalies else 0.0)


def trend(series: Series, metric: str, unit: str, threshold: float) -> Trend | None:
    """The trend of a series; None when it has too few points for one."""
    if len(series.times) < _FEWEST:
        return None
    times, values = np.asarray(series.times), np.asarray(series.values)
    slope, fit = line(times, values)
    cuts = drops(values)
    between = _between(times, values, cuts)
    return Trend(
        service=series.service,
        metric=metric,
        unit=unit,
        pod=series.pod,
        direction=direction(values, slope, fit, len(cuts), between),
        first=float(values[0]),
        last=float(values[-1]),
        min=float(values.min()),
        max=float(values.max()),
        slope_per_hour=slope * 3600,
        r_squared=fit,
        drops=len(cuts) or None,
        slope_per_hour_between_drops=between * 3600 if len(cuts) else None,
        change_point=change_point(times, values, threshold),
        anomalies=anomalies(times, values, threshold),
    )


def line(times: Numbers, values: Numbers) -> tuple[float, float]:
    """Slope per second of the least-squares line and the share of the variance that it explains."""
    centred, deviations = times - times.mean(), values - values.mean()
    spread, variance = float(centred @ centred), float(deviations @ deviations)
    if not spread or not variance:
        return 0.0, 0.0
    covariance = float(centred @ deviations)
    return covariance / spread, covariance**2 / (spread * variance)


def drops(values: Numbers) -> list[int]:
    """Indexes at which the series falls by a large part of its range at once."""
    reach = float(values.max() - values.min())
    if reach <= _NOTICEABLE * abs(float(values.max())):
        return []
    return [int(index) + 1 for index in np.flatnonzero(np.diff(values) < -_DROP * reach)]


def change_point(times: Numbers, values: Numbers, threshold: float) -> ChangePoint | None:
    """The split into two levels that explains most, where the levels differ noticeably and by `threshold` deviations."""
    sizes = np.arange(1, len(values))
    sums = np.cumsum(values)[:-1]
    left, right = sums / sizes, (values.sum() - sums) / (len(values) - sizes)
    gain = sizes * (len(values) - sizes) * (left - right) ** 2
    inner = slice(2, len(gain) - 2)
    split = int(np.argmax(gain[inner])) + 3
    before, after = values[:split], values[split:]
    low, high = float(before.mean()), float(after.mean())
    if abs(high - low) <= _NOTICEABLE * max(abs(low), abs(high)):
        return None
    score = abs(high - low) / _noise(np.concatenate([before - low, after - high]), high - low)
    return ChangePoint(time=at(float(times[split])), before=low, after=high, score=score) if score >= threshold else None


def anomalies(times: Numbers, values: Numbers, threshold: float) -> Anomalies | None:
    """Points far from the median, measured by the median deviation, which outliers don't move."""
    deviations = np.abs(values - np.median(values))
    scores = deviations / _noise(values - np.median(values), float(np.median(np.abs(values))))
    found = np.flatnonzero(scores >= threshold)
    found = found[deviations[found] > _NOTICEABLE * max(abs(float(np.median(values))), 1e-9)]
    if not len(found):
        return None
    worst = int(found[np.argmax(scores[found])])
    return Anomalies(
        count=len(found),
        first_at=at(float(times[found[0]])),
        last_at=at(float(times[found[-1]])),
        worst=float(values[worst]),
        worst_score=float(scores[worst]),
    )


def direction(values: Numbers, slope: float, fit: float, cuts: int, between: float) -> str:
    """rising, falling, sawtooth (rises, falls at once, rises again), or steady."""
    reach = float(values.max() - values.min())
    if reach <= _NOTICEABLE * abs(float(values.max())):
        return "steady"
    if cuts >= 1 and between > 0 and cuts < len(values) / 10:
        return "sawtooth"
    return "steady" if fit < _FITS else "rising" if slope > 0 else "falling"


def _between(times: Numbers, values: Numbers, cuts: Sequence[int]) -> float:
    """The median slope of the parts between drops, where most of them are straight."""
    parts = list(zip(np.split(times, cuts), np.split(values, cuts), strict=True)) if cuts else []
    slopes = [found for found in (line(part, its) for part, its in parts if len(part) >= _FEWEST) if found[1] >= _FITS]
    return float(np.median([slope for slope, _ in slopes])) if slopes else 0.0


def _noise(deviations: Numbers, scale: float) -> float:
    """The robust standard deviation, at least a small share of the scale: a flat series has no noise to divide by."""
    return max(1.4826 * float(np.median(np.abs(deviations))), 0.02 * abs(scale), 1e-9)
