"""Logs Insights of the local AWS knows the query language, and refuses what it does not know."""

from __future__ import annotations

import pytest

from embedded_aws.watching.insights import Event, compile_query
from embedded_aws.watching.insights_expressions import QueryMalformed

TEXTS = [
    "INFO started in 12 ms",
    "ERROR user=7 time=30 failed",
    '{"level": "error", "ms": 250, "kubernetes": {"pod_name": "web-1"}, "tags": ["a", "b"]}',
    '{"level": "info", "ms": 50, "kubernetes": {"pod_name": "web-1"}}',
]
EVENTS = [Event(str(number), "1:group", "stream", 1_700_000_000_000 + number * 60_000, text) for number, text in enumerate(TEXTS)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fields ms | filter level = 'error'", [{"ms": "250", "@ptr": "2"}]),
        ('fields ms | filter ms > 40 and not level in ["error", "warn"]', [{"ms": "50", "@ptr": "3"}]),
        ("fields @logStream | filter @message like /(?i)FAILED$/", [{"@logStream": "stream", "@ptr": "1"}]),
        ("fields tags.1 | filter ispresent(tags.0) or strcontains(@message, 'started') = 1 | limit 1", [{"tags.1": "b", "@ptr": "2"}]),
        ("fields @log | filter @message not like 'ms' | sort @timestamp asc | limit 1", [{"@log": "1:group", "@ptr": "1"}]),
        (
            'parse @message "user=* time=* " as user, took | filter ispresent(user) | display user, took',
            [{"user": "7", "took": "30", "@ptr": "1"}],
        ),
        ("parse @message /in (?<took>\\d+) ms/ | filter took < 13 | display took", [{"took": "12", "@ptr": "0"}]),
        (
            "filter ms > 0 | stats count(*) as n, avg(ms), max(ms) by kubernetes.pod_name",
            [{"kubernetes.pod_name": "web-1", "n": "2", "avg(ms)": "150.0", "max(ms)": "250"}],
        ),
        ("stats count(*) as n by bin(5m) | sort n desc | limit 1", [{"bin(5m)": "2023-11-14 22:15:00.000", "n": "2"}]),
        ("fields toupper(level) as named | filter level = 'info'", [{"named": "INFO", "@ptr": "3"}]),
        ("fields myLevel, level | filter level = 'info'", [{"level": "info", "@ptr": "3"}]),
        ("fields LEVEL, `level` | filter level = 'info'", [{"level": "info", "@ptr": "3"}]),
        ("fields level | dedup level | filter ispresent(level)", [{"level": "info", "@ptr": "3"}, {"level": "error", "@ptr": "2"}]),
    ],
)
def test_a_query(query: str, found: list[dict[str, str]]) -> None:
    """It gives what AWS documents; `@ptr` comes with every event, and the newest is first."""
    assert compile_query(query).run(EVENTS) == found


def test_times_and_defaults() -> None:
    """A query that shows nothing shows time and message; times are in UTC with milliseconds."""
    (newest,) = compile_query("limit 1").run(EVENTS)
    assert newest == {"@timestamp": "2023-11-14 22:16:20.000", "@message": TEXTS[3], "@ptr": "3"}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "select *",
        "fields @message | ",
        "fields @message | limit 10001",
        "fields @message | limit none",
        "filter",
        "filter level =",
        "filter @message like 7",
        "filter @message like /(/",
        "filter soundex(level)",
        "filter level = 'a' level = 'b'",
        "fields 1",
        "parse @message 'a * b'",
        "parse @message /no name/",
        "stats median(ms)",
        "stats count(*) by bin(5)",
        "fields @message ; drop",
    ],
)
def test_a_query_that_is_refused(query: str) -> None:
    """A mistake is an error, not an answer."""
    with pytest.raises(QueryMalformed):
        compile_query(query)
