"""Convert Prometheus' answers to measures: counters become rates, units those of the measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sre_services.metrics.model import Measure, Series
from sre_services.metrics.sources import SOURCES, Source, service_of

type Points = tuple[list[float], list[float]]


def read_results(document: Any, kind: str = "matrix") -> Sequence[Mapping[str, Any]]:
    """Read the results of an answer. Raises ValueError when the query did not succeed."""
    if not isinstance(document, dict) or document.get("status") != "success" or document["data"]["resultType"] != kind:
        raise ValueError(f'it is not {{"status": "success", "data": {{"resultType": "{kind}", …}}}}')
    found: Sequence[Mapping[str, Any]] = document["data"]["result"]
    return found


def parse_series(result: Mapping[str, Any], measure: Measure, shift_time: Callable[[float], float]) -> Series | None:
    """Parse a result with raw samples as a series of `measure`; None when it measures something else."""
    source = next((source for source in SOURCES[measure] if source.matches(result["metric"])), None)
    return make_series(result, source, shift_time=shift_time) if source else None


def make_series(
    result: Mapping[str, Any], source: Source, *, shift_time: Callable[[float], float] = float, is_rate: bool = False
) -> Series:
    """Make a series of a result of `source`: of samples as they were scraped, or with `is_rate` of rates that Prometheus computed."""
    metric = result["metric"]
    points = [(shift_time(float(time)), float(value)) for time, value in result["values"]]
    finite = [(time, value) for time, value in points if math.isfinite(value)]
    times, values = (
        compute_rates(finite) if source.counter and not is_rate else ([time for time, _ in finite], [value for _, value in finite])
    )
    return Series(
        service=service_of(metric, source),
        pod=metric.get("pod", "") if source.per_pod else "",
        labels={ours: metric.get(theirs, "") for ours, theirs in source.labels.items()},
        times=times,
        values=[value * source.scale for value in values],
    )


def compute_rates(points: Sequence[tuple[float, float]]) -> Points:
    """Compute the increase per second between points of a counter. A counter that falls was reset to zero."""
    steps = [
        (later, (value if value < before else value - before) / (later - time))
        for (time, before), (later, value) in pairwise(points)
        if later > time
    ]
    return [time for time, _ in steps], [rate for _, rate in steps]
