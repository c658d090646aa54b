"""Filter, order and limit are given to the provider, which applies them where the records are."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from sre_core import clock
from sre_core.problem import Refused
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.logs.at_hand import Fetched, FetchedLogs
from sre_services.logs.model import ERROR_LEVELS, LEVELS, Attribute, Group, LogFilter, LogRecord, LogStore
from sre_services.logs.pattern import Pattern
from sre_services.logs.providers.files import LogFiles
from sre_services.logs.providers.recorded import Recorded
from sre_services.recording import SHIPPED, Recording
from sre_services.timespan import Window

from ..conftest import KEY, RECORDED_END

END = clock.parse(RECORDED_END)
RECORDED = Recorded(Recording(SHIPPED / "crash-loop", "shop", END, END))
EVERYTHING = RECORDED.records(LogFilter(window=Window(END - timedelta(days=2), END)))


class Asked:
    """A made-up system with a record every second for a year, which notes what it is asked and how much it gave."""

    as_of = datetime(2026, 11, 22, tzinfo=UTC)

    def __init__(self) -> None:
        self.filters: list[LogFilter] = []
        self.given = 0

    def services(self) -> Sequence[str]:
        return ("web", "worker")

    def records(self, where: LogFilter, *, limit: int | None = None, newest_first: bool = False) -> list[LogRecord]:
        assert newest_first
        assert limit is not None, "all that was ever written would be fetched"
        self.filters.append(where)
        self.given += limit
        times = [self.as_of - timedelta(seconds=second) for second in range(limit)]
        return [LogRecord(id=f"web:{time}", time=time, service="web", pod="p", level="ERROR", message="ERROR x") for time in times]

    def count(self, where: LogFilter, by: Sequence[Attribute] = ()) -> list[Group]:
        self.filters.append(where)
        key = tuple({"service": "web", "level": "ERROR", "pod": "p", "source": ""}[attribute] for attribute in by)
        return [Group(key=key, count=4_000, first=self.as_of, last=self.as_of)]

    def histogram(self, where: LogFilter, buckets: int) -> list[int]:
        self.filters.append(where)
        return [1] * buckets

    def describe_unread(self, where: LogFilter, *, newest: int | None = None) -> str:
        return ""


def ask(store: LogStore, path: str) -> dict[str, Any]:
    """The answer of the logs API over this store."""
    client = TestClient(build_app(Api.of("logs"), store, Secret(KEY)), headers={"X-API-Key": KEY})
    answer: dict[str, Any] = client.get(path).json()
    return answer


def test_recent_records_of_a_large_system() -> None:
    """Fifty records are fetched to show fifty, for any size of last year's log."""
    store = Asked()
    answer = ask(store, "/logs/recent?limit=50&service=we")
    assert len(answer["items"]) == store.given == 50
    assert [where.services for where in store.filters] == [("web",)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/logs/search?pattern=no+route&log_level=WARN", LogFilter(window=Window(END, END), levels=frozenset({"WARN"}))),
        ("/logs/errors?service=worker", LogFilter(window=Window(END, END), services=("worker",), levels=ERROR_LEVELS)),
        ("/logs/counts?event_type=error&group_by=level", LogFilter(window=Window(END, END), levels=ERROR_LEVELS)),
    ],
)
def test_the_filter_is_pushed_down(path: str, expected: LogFilter) -> None:
    """Window, services, levels and pattern are the provider's to apply; records are fetched as far as an answer can hold them."""
    store = Asked()
    answer = ask(store, path)
    assert store.filters
    assert {(where.services, where.levels) for where in store.filters} == {(expected.services, expected.levels)}
    assert all((where.pattern == Pattern("no route")) == ("pattern" in path) for where in store.filters)
    assert store.given <= 200
    assert answer["summary"].get("records", 4_000) == 4_000


def test_a_summary_over_more_than_was_fetched() -> None:
    """Total and counts are over all records that match, and the answer says that it is cut and how to go on."""
    answer = ask(Asked(), "/logs/errors")
    assert (answer["total"], answer["truncated"], answer["summary"]["by_service"]) == (4_000, True, {"web": 4_000})
    assert answer["more"].startswith("Ask with since=")


