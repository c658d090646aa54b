"""Trends of series: changes of level, slopes, resets and outliers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sre_services.metrics.model import Series, to_datetime

type Numbers = NDArray[np.float64]

_FEWEST = 8
# A fall by at least this share of the range between two points is a reset, not a trend.
_DROP = 0.4
# Levels that differ by less than this share count as the same level.
_NOTICEABLE = 0.1
# So do levels that differ by less than this in the metric's unit: 0.02 % of errors is no doubling of 0.01 %.
_FLOORS = {"percent": 1.0, "ms": 5.0, "requests_per_second": 0.5, "millicores": 10.0, "bytes": 8 * 2.0**20, "restarts": 0.5}
_FITS = 0.5
_STRAIGHT = 0.8
# Levels that differ by this factor are a pulse, where both last.
_PULSE = 2.0
# A single point is noise; this many in a row are an event.
_IN_A_ROW = 2


@dataclass(frozen=True, kw_only=True)
class ChangePoint:
    """The time at which the mean changes; `score` is the change in standard deviations."""

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
class Pulse:
    """A level that came and went, or is still there: the usual level before, and the level of the points from `start` to `end`."""

    start: datetime
    end: datetime
    normal: float
    level: float
    ended: bool

    @property
    def score(self) -> float:
        """The factor between both levels."""
        low, high = sorted((abs(self.normal), abs(self.level)))
        return min(high / max(low, 1e-9), 1000.0)


@dataclass(frozen=True, kw_only=True)
class Trend:
    """The trend of one series. Fields are absent where nothing of the kind was found."""

    service: str
    metric: str
    unit: str
    quantile: str = ""
    pod: str = ""
    source: str = ""
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
    pulse: Pulse | None = None

    @property
    def notable(self) -> float:
        """The importance of this trend; 0 for a steady series."""
        course = {"sawtooth": 40.0, "rising": 15.0, "falling": 15.0}.get(self.direction, 0.0)
        jump = self.change_point.score if self.change_point else 0.0
        pulse = self.pulse.score if self.pulse else 0.0
        return max(jump, course, pulse, self.anomalies.worst_score if self.anomalies else 0.0)


def analyze_series(series: Series, metric: str, unit: str, threshold: float) -> Trend | None:
    """Analyze a series; None when it has too few points."""
    if len(series.times) < _FEWEST:
        return None
    times, values, floor = np.asarray(series.times), np.asarray(series.values), _FLOORS.get(unit, 0.0)
    slope, fit = fit_line(times, values)
    cuts = find_drops(values, floor)
    between, straight = _between(times, values, cuts)
    course = direction(values, slope, fit, floor)
    sawtooth = bool(cuts) and between > 0 and straight >= _STRAIGHT
    return Trend(
        service=series.service,
        metric=metric,
        unit=unit,
        quantile=series.labels.get("quantile", ""),
        pod=series.pod,
        source=series.source,
        direction="sawtooth" if sawtooth else course,
        first=float(values[0]),
        last=float(values[-1]),
        min=float(values.min()),
        max=float(values.max()),
        slope_per_hour=slope * 3600,
        r_squared=fit,
        drops=len(cuts) if sawtooth else None,
        slope_per_hour_between_drops=between * 3600 if sawtooth else None,
        change_point=find_change_point(times, values, threshold, floor),
        anomalies=find_anomalies(times, values, threshold, floor),
        pulse=find_pulse(times, values, floor),
    )


def fit_line(times: Numbers, values: Numbers) -> tuple[float, float]:
    """Fit the least-squares line: its slope per second, and the share of the variance that it explains."""
    centred, deviations = times - times.mean(), values - values.mean()
    spread, variance = float(centred @ centred), float(deviations @ deviations)
    if not spread or not variance:
        return 0.0, 0.0
    covariance = float(centred @ deviations)
    return covariance / spread, covariance**2 / (spread * variance)


def find_drops(values: Numbers, floor: float) -> list[int]:
    """Find the indexes at which the series falls by a large part of its range at once."""
    reach = float(values.max() - values.min())
    return (
        [] if _same(reach, float(values.max()), floor) else [int(index) + 1 for index in np.flatnonzero(np.diff(values) < -_DROP * reach)]
    )


def find_change_point(times: Numbers, values: Numbers, threshold: float, floor: float) -> ChangePoint | None:
    """Find the split into two levels that explains most, if the levels differ noticeably and by `threshold` deviations."""
    sizes = np.arange(1, len(values))
    sums = np.cumsum(values)[:-1]
    left, right = sums / sizes, (values.sum() - sums) / (len(values) - sizes)
    gain = sizes * (len(values) - sizes) * (left - right) ** 2
    # A level needs more than two points.
    split = int(np.argmax(gain[2:-2])) + 3
    before, after = values[:split], values[split:]
    low, high = float(before.mean()), float(after.mean())
    if _same(high - low, max(abs(low), abs(high)), floor):
        return None
    score = abs(high - low) / _noise(np.concatenate([before - low, after - high]), high - low, floor)
    return ChangePoint(time=to_datetime(float(times[split])), before=low, after=high, score=score) if score >= threshold else None


def find_anomalies(times: Numbers, values: Numbers, threshold: float, floor: float) -> Anomalies | None:
    """Find points that are far from the median, several in a row. The unit is the median deviation, which outliers don't change."""
    middle = _median(values)
    deviations = np.abs(values - middle)
    scores = deviations / _noise(deviations, float(values.max() - values.min()), floor)
    far = (scores >= threshold) & (deviations > max(_NOTICEABLE * abs(middle), floor))
    found = np.flatnonzero(far & _repeated(far))
    if not len(found):
        return None
    worst = int(found[np.argmax(scores[found])])
    return Anomalies(
        count=len(found),
        first_at=to_datetime(float(times[found[0]])),
        last_at=to_datetime(float(times[found[-1]])),
        worst=float(values[worst]),
        worst_score=float(scores[worst]),
    )


