"""Merge the series of several pods or containers that together are one measure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from sre_services.metrics.model import Series


def merge_series(several: Iterable[Series]) -> list[Series]:
    """Sum the series that have the same service, pod and labels. Where there is only one, it stays as it is."""
    groups: dict[tuple[object, ...], list[Series]] = defaultdict(list)
    for series in several:
        if series.times:
            groups[series.service, series.pod, *sorted(series.labels.items())].append(series)
    return [group[0] if len(group) == 1 else _sum(group) for group in groups.values()]


def _sum(group: Sequence[Series]) -> Series:
    """Sum at common times: each target is scraped at a moment of its own, so times are rounded to the usual interval."""
    interval = median([later - time for series in group for time, later in pairwise(series.times)] or [1.0])
    sums: dict[float, float] = defaultdict(float)
    for series in group:
        # Of two samples in one interval the later one counts.
        for time, value in {round(time / interval): value for time, value in zip(series.times, series.values, strict=True)}.items():
            sums[time * interval] += value
    times = sorted(sums)
    return replace(group[0], times=times, values=[sums[time] for time in times])
