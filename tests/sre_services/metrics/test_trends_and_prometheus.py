"""Statistics and Prometheus' format, by their properties."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre_services.metrics import prometheus
from sre_services.metrics.model import Measure, Series
from sre_services.metrics.sources import SOURCES, Source, service_of
from sre_services.metrics.statistics import MOST_POINTS, reduce_points
from sre_services.metrics.trends import Trend, analyze_series


def series(values: list[float], step: int = 30) -> Series:
    return Series(service="s", times=[1_700_000_000.0 + step * place for place in range(len(values))], values=values)


def found(values: list[float], unit: str = "ms") -> Trend:
    made = analyze_series(series(values), "latency", unit, 3.0)
    assert made is not None
    return made


@given(st.lists(st.floats(0, 1e12), min_size=8, max_size=60), st.sampled_from(["percent", "ms", "bytes", "restarts", "other"]))
def test_any_series(values: list[float], unit: str) -> None:
    """A trend is made of any numbers, and its parts are within what was measured."""
    made = found(values, unit)
    assert made.min <= made.first <= made.max
    assert 0 <= made.r_squared <= 1 + 1e-9
    if made.change_point:
        assert made.min - 1e-6 <= min(made.change_point.before, made.change_point.after)


@given(st.floats(1, 1e9), st.integers(8, 100))
def test_a_constant_series(level: float, count: int) -> None:
    """It is steady, with nothing to report."""
    made = found([level] * count)
    assert (made.direction, made.notable, made.change_point, made.anomalies) == ("steady", 0, None, None)


@given(st.integers(10, 50), st.integers(10, 50), st.floats(1.5, 50))
def test_a_step(before: int, after: int, factor: float) -> None:
    """Its change point is exactly where the level changes."""
    made = found([100.0] * before + [100.0 * factor] * after)
    assert made.change_point is not None
    assert made.change_point.time.timestamp() == 1_700_000_000 + 30 * before


def test_a_climb() -> None:
    """It rises by what it rises, per hour."""
    made = found([100 + place for place in range(120)])
    assert made.direction == "rising"
    assert made.slope_per_hour == pytest.approx(120)


def test_a_sawtooth_with_noise() -> None:
    """The slope between the drops is found although the whole has none."""
    noise = random.Random(3)
    made = found([100 + 10 * (place % 40) + noise.gauss(0, 4) for place in range(160)])
    assert (made.direction, made.drops) == ("sawtooth", 3)
    assert made.slope_per_hour_between_drops == pytest.approx(1200, rel=0.1)


def test_one_point_alone() -> None:
    """A single outlier is noise; several in a row are an event with its time."""
    quiet = [100.0 + place % 3 for place in range(60)]
    assert found([*quiet, 900.0, *quiet]).anomalies is None
    event = found([*quiet, 900.0, 950.0, *quiet]).anomalies
    assert event is not None
    assert (event.count, event.worst) == (2, 950.0)
    assert event.first_at.timestamp() == 1_700_000_000 + 30 * 60


def test_too_few_points() -> None:
    """Nothing is concluded from them."""
    assert analyze_series(series([1, 2, 3]), "latency", "ms", 3.0) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=300))
def test_thinned_points(values: list[float]) -> None:
    """Few enough to read, the last of them at the last time."""
    points = reduce_points(series(values))
    assert len(points) <= MOST_POINTS
    assert points[-1][0].timestamp() == 1_700_000_000 + 30 * (len(values) - 1)


def test_a_counter_that_was_reset() -> None:
    """A fall is a restart of the process: what it counts from then on is counted from nothing."""
    times, values = prometheus.compute_rates([(0, 100), (10, 150), (20, 30), (30, 60)])
    assert (times, values) == ([10, 20, 30], [5, 3, 3])


def test_values_that_are_no_numbers() -> None:
    """Prometheus' NaN and Inf are left out."""
    result = {
        "metric": {"__name__": "http_request_duration_seconds", "service": "s", "quantile": "0.5"},
        "values": [[0, "NaN"], [30, "0.25"], [60, "+Inf"]],
    }
    made = prometheus.parse_series(result, Measure.LATENCY_MS, lambda time: time)
    assert made is not None
    assert (made.times, made.values) == ([30], [250])


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"service": "a", "pod": "b-0"}, "a"),
        ({"pod": "checkout-service-7d9f8c6b54-x2k9q"}, "checkout-service"),
        ({"pod": "frontend-xpmmb5jbqh-zfblc"}, "frontend"),
        ({"pod": "payments-db-0"}, "payments-db"),
        ({"pod": "log-shipper-x2k9q"}, "log-shipper"),
        ({"job": "node"}, "node"),
    ],
)
def test_whose_metric_it_is(labels: dict[str, str], expected: str) -> None:
    """The label says, else the pod's name."""
    assert service_of(labels, Source(metric="up")) == expected


def test_whose_metric_it_is_where_an_exporter_measures_pods() -> None:
    """The label `service` of kube-state-metrics is its own: the pod's name says whose the metric is."""
    labels = {"__name__": "container_memory_working_set_bytes", "service": "kubelet", "pod": "frontend-xpmmb5jbqh-zfblc"}
    [source] = SOURCES[Measure.MEMORY_BYTES]
    assert service_of(labels, source) == "frontend"
