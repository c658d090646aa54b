"""Times as people and models write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sre_services.timespan import LONGEST, Moment, Span

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        (" 90s ", timedelta(seconds=90)),
        ("2D", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
        ("last 30 minutes", timedelta(minutes=30)),
        ("-5m", timedelta(minutes=5)),
        ("now", timedelta(0)),
        ("999999w", LONGEST),
        ("2026-11-22T13:00:00Z", timedelta(hours=1)),
        ("2026-11-22T13:00:00", timedelta(hours=1)),
        ("2026-11-22T14:00:00+01:00", timedelta(hours=1)),
        ("2026-11-22", timedelta(hours=14)),
    ],
)
def test_a_moment(text: str, before: timedelta) -> None:
    """Durations count back from now; times without a zone are UTC."""
    assert Moment(text).at(NOW) == NOW - before


@pytest.mark.parametrize("text", ["", "soon", "15", "15 parsecs", "2026-13-01", "0001-01-01T00:00:00+23:00"])
def test_what_is_no_moment(text: str) -> None:
    """The refusal shows how to write one."""
    with pytest.raises(ValueError, match="15m or 2h, or ISO 8601"):
        Moment(text)


def test_a_span_until_now() -> None:
    """A start alone means until now."""
    window = Span("1h").until(NOW)
    assert (window.start, window.end) == (NOW - timedelta(hours=1), NOW)
    assert str(window) == "2026-11-22T13:00:00Z/2026-11-22T14:00:00Z"


def test_a_span_with_an_end() -> None:
    """`start/end` takes any two moments, in either order."""
    assert Span("2h/1h").until(NOW) == Span("1h/2h").until(NOW) == Span("2026-11-22T12:00:00Z/2026-11-22T13:00:00Z").until(NOW)


def test_a_span_beyond_all_data() -> None:
    """It is cut to where data can be, so that the window before it exists."""
    window = Span("1970-01-01/2199-12-31").until(NOW)
    assert (window.start, window.end) == (NOW - LONGEST, NOW + LONGEST)
    assert window.previous().start < window.start


def test_the_window_before() -> None:
    """It is as long, and no moment is in both."""
    window = Span("1h").until(NOW)
    before = window.previous()
    assert before.start == NOW - timedelta(hours=2)
    assert window.start in window
    assert window.start not in before
    assert window.start - timedelta(seconds=1) in before
