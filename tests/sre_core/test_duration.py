from __future__ import annotations

from datetime import timedelta

import pytest

from sre_core.duration import format_exactly, format_roughly, parse


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", timedelta(seconds=90)), ("30m", timedelta(minutes=30)), ("24h", timedelta(hours=24)), ("7d", timedelta(days=7))],
)
def test_a_length_of_time(text: str, length: timedelta) -> None:
    """A whole number and its unit, as Prometheus and Go write it."""
    assert parse(text) == length


@pytest.mark.parametrize("text", ["", "24", "h", "0h", "-1h", "1.5h", "1h30m", "24 h", "1w", "100000d", "٣h"])
def test_no_length_of_time(text: str) -> None:
    """Anything else is refused, not guessed."""
    assert parse(text) is None


@pytest.mark.parametrize("text", ["90s", "30m", "36h", "7d"])
def test_spelled_as_it_was_written(text: str) -> None:
    """A length of time is shown again as it was written."""
    length = parse(text)
    assert length is not None
    assert format_exactly(length) == text


def test_spelled_in_the_largest_unit() -> None:
    """A day is a day, however it was written."""
    assert format_exactly(timedelta(hours=24)) == "1d"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.9, "59s"), (60, "1m"), (7199, "1h"), (86399, "23h"), (86400, "1d"), (10**7, "115d")]
)
def test_roughly(seconds: float, text: str) -> None:
    """For people: the largest unit of which there is one at least, rounded down."""
    assert format_roughly(timedelta(seconds=seconds)) == text