@given(
    minutes=st.tuples(st.integers(0, 90), st.integers(0, 90)),
    services=st.none() | st.lists(st.sampled_from([*RECORDED.services(), "none"]), unique=True).map(tuple),
    levels=st.none() | st.frozensets(st.sampled_from(LEVELS)),
    text=st.sampled_from(["", "refused", "no such host", "GET", "payment"]),
    limit=st.none() | st.integers(0, 400),
    newest_first=st.booleans(),
)
def test_a_recording_is_searched_as_it_is_read(
    minutes: tuple[int, int],
    services: tuple[str, ...] | None,
    levels: frozenset[str] | None,
    text: str,
    limit: int | None,
    newest_first: bool,
) -> None:
    """For every query the records are those of a plain look at each one, in order, and the counts are over all of them."""
    window = Window.between(END - timedelta(minutes=minutes[0]), END - timedelta(minutes=minutes[1]), END)
    where = LogFilter(window=window, services=services, levels=levels, pattern=Pattern(text) if text else None)
    plain = [
        record
        for record in EVERYTHING
        if record.time in window
        and (services is None or record.service in services)
        and (levels is None or record.level in levels)
        and (not text or any(text.lower() in part.lower() for part in (record.message, record.pod, record.service)))
    ]
    expected = plain[::-1] if newest_first else plain
    found = RECORDED.records(where, limit=limit, newest_first=newest_first)
    assert [record.time for record in found] == [record.time for record in expected][:limit]
    assert {record.id for record in found} <= {record.id for record in plain}
    assert sum(group.count for group in RECORDED.count(where, ["service", "level"])) == len(plain)
    assert sum(RECORDED.histogram(where, 24)) == len(plain)


