"""Lists that are cut are continued, over the real services."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Asked, application


def pages(asked: Asked, path: str, **parameters: str) -> list[dict[str, Any]]:
    """All pages of one list."""
    found = [asked.get(path, **parameters)]
    while "cursor" in found[-1]:
        found.append(asked.get(path, **parameters, cursor=found[-1]["cursor"]))
    return found


@pytest.mark.parametrize(
    ("service", "path", "parameters", "key"),
    [
        ("kubernetes", "/events", {"since": "2h"}, lambda item: (item["object"], item["reason"], item["lastTimestamp"], item["message"])),
        ("kubernetes", "/pods/status", {"namespace": "all", "pod_name": ""}, lambda item: item["name"]),
        ("logs", "/logs/search", {"start_time": "20m"}, lambda item: item["id"]),
        ("logs", "/logs/errors", {"since": "75m"}, lambda item: item["id"]),
        ("logs", "/logs/patterns", {"min_occurrences": "1"}, lambda item: (item["service"], item["level"], item["template"])),
        ("metrics", "/metrics/resources", {}, lambda item: (item["pod"], item["metric"])),
    ],
)
def test_every_page(
    ask: Callable[..., Asked], service: str, path: str, parameters: dict[str, str], key: Callable[[dict[str, Any]], object]
) -> None:
    """Together they have each item once; all have the same summary, total and window, and only the last one is not cut."""
    found = pages(ask(service, "crash-loop"), path, **parameters)
    keys = [key(item) for page in found for item in page["items"]]
    assert len(keys) == len(set(keys)) == found[0]["total"]
    assert all(page["summary"] == found[0]["summary"] and page.get("window") == found[0].get("window") for page in found)
    assert [page["truncated"] for page in found] == [True] * (len(found) - 1) + [False]


def test_there_is_more_than_one_page(ask: Callable[..., Asked]) -> None:
    """What the test above proves is not of single pages."""
    assert len(pages(ask("logs", "crash-loop"), "/logs/search", start_time="20m")) > 5


def test_time_does_not_go_on_between_pages(ask: Callable[..., Asked]) -> None:
    """A duration is counted back from the moment of the first page."""
    earlier, later = (Asked(application("logs", "crash-loop", f"2026-11-20T10:3{minute}:00Z")) for minute in (0, 1))
    first = earlier.get("/logs/search", start_time="20m")
    second = later.get("/logs/search", start_time="20m", cursor=first["cursor"])
    assert second["window"] == first["window"]


@pytest.mark.parametrize("cursor", ["x", "5", "1-zz-1", "-1-00000000-1", "1-00000000-1; drop"])
def test_what_is_no_cursor(ask: Callable[..., Asked], cursor: str) -> None:
    """It is refused, and says what to give."""
    answer = ask("logs", "crash-loop").client.get("/logs/recent", params={"cursor": cursor})
    assert answer.status_code == 400
    assert [fault["parameter"] for fault in answer.json()["error"]["faults"]] == ["cursor"]
