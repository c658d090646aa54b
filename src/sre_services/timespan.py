"""Times and windows as people and models write them, parsed once at the edge of the API."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sre_core import clock
from sre_services import syntax
from sre_services.cursor import count_back_from
from sre_services.query_text import QueryText

_DURATION = re.compile(r"(?:-|last )?\s*(\d{1,6})\s*(s|m|h|d|w)[a-z]*", re.IGNORECASE)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class Window:
    """From `start` to `end`, both included."""

    start: datetime
    end: datetime

    @classmethod
    def between(cls, one: datetime, other: datetime, as_of: datetime) -> Window:
        """Return the window between two times, in either order, limited to a year around `as_of`."""
        nearest = [min(max(moment, as_of - LONGEST), as_of + LONGEST) for moment in (one, other)]
        return cls(min(nearest), max(nearest))

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment <= self.end

    def previous(self) -> Window:
        """Return the equally long window just before this one, for comparisons; no moment is in both."""
        return Window(self.start - self.length, self.start - timedelta(microseconds=1))

    def __str__(self) -> str:
        return f"{clock.stamp(self.start)}/{clock.stamp(self.end)}"


class Moment(QueryText):
    """A point in time: `2026-11-22T14:35:40Z`, `now`, or a duration before now such as `15m`."""

    SYNTAX = syntax.MOMENT

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._point = _parse_point(self.text)

    def at(self, as_of: datetime) -> datetime:
        """Resolve this moment relative to `as_of`, or to that of the answer which this one continues."""
        return count_back_from(as_of) - self._point if isinstance(self._point, timedelta) else self._point


class Span(QueryText):
    """A window: a duration until now (`15m`), a time until now, or `start/end` in ISO 8601."""

    SYNTAX = syntax.SPAN

    def __init__(self, text: str) -> None:
        super().__init__(text)
        start, _, end = self.text.partition("/")
        self._start, self._end = Moment(start), Moment(end or "now")

    def until(self, as_of: datetime) -> Window:
        """Resolve the window relative to `as_of`. If its end is before its start, they are swapped."""
        return Window.between(self._start.at(as_of), self._end.at(as_of), as_of)


def _parse_point(text: str) -> datetime | timedelta:
    if text.lower() == "now":
        return timedelta(0)
    if duration := _DURATION.fullmatch(text):
        # A duration longer than any data means everything; it is not an error.
        return min(timedelta(**{_UNITS[duration[2].lower()]: int(duration[1])}), LONGEST)
    try:
        return clock.parse(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text[:40]!r} is not a time: write a duration such as 15m or 2h, or ISO 8601 such as 2026-11-22T14:35:40Z"
        ) from None
