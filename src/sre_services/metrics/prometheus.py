"""Convert Prometheus' `query_range` answers to measures: counters become rates, units those of the measure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sre_services.metrics.model import Measure, Series

type Points = tuple[list[float], list[float]]

# The hashes of ReplicaSet and pod, or the number in a StatefulSet, at the end of a pod's name.
_POD_SUFFIX = re.compile(r"(-[a-f0-9]{8,10})?-[a-z0-9]{5}$|-\d+$")


@dataclass(frozen=True)
class Source:
    """The Prometheus metric of a measure, and its conversion."""

    metric: str
    scale: float = 1
    counter: bool = False
    where: Mapping[str, str] | None = None
    labels: Mapping[str, str] | None = None  # ours -> Prometheus'


SOURCES: Mapping[Measure, Source] = {
    Measure.REQUESTS_PER_SECOND: Source("http_requests_total", counter=True, labels={"code": "code"}),
    Measure.LATENCY_MS: Source("http_request_duration_seconds", scale=1000, labels={"quantile": "quantile"}),
    Measure.CPU_MILLICORES: Source("container_cpu_usage_seconds_total", scale=1000, counter=True),
    Measure.MEMORY_BYTES: Source("container_memory_working_set_bytes"),
    Measure.RESTARTS: Source("kube_pod_container_status_restarts_total"),
    Measure.UP: Source("up"),
    Measure.CPU_LIMIT_MILLICORES: Source("kube_pod_container_resource_limits", scale=1000, where={"resource": "cpu"}),
    Measure.MEMORY_LIMIT_BYTES: Source("kube_pod_container_resource_limits", where={"resource": "memory"}),
    Measure.CALLS_PER_SECOND: Source("traces_service_graph_request_total", counter=True, labels={"to": "server"}),
    Measure.FAILED_CALLS_PER_SECOND: Source("traces_service_graph_request_failed_total", counter=True, labels={"to": "server"}),
}


def read_results(document: Any) -> Sequence[Mapping[str, Any]]:
    """Read the matrix of an answer. Raises ValueError when the query did not succeed."""
    if not isinstance(document, dict) or document.get("status") != "success" or document["data"]["resultType"] != "matrix":
        raise ValueError('it is not {"status": "success", "data": {"resultType": "matrix", …}}')
    found: Sequence[Mapping[str, Any]] = document["data"]["result"]
    return found


def parse_series(result: Mapping[str, Any], measure: Measure, shift_time: Callable[[float], float]) -> Series | None:
    """Parse a result as a series of `measure`; None when it measures something else."""
    metric, source = result["metric"], SOURCES[measure]
    if metric.get("__name__") != source.metric or any(metric.get(key) != value for key, value in (source.where or {}).items()):
        return None
    points = [(shift_time(float(time)), float(value)) for time, value in result["values"]]
    finite = [(time, value) for time, value in points if math.isfinite(value)]
    times, values = compute_rates(finite) if source.counter else ([time for time, _ in finite], [value for _, value in finite])
    return Series(
        service=service_of(metric),
        pod=metric.get("pod", ""),
        labels={ours: metric.get(theirs, "") for ours, theirs in (source.labels or {}).items()},
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


def service_of(metric: Mapping[str, str]) -> str:
    """Return the service of a metric, from its labels or its pod's name."""
    return (
        metric.get("service")
        or metric.get("client")
        or metric.get("app")
        or _POD_SUFFIX.sub("", metric.get("pod", ""))
        or metric.get("job", "")
    )