def find_pulse(times: Numbers, values: Numbers, floor: float) -> Pulse | None:
    """Find the longest run of points at several times the usual level, or at a fraction of it. The usual level is that of the first
    quarter of the window."""
    usual = _median(values[: max(len(values) // 4, _FEWEST // 2)])
    high, low = values > max(_PULSE * usual, usual + 2 * floor), values < min(usual / _PULSE, usual - 2 * floor)
    start, end = max(_longest_run(high), _longest_run(low), key=lambda run: run[1] - run[0])
    if end - start <= _IN_A_ROW:
        return None
    return Pulse(
        start=to_datetime(float(times[start])),
        end=to_datetime(float(times[end - 1])),
        normal=usual,
        level=_median(values[start:end]),
        ended=end < len(values),
    )


def _longest_run(marked: NDArray[np.bool_]) -> tuple[int, int]:
    """Return start and end of the longest run of marked points; one point between two of them does not end it."""
    best = start = end = 0
    found = (0, 0)
    for index in np.flatnonzero(marked):
        start, end = (start, int(index) + 1) if end and index - end <= 1 else (int(index), int(index) + 1)
        if end - start > best:
            best, found = end - start, (start, end)
    return found


def direction(values: Numbers, slope: float, fit: float, floor: float) -> str:
    """Classify a series as rising, falling or steady, by the line through all points."""
    if _same(float(values.max() - values.min()), float(values.max()), floor) or fit < _FITS:
        return "steady"
    return "rising" if slope > 0 else "falling"


def _same(difference: float, level: float, floor: float) -> bool:
    return abs(difference) <= max(_NOTICEABLE * abs(level), floor)


def _repeated(far: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return True where a point and its neighbour are both far."""
    beside = np.convolve(far.astype(int), np.ones(2 * _IN_A_ROW - 1, dtype=int), mode="same")
    return np.asarray(beside >= _IN_A_ROW)


def _between(times: Numbers, values: Numbers, cuts: Sequence[int]) -> tuple[float, float]:
    """Return the median slope and the median fit of the parts between drops; short parts don't count."""
    parts = zip(np.split(times, cuts), np.split(values, cuts), strict=True)
    lines = [fit_line(part, its) for part, its in parts if len(part) >= _FEWEST]
    if not lines:
        return 0.0, 0.0
    return _median([slope for slope, _ in lines]), _median([fit for _, fit in lines])


def _median(values: Sequence[float] | Numbers) -> float:
    """Return the median; for series as short as these, several times faster than numpy's own."""
    ordered, middle = np.sort(values), len(values) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _noise(deviations: Numbers, scale: float, floor: float) -> float:
    """Return the robust standard deviation, but at least a small share of the scale, because a flat series has no noise."""
    return max(1.4826 * _median(np.abs(deviations)), 0.02 * abs(scale), floor / 3, 1e-9)
