"""The metrics service's answers for each recording."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ..conftest import Asked, application

type Ask = Callable[..., Asked]


def test_error_rates_of_the_crash_loop(ask: Ask) -> None:
    """The callers fail, beside nothing before; whom they call says where it comes from."""
    items = {item["service"]: item for item in ask("metrics", "crash-loop").items("/metrics/errors", time_window="14m")}
    checkout = items["checkout-service"]
    assert checkout["error_percent"] == pytest.approx(71, abs=2)
    assert checkout["error_percent_before"] < 0.5
    assert checkout["calls"][0]["to"] == "payment-service"
    assert checkout["calls"][0]["failed_percent"] == pytest.approx(100, abs=8)
    assert "payment-service" not in items or items["payment-service"]["error_percent"] < 1


def test_availability_of_the_crash_loop(ask: Ask) -> None:
    """The service whose replicas are all down is the worst."""
    first = ask("metrics", "crash-loop").items("/metrics/availability", time_window="10m")[0]
    assert (first["service"], first["replicas_up"], first["replicas_seen"]) == ("payment-service", 0, 2)


def test_the_moment_of_the_crash_loop(ask: Ask) -> None:
    """The change point of the callers' errors is the minute of the rollout."""
    trend = ask("metrics", "crash-loop").items("/metrics/trends", metric_name="error_rate", service="checkout-service")[0]
    assert trend["change_point"]["time"] == "2026-11-20T10:16:00Z"
    assert trend["change_point"]["before"] < 1
    assert trend["change_point"]["after"] > 70


def test_memory_of_the_memory_leak(ask: Ask) -> None:
    """A sawtooth in exactly the pods that leak, with the slope between the drops."""
    trends = ask("metrics", "memory-leak").items("/metrics/trends", metric_name="memory")
    assert {(trend["service"], trend["direction"], trend["drops"]) for trend in trends} == {("catalog-service", "sawtooth", 3)}
    assert all(8e8 < trend["slope_per_hour_between_drops"] < 1.1e9 for trend in trends)


def test_resources_against_their_limit(ask: Ask) -> None:
    """The pods that reach their limit come first, with its value; points come when one service is asked for."""
    asked = ask("metrics", "memory-leak")
    first = asked.items("/metrics/resources", resource_type="memory")[0]
    assert (first["service"], first["limit"]) == ("catalog-service", 512 * 2**20)
    assert 95 < first["max_percent_of_limit"] <= 100
    assert "points" not in first
    one = asked.items("/metrics/resources", resource_type="memory", service="catalog-service")
    assert all(10 < len(item["points"]) <= 40 for item in one if item["last"])


def test_restarts_are_counted(ask: Ask) -> None:
    """They are per pod, the most first, and the decoys have none in this window."""
    items = ask("metrics", "memory-leak").items("/metrics/resources", resource_type="restarts")
    assert [(item["service"], item["last"]) for item in items[:2]] == [("catalog-service", 3), ("catalog-service", 3)] or items[0][
        "last"
    ] == 3
    assert all(item["first"] == item["last"] for item in items if item["service"] not in ("catalog-service",))


@pytest.mark.parametrize("threshold", [3, 5])
def test_a_healthy_day_is_steady(ask: Ask, threshold: float) -> None:
    """Noise is not a trend: nothing is reported, and that is said."""
    answer = ask("metrics", "healthy").get("/metrics/trends", anomaly_threshold=threshold)
    assert answer["items"] == []
    assert answer["summary"]["series"] == answer["summary"]["steady"] > 50
    assert answer["note"] == "Every series is steady."


def test_a_healthy_day_has_no_errors_to_speak_of(ask: Ask) -> None:
    """No service is above one percent, and availability is high everywhere."""
    asked = ask("metrics", "healthy")
    assert asked.get("/metrics/errors")["summary"]["above_1_percent"] == []
    assert all(item["success_percent"] > 99.5 for item in asked.items("/metrics/availability"))


def test_performance(ask: Ask) -> None:
    """Percentiles are in milliseconds and in order; a shorter window gives finer points."""
    items = {item["metric"]: item for item in ask("metrics", "healthy").items("/metrics/performance", service="checkout-service")}
    assert items["latency_p50"]["mean"] < items["latency_p95"]["mean"] < items["latency_p99"]["mean"]
    assert items["latency_p50"]["mean"] == pytest.approx(85, rel=0.1)
    assert items["throughput"]["unit"] == "requests_per_second"
    only = ask("metrics", "healthy").items("/metrics/performance", metric_type="throughput")
    assert {item["metric"] for item in only} == {"throughput"}


def test_an_unknown_service(ask: Ask) -> None:
    """It is named with those that there are; a beginning of a name is enough."""
    asked = ask("metrics", "healthy")
    assert "payment-service" in asked.get("/metrics/errors", service="billing")["note"]
    assert [item["service"] for item in asked.items("/metrics/errors", service="pay")] == ["payment-service"]


def test_a_window_without_data(ask: Ask) -> None:
    """It is empty with a note, not zero."""
    answer = ask("metrics", "healthy").get("/metrics/errors", time_window="3d/2d")
    assert answer["items"] == []
    assert answer["note"] == "Nothing of this kind was found in this window."


def test_decisive_series_can_be_deleted(copied: Callable[[str], Path]) -> None:
    """A series is a line of its file: without its lines, nothing leaks any more."""
    folder = copied("memory-leak")
    path = folder / "metrics" / "memory.json"
    kept = [line for line in path.read_text().splitlines() if "catalog-service" not in line]
    path.write_text("\n".join(kept).replace(",\n]}}", "\n]}}"))
    assert json.loads(path.read_text())["status"] == "success"
    assert Asked(application("metrics", folder)).items("/metrics/trends", metric_name="memory") == []
