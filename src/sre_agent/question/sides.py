"""The two times that a question compares: "10:00 and 12:00", "now with yesterday", "slower than an hour ago"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sre_agent.question.times import WEEKDAYS, parse_period

AROUND = timedelta(minutes=15)  # before and after a moment
LENGTH = timedelta(hours=1)  # of a time that is only called now, yesterday, or an hour ago
_NO_TIME = timedelta(0)

_CLOCK = r"\d{1,2}:\d\d|\d{1,2} ?(?:am|pm)\b|noon\b|midnight\b"
_DAY = rf"yesterday\b|last (?:week|{'|'.join(WEEKDAYS)})\b|(?:{'|'.join(WEEKDAYS)})\b"
_PART = r"last night\b|this morning\b"
_AGO = r"(?:an?|\d+|one|two|three|few|couple of) (?:min(?:ute)?s?|h(?:(?:ou)?rs?)?|days?|weeks?) (?:ago|earlier)\b"
_BEFORE = r"the (?:\w+ )?(?:hours?|days?|weeks?|minutes) before\b|the (?:previous|prior|preceding) (?:hour|day|week)\b"
_NOW = r"now\b|today\b|currently\b|at the moment\b"
TIME = rf"(?:{_CLOCK}|{_DAY}|{_PART}|{_AGO}|{_BEFORE}|{_NOW})"
AROUND_MOMENT = rf"(?:before and after|after and before) (?:the )?(?:{_CLOCK})"

_DIVIDES = re.compile(r"\b(?:and|with|to|vs|versus|than|against|between|from)\b", re.I)
_RANGE = re.compile(r"(?<![\d:])(\d{1,2}:\d\d) ?- ?(\d{1,2}:\d\d)(?![\d:])")


@dataclass(frozen=True, order=True)
class Side:
    """One of the two times; `to_come` where it is now instead of a time of the clock that has not come yet."""

    start: datetime
    end: datetime
    to_come: bool = False

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%H:%M}"


def parse_sides(text: str, now: datetime) -> tuple[Side, Side]:
    """Parse the two times that a text compares, the earlier first. Where it names one, the other is now; where none, the hour before."""
    if re.search(AROUND_MOMENT, text, re.I) and (moment := _read_clock(text, now)):
        middle = moment.start + AROUND
        length = max(min(LENGTH, now - middle), AROUND)
        return Side(middle - length, middle), Side(middle, middle + length)
    parts = [part.strip() for part in _DIVIDES.split(_RANGE.sub(r"\1/\2", text)) if part.strip()]
    found = [time for part in parts if (time := _read(part, now)) is not None][:2]
    precedes = len(found) < 2 and (not found or bool(re.search(r"\bbefore\b|\bprevious\b|\bprior\b", text, re.I)))
    times = [*found, _NO_TIME, _NO_TIME][:2]
    length = _find_length(parts, times, now)
    first, second = (time if isinstance(time, Side) else Side(now - time - length, now - time) for time in times)
    if precedes:
        first = Side(second.start - (second.end - second.start), second.start)
    elif _is_to_come(first, second):
        second = Side(now - length, now, to_come=True)
    return _part(min(first, second), max(first, second))


def _part(first: Side, second: Side) -> tuple[Side, Side]:
    """Return both times without what they have in common: where they meet, the middle divides them."""
    if first.end <= second.start:
        return first, second
    middle = second.start + (first.end - second.start) / 2
    return replace(first, end=middle), replace(second, start=middle)


def _read(text: str, now: datetime) -> Side | timedelta | None:
    """Read one time: placed by a clock, or how long before now."""
    if re.search(_CLOCK, text, re.I):
        return _read_clock(text, now)
    if re.search(_PART, text, re.I) and (found := parse_period(text, now)) and found.start:
        return Side(found.start, found.end or now)
    if re.search(rf"\b(?:{_AGO})", text, re.I) and (found := parse_period(text, now)):
        return found.length
    if day := re.search(rf"\b(?:{_DAY})", text, re.I):
        return _count_back(day[0].lower(), now)
    return _NO_TIME if re.search(rf"\b(?:{_NOW}|(?:last|past) (?:\w+ )?(?:hours?|minutes?|days?))", text, re.I) else None


def _read_clock(text: str, now: datetime) -> Side | None:
    if given := re.search(r"(\d{1,2}:\d\d)/(\d{1,2}:\d\d)", text):
        found = parse_period(text.replace(given[0], f" from {given[1]} to {given[2]} "), now)
        return Side(found.start, min(found.end, now)) if found and found.start and found.end else None
    found = parse_period(re.sub(rf"(?:\bat |\baround )?({_CLOCK})", r" at \1", text, count=1, flags=re.I), now)
    return Side(found.start - AROUND, min(found.start + AROUND, now)) if found and found.start else None


def _count_back(day: str, now: datetime) -> timedelta:
    if day == "yesterday":
        return timedelta(days=1)
    if day == "last week":
        return timedelta(days=7)
    return timedelta(days=(now.weekday() - WEEKDAYS.index(day.removeprefix("last "))) % 7 or 7)


def _find_length(parts: Sequence[str], times: Sequence[Side | timedelta], now: datetime) -> timedelta:
    """Find how long a time is that only says how long ago it was: as long as the other, or as is said, and without overlap."""
    placed = [time for time in times if isinstance(time, Side)]
    if placed:
        return min(placed[0].end - placed[0].start, LENGTH)
    lasts = (parse_period(part, now) for part in parts if not re.search(_AGO, part, re.I))
    said = next((last.length for last in lasts if last and last.length), LENGTH)
    return min([said, *(time for time in times if isinstance(time, timedelta) and time)])


def _is_to_come(first: Side, second: Side) -> bool:
    """Return True for 10:00 and 12:00 at half past ten: a time of the clock that has not come yet is read as that of the day before."""
    clocks = second.end - second.start == first.end - first.start == 2 * AROUND
    return clocks and second < first and second.start.time() > first.start.time() and first.start - second.start < timedelta(days=1)