@pytest.mark.parametrize("path", ["/logs/search?start_time=1h", "/logs/patterns?time_window=1h"])
def test_a_log_that_is_longer_than_what_is_read(tmp_path: Path, path: str) -> None:
    """The answer says that it is of a part only, of which file, and how to ask for less; one that was read whole says nothing."""
    now = clock.now()
    lines = [f"{clock.stamp(now - timedelta(seconds=60 - second))} ERROR charge {second} failed" for second in range(60)]
    (tmp_path / "payment.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    cut, whole = ask(LogFiles(tmp_path, most_bytes=1_000), path), ask(LogFiles(tmp_path), path)
    assert cut["truncated"] is True
    assert "payment.log" in cut["note"]
    assert "counts are too low" in cut["note"]
    assert (whole["truncated"], whole.get("note", "")) == (False, "")


@pytest.mark.parametrize("path", ["/logs/errors?since=1h", "/logs/counts?time_window=1h", "/logs/search?pattern=charge&start_time=1h"])
def test_a_search_of_a_log_that_is_longer_than_what_is_read(tmp_path: Path, path: str) -> None:
    """The text of the filter is searched in the whole file."""
    now = clock.now()
    lines = [f"{clock.stamp(now - timedelta(seconds=60 - second))} ERROR charge {second} failed" for second in range(60)]
    (tmp_path / "payment.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = ask(LogFiles(tmp_path, most_bytes=1_000), path)
    assert (found["summary"], found.get("note", "")) == (ask(LogFiles(tmp_path), path)["summary"], "")


@contextmanager
def not_readable(path: Path) -> Iterator[None]:
    """Make a file or folder that its reader may not read, also if tests run as root: everybody but its owner is refused."""
    mode, user = path.stat().st_mode, os.geteuid()
    path.chmod(0)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        path.chmod(mode)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("place", ["payment.log", "payment/payment.log"])
def test_a_log_that_can_not_be_read(open_folder: Path, place: str) -> None:
    """It is named by the check and by each answer that lacks it; alone, it is a failure. What was rotated away is none."""
    for name in ("shop.log", place):
        (open_folder / name).parent.mkdir(exist_ok=True)
        (open_folder / name).write_text(f"{clock.stamp(clock.now())} ERROR {name} failed\n", encoding="utf-8")
    path = "/logs/search?start_time=1h"
    with not_readable(open_folder / place):
        answer, problem = ask(LogFiles(open_folder), path), LogFiles(open_folder).check()
        with pytest.raises(Refused) as refused:
            LogFiles(open_folder).records(LogFilter(window=Window(clock.now() - timedelta(hours=1), clock.now()), services=("payment",)))
    assert [item["message"] for item in answer["items"]] == ["ERROR shop.log failed"]
    assert answer["truncated"] is True
    assert f"{open_folder / place} (Permission denied)" in answer["note"]
    assert problem
    assert (problem.code, refused.value.problems[0]) == ("SVC-SOURCE-UNREADABLE", problem)
    assert place in problem.what
    assert LogFiles(open_folder).check() is None


def test_a_folder_of_logs_that_can_not_be_read(open_folder: Path) -> None:
    """A folder whose files can't be listed looks empty: the check names it."""
    (open_folder / "shop.log").write_text(f"{clock.stamp(clock.now())} ERROR failed\n", encoding="utf-8")
    (open_folder / "payment").mkdir()
    with not_readable(open_folder / "payment"):
        problem = LogFiles(open_folder).check()
    assert problem
    assert (problem.code, str(open_folder / "payment") in problem.what) == ("SVC-SOURCE-UNREADABLE", True)


class SlowSystem(FetchedLogs):
    """Takes longer for its records than they are remembered."""

    MOST, REMEMBERED_SECONDS = "1 record", 0.2

    def __init__(self) -> None:
        super().__init__()
        self.fetched = 0

    def services(self) -> list[str]:
        return ["web"]

    def fetch(self, where: LogFilter, services: object, newest: int | None) -> Fetched:
        self.fetched += 1
        time.sleep(0.3)
        return Fetched([[]])


def test_a_slow_system_is_asked_once() -> None:
    """Its records are shown and counted, and its cut described, by one fetch, however long that took."""
    slow, where = SlowSystem(), LogFilter(window=Window(END, END))
    assert (slow.records(where), slow.count(where), slow.describe_unread(where)) == ([], [], "")
    assert slow.fetched == 1


LARGE = clock.now().replace(microsecond=0) - timedelta(hours=2)
_TRACE = "\n".join(f"  at shop.Till.step{depth}(Till.java:{depth})" for depth in range(40))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine megabytes, more than two of the pieces that are searched: mostly requests, and a failure with its trace now and then."""
    folder = tmp_path_factory.mktemp("large")
    with (folder / "till.log").open("w", encoding="utf-8") as file:
        for number in range(60_000):
            text = f"INFO request {number} of /cart took {number % 97}ms"
            if number % 1_999 == 3:
                text = f"ERROR charge {number} declined\n{_TRACE}\nCaused by: shop.Refusal: code E{number % 7}"
            file.write(f"{(LARGE + timedelta(milliseconds=100 * number)).isoformat(timespec='milliseconds')} {text:<110}\n")
    return folder


@cache
def parse_all(folder: Path) -> list[LogRecord]:
    """Every record."""
    return LogFiles(folder, most_bytes=10**8).records(LogFilter(window=Window(LARGE - timedelta(days=1), clock.now())))


def look_at_each(folder: Path, where: LogFilter) -> list[tuple[datetime, str]]:
    """The records that a filter wants, by a plain look at each; without the limit of time that a pattern has."""
    expression = re.compile(where.pattern.expression if where.pattern else "", re.IGNORECASE)
    return [
        (record.time, record.message)
        for record in parse_all(folder)
        if (where.levels is None or record.level in where.levels)
        and any(expression.search(text) for text in (record.message, record.service))
    ]


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({"pattern": Pattern("charge .* declined")}, 31),
        ({"pattern": Pattern("Refusal: code E3")}, 5),
        ({"levels": frozenset({"ERROR", "FATAL"})}, 31),
        ({"pattern": Pattern("step39"), "levels": frozenset({"ERROR"})}, 31),
        ({"pattern": Pattern("nothing of the kind")}, 0),
        ({"pattern": Pattern("^ERROR charge")}, 31),
        ({"pattern": Pattern(r"code E3$")}, 5),
        ({"pattern": Pattern(r"Caused by:\s[^,]*E3")}, 5),
        ({"pattern": Pattern("charge[^,]*declined")}, 31),
        ({"pattern": Pattern(r"step1\(Till.java:1\)\n +at")}, 31),
        ({"pattern": Pattern("till"), "levels": frozenset({"ERROR"})}, 31),
    ],
)
def test_a_search_through_a_file_that_is_too_large_to_parse(large: Path, where: dict[str, Any], count: int) -> None:
    """Each record that matches is found, with its whole trace, also where the match is in the trace or the file is searched in pieces."""
    asked = LogFilter(window=Window(LARGE, clock.now()), **where)
    searched = LogFiles(large, most_bytes=10_000, search_seconds=60.0)
    found = searched.records(asked)
    assert len(found) == count
    assert [(record.time, record.message) for record in found] == look_at_each(large, asked)
    assert searched.describe_unread(asked) == ""


def test_a_short_window_of_a_large_file(large: Path) -> None:
    """It is found at any place, and read whole."""
    start = LARGE + timedelta(minutes=41)
    asked = LogFilter(window=Window(start, start + timedelta(seconds=20)))
    store = LogFiles(large, most_bytes=400_000)
    assert len(store.records(asked)) == 201
    assert store.describe_unread(asked) == ""


def test_more_matches_than_are_read(large: Path) -> None:
    """A pattern that nearly every line has gives the newest, and the answer says so."""
    store, asked = LogFiles(large, most_bytes=10_000), LogFilter(window=Window(LARGE, clock.now()), pattern=Pattern("request"))
    assert store.records(asked)[-1].message.startswith("INFO request 59999 ")
    assert "till.log" in store.describe_unread(asked)


def test_more_matches_than_are_searched_for_in_a_file_that_can_be_parsed(large: Path) -> None:
    """They are all there, however short the time for a search is."""
    store, asked = LogFiles(large, search_seconds=0.0), LogFilter(window=Window(LARGE, clock.now()), pattern=Pattern("request"))
    assert sum(group.count for group in store.count(asked)) == 60_000 - 31
    assert store.describe_unread(asked) == ""


def _write(folder: Path, lines: Sequence[str], ends: str = "\n", start: str = "", encoding: str = "utf-8") -> None:
    """A log with these lines, a second apart, after ten thousand others."""
    texts = [*(f"INFO request {number}" for number in range(10_000)), *lines]
    stamped = (f"{(LARGE - timedelta(hours=3) + timedelta(seconds=at)).isoformat()} {text}{ends}" for at, text in enumerate(texts))
    (folder / "till.log").write_bytes(f"{start}{''.join(stamped)}".encode(encoding))


@pytest.mark.parametrize(
    ("lines", "how", "pattern", "count"),
    [
        (["ERROR a charge"], {"ends": "\r\n"}, "a charge$", 1),
        (["ERROR caf\u00e9 closed"], {}, r"caf\w closed", 1),
        (["ERROR caf\u00e9 closed"], {"encoding": "latin-1"}, "caf. closed", 1),
        (["ERROR 1\u20282", "ERROR 1\x0c2"], {}, "ERROR 1.2", 2),
        (["ERROR for {id}"], {}, r"for \{id\}", 1),
        (["ERROR x", "ERROR first\n  at a", "ERROR y"], {}, "first|  at a|y", 2),
        ([], {"start": "\ufeff"}, "request 0", 1),
    ],
)
def test_what_lines_may_be(tmp_path: Path, lines: list[str], how: dict[str, Any], pattern: str, count: int) -> None:
    """Ends of lines, encodings and letters of any kind: a search finds what is there where the file is parsed."""
    _write(tmp_path, lines, **how)
    asked = LogFilter(window=Window(LARGE - timedelta(days=1), clock.now()), pattern=Pattern(pattern))
    searched = LogFiles(tmp_path, most_bytes=1_000, search_seconds=60.0)
    assert [(record.time, record.message) for record in searched.records(asked)] == look_at_each(tmp_path, asked)
    assert (len(searched.records(asked)), searched.describe_unread(asked)) == (count, "")


def test_a_pattern_with_what_json_escapes(tmp_path: Path) -> None:
    """It is found also where the window begins within a line."""
    line = '{{"time": "{}", "level": "info", "msg": "{} says \\"no\\" to caf\\u00e9\u2028"}}\n'
    text = "".join(line.format((LARGE + timedelta(seconds=number)).isoformat(), number) for number in range(5_000))
    (tmp_path / "till.jsonl").write_text(text, encoding="utf-8")
    asked = LogFilter(window=Window(LARGE + timedelta(minutes=50), clock.now()), pattern=Pattern('99 says "no" to caf\u00e9'))
    assert len(LogFiles(tmp_path, most_bytes=1_000).records(asked)) == 20


def test_a_trace_that_two_pieces_share(tmp_path: Path) -> None:
    """It is one record, though it matches in both."""
    trace = "\n".join(f"  at shop.Till.step{depth}" for depth in range(2_000))
    (tmp_path / "till.log").write_text("".join(f"{clock.stamp(LARGE)} ERROR {number}\n{trace}\n" for number in range(30)), encoding="utf-8")
    asked = LogFilter(window=Window(LARGE, LARGE), pattern=Pattern("at shop"))
    assert len(LogFiles(tmp_path, most_bytes=1_000, search_seconds=60.0).records(asked)) == 30


def test_a_window_beyond_a_long_trace(tmp_path: Path) -> None:
    """A trace of a megabyte does not hide what was logged before and after it."""
    lines = [f"{clock.stamp(LARGE + timedelta(seconds=number))} INFO {number:<100}" for number in range(2_000)]
    (tmp_path / "till.log").write_text("\n".join([*lines[:1_000], "  at step" * 2**17, *lines[1_000:]]), encoding="utf-8")
    store, start = LogFiles(tmp_path, most_bytes=200_000), LARGE + timedelta(seconds=1_900)
    assert len(store.records(LogFilter(window=Window(start, start + timedelta(seconds=9))))) == 10


def test_a_search_that_takes_too_long(large: Path) -> None:
    """It gives what it has, and says that it is of a part; so do the files for which no time is left."""
    store, asked = LogFiles(large, 10_000, search_seconds=0.0), LogFilter(window=Window(LARGE, clock.now()), pattern=Pattern("declined"))
    assert len(store.records(asked)) < 31
    assert "till.log" in store.describe_unread(asked)
