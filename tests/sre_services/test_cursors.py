"""Lists that are cut are continued, over the real services."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sre_core import clock
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.logs.providers.files import LogFiles

from .conftest import KEY, Asked, application


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
        ("logs", "/logs/recent", {"limit": "300"}, lambda item: item["id"]),
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
    """The test above covers answers of several pages."""
    assert len(pages(ask("logs", "crash-loop"), "/logs/search", start_time="20m")) > 5


def test_time_does_not_go_on_between_pages(ask: Callable[..., Asked]) -> None:
    """A duration is counted back from the moment of the first page."""
    earlier, later = (Asked(application("logs", "crash-loop", f"2026-11-20T10:3{minute}:00Z")) for minute in (0, 1))
    first = earlier.get("/logs/search", start_time="20m")
    second = later.get("/logs/search", start_time="20m", cursor=first["cursor"])
    assert second["window"] == first["window"]


def test_records_that_come_meanwhile(tmp_path: Path) -> None:
    """The newest records are then still those of the first page."""
    lines = [f"{clock.stamp(clock.now() - timedelta(seconds=300 - number))} INFO {number:<500}\n" for number in range(100)]
    (tmp_path / "web.log").write_text("".join(lines))
    client = TestClient(build_app(Api.of("logs"), LogFiles(tmp_path), Secret(KEY)), headers={"X-API-Key": KEY})
    first = client.get("/logs/recent", params={"limit": 100}).json()
    assert "these 100 records only" in first["note"]
    with (tmp_path / "web.log").open("a") as file:
        file.writelines(f"{clock.stamp(clock.now() + timedelta(milliseconds=1))} INFO {number:<500}\n" for number in range(100))
    second = client.get("/logs/recent", params={"limit": 100, "cursor": first["cursor"]}).json()
    assert int(second["items"][0]["message"].split()[1]) == int(first["items"][-1]["message"].split()[1]) - 1


@pytest.mark.parametrize(
    ("path", "arguments"),
    [("/logs/search", {"start_time": "30m"}), ("/logs/search", {"start_time": "20m", "pattern": "payment"}), ("/logs/recent", {})],
)
def test_a_cursor_of_another_question(ask: Callable[..., Asked], path: str, arguments: dict[str, str]) -> None:
    """It is refused, as it would leave out what was never shown. An empty argument makes no other question."""
    logs = ask("logs", "crash-loop")
    cursor = logs.get("/logs/search", start_time="20m", pattern="")["cursor"]
    assert logs.get("/logs/search", start_time="20m", cursor=cursor)["items"]
    answer = logs.client.get(path, params={**arguments, "cursor": cursor})
    assert answer.status_code == 400
    assert "another question" in answer.json()["error"]["message"]


@pytest.mark.parametrize("cursor", ["x", "5", "1-zz-1", "-1-00000000-1-0000", "1-00000000-1", "1-00000000-1-0000; drop"])
def test_what_is_no_cursor(ask: Callable[..., Asked], cursor: str) -> None:
    """It is refused, and says what to give."""
    answer = ask("logs", "crash-loop").client.get("/logs/recent", params={"cursor": cursor})
    assert answer.status_code == 400
    assert [fault["parameter"] for fault in answer.json()["error"]["faults"]] == ["cursor"]
