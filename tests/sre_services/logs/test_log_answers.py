"""The logs service's answers for each recording."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ..conftest import Asked, application

type Ask = Callable[..., Asked]


def test_errors_of_the_crash_loop(ask: Ask) -> None:
    """Newest first, counted by service over all of them, with pod, level and an id."""
    answer = ask("logs", "crash-loop").get("/logs/errors", since="14m", service="payment-service")
    assert answer["summary"]["by_level"] == {"ERROR": 42, "FATAL": 14}
    first = answer["items"][0]
    assert first["id"].startswith("payment-service:")
    assert first["message"].startswith("FATAL startup: cannot open connection pool: lookup payments-db-primary")
    times = [item["time"] for item in answer["items"]]
    assert times == sorted(times, reverse=True)


def test_patterns_of_the_crash_loop(ask: Ask) -> None:
    """The new error of the service that fails first is at the top, as one template with its count."""
    answer = ask("logs", "crash-loop").get("/logs/patterns")
    top = answer["items"][0]
    assert (top["service"], top["count"], top["is_new"], top["level"]) == ("payment-service", 42, True, "ERROR")
    assert "connect attempt <*>/<*> failed" in top["template"]
    assert "no such host" in top["template"]


def test_patterns_of_the_memory_leak(ask: Ask) -> None:
    """Long collections are a new warning of the catalog, and of no other service."""
    items = ask("logs", "memory-leak").items("/logs/patterns")
    collections = [item for item in items if "Pause Full" in item["template"] and item["level"] == "WARN"]
    assert [item["service"] for item in collections] == ["catalog-service"]
    assert collections[0]["count"] > 30


def test_noise_of_a_healthy_day(ask: Ask) -> None:
    """There are warnings and a few errors, and no error is new."""
    items = ask("logs", "healthy").items("/logs/patterns", min_occurrences=1)
    assert any("no template for <*> using default" in item["template"] for item in items)
    assert [item["template"] for item in items if item["level"] in ("ERROR", "FATAL") and item["is_new"]] == []


def test_patterns_with_nothing_before(ask: Ask) -> None:
    """Where nothing is known of the time before, nothing is called new."""
    answer = ask("logs", "crash-loop").get("/logs/patterns", time_window="3h")
    assert answer["summary"]["new"] == answer["summary"]["records_before"] == 0
    assert all("is_new" not in item for item in answer["items"])


def test_a_search(ask: Ask) -> None:
    """Words in any case, alternatives, and wildcards find the records of all services."""
    asked = ask("logs", "crash-loop")
    assert set(asked.get("/logs/search", pattern="NO SUCH HOST")["summary"]["by_service"]) == {"payment-service"}
    refused = asked.get("/logs/search", pattern="dial tcp.*refused|order [0-9]+ not placed")
    assert set(refused["summary"]["by_service"]) == {"checkout-service"}
    assert asked.get("/logs/search", pattern="qwertz")["note"] == "No record matches in this window."


def test_a_search_goes_on(ask: Ask) -> None:
    """The argument in `more` continues a truncated answer until every record was seen once or at the seam twice."""
    asked, end, seen, first = ask("logs", "crash-loop"), "now", set(), None
    for _ in range(12):
        answer = asked.get("/logs/search", log_level="ERROR", end_time=end)
        first = first or answer["total"]
        seen |= {item["id"] for item in answer["items"]}
        if not answer["truncated"]:
            break
        end = answer["more"].split("end_time=")[1].split(" ")[0]
    assert len(seen) == first


def test_recent_records(ask: Ask) -> None:
    """As many as asked for, the newest first; an unknown service is named with those that there are."""
    asked = ask("logs", "healthy")
    assert len(asked.items("/logs/recent", limit=7, service="frontend")) == 7
    note = asked.get("/logs/recent", service="billing")["note"]
    assert "'billing'" in note
    assert "payment-service" in note


def test_counts(ask: Ask) -> None:
    """Counts by service, level, pod or time, beside the window before; a kind is recognised by words too."""
    asked = ask("logs", "crash-loop")
    by_service = asked.get("/logs/counts", event_type="dns", time_window="15m")
    assert [(item["group"], item["count"], item["count_before"]) for item in by_service["items"]] == [("payment-service", 56, 0)]
    histogram = asked.items("/logs/counts", time_window="1h", group_by="time")
    assert len(histogram) == 24
    assert sum(bucket["count"] for bucket in histogram[:18]) < 10 < sum(bucket["count"] for bucket in histogram[18:])
    assert {item["group"] for item in asked.items("/logs/counts", event_type="all", group_by="level")} == {"INFO", "WARN", "ERROR", "FATAL"}


def test_a_service_that_fell_silent(copied: Callable[[str], Path]) -> None:
    """It is counted with 0 beside what it wrote before: silence is a fact."""
    folder = copied("healthy")
    path = folder / "logs" / "cart-service.log"
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if " 2026-11-20T09:" in line))
    counts = Asked(application("logs", folder)).items("/logs/counts", event_type="all", time_window="30m")
    assert [(item["group"], item["count"]) for item in counts][-1] == ("cart-service", 0)


@pytest.mark.parametrize("pattern", ["[node", "(a+)+b", "a(?=b)", "a*b*c*d*e*", "x{9,1}"])
def test_a_pattern_that_is_none(copied: Callable[[str], Path], pattern: str) -> None:
    """A text that is no regular expression here is looked for as it is, and the answer says so."""
    folder = copied("healthy")
    with (folder / "logs" / "cart-service.log").open("a") as log:
        log.write(f"[pod/cart-1/cart] 2026-11-20T10:29:59Z INFO before {pattern} after\n")
    found = Asked(application("logs", folder)).get("/logs/search", pattern=pattern)
    assert [item["message"] for item in found["items"]] == [f"INFO before {pattern} after"]
    assert found["note"].startswith("The pattern was looked for as plain text")


def test_a_search_that_takes_too_long(copied: Callable[[str], Path]) -> None:
    """It is given up with what to ask instead, and the service goes on: a pattern comes from a stranger, and so does the log."""
    folder = copied("healthy")
    with (folder / "logs" / "cart-service.log").open("a") as log:
        log.write(f"[pod/cart-1/cart] 2026-11-20T10:29:59Z INFO {'a' * 1_900}\n")
    client = application("logs", folder)
    answer = client.get("/logs/search", params={"pattern": "a*a*a*a*[!?]"})
    assert answer.status_code == 400, answer.text
    assert "plain words" in answer.json()["error"]["do"][0]
    assert client.get("/logs/search", params={"pattern": "a*a*a*a*"}).status_code == 200
