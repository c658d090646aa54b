"""The time that a question names: a duration, a clock time, a day, or two instants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sre_core import clock

_COUNT = r"(?P<count>\d{1,4}|an?|one|two|three|four|five|six|ten|twelve|couple of|few|half an)"
_UNIT = r"(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?|w(?:eeks?)?)\b"
_AGO = re.compile(rf"\b(?:last|past|within|previous|recent|since)\s+(?:the\s+)?(?:{_COUNT}\s*)?{_UNIT}", re.I)
_EARLIER = re.compile(rf"\b{_COUNT}\s*{_UNIT}\s+(?:ago|back)\b", re.I)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)?", re.I)
_TIME = r"(?P<hour>[01]?\d|2[0-3])(?::(?P<minute>[0-5]\d))?\s*(?P<half>am|pm)?"
_CLOCK = re.compile(
    rf"\b(?P<word>since|after|from|around|at|before|between)\s+(?:about\s+)?(?:{_TIME}(?:\s*(?:utc|z))?(?![\w:.-])|(?P<noon>noon|midnight))",
    re.I,
)
_RANGE = re.compile(
    r"\b(?:between|from)\s+(?P<from>[0-2]?\d:[0-5]\d)\s*(?:utc|z)?\s*(?:and|to|until|till|-)\s*(?P<to>[0-2]?\d:[0-5]\d)", re.I
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = re.compile(
    rf"\b(?P<since>since\s+|from\s+)?(?P<last>last\s+|past\s+|on\s+)?(?P<day>{'|'.join(WEEKDAYS)}|yesterday|today|tonight|night|"
    r"(?:this\s+)?morning|(?:this\s+)?afternoon|(?:this\s+)?week)\b",
    re.I,
)
# "Slower than yesterday" is about now: the day is what it is compared with.
_BASELINE = re.compile(
    r"\b(?:compared (?:to|with)|relative to|than|versus|vs)\s+(?:(?:it|they) (?:was|were)\s+)?(?:on\s+)?"
    rf"(?:yesterday|last (?:night|week|{'|'.join(WEEKDAYS)})|{'|'.join(WEEKDAYS)}|this morning|the (?:day|week) before"
    r"|an? (?:hour|day|week) ago)\b",
    re.I,
)
# "It began at 09:30" goes on from there; "what happened at 09:30" is over.
_BEGINS = re.compile(
    r"\b(?:began|begun|begins?|starts?|started|starting|broke|broken|since|still|keeps?|fails|failing|ongoing)\b|\b(?:has|have) been\b",
    re.I,
)
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "ten": 10, "twelve": 12}
_NUMBERS |= {"couple of": 2, "few": 3}
_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_DAY_LENGTH = timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """A length of time until now, or from `start`, or until `end`, or between both. `near`: `start` is a moment and not a beginning."""

    length: timedelta | None = None
    start: datetime | None = None
    end: datetime | None = None
    near: bool = False


def names_moment(text: str) -> bool:
    """Return True when the text names a time of a clock or a calendar, which only a clock can place."""
    return bool(_CLOCK.search(text) or _DAY.search(text) or _INSTANT.search(text))


def names_beginning(text: str) -> bool:
    """Return True when the text says of a moment that something began then, and not that it happened then."""
    return bool(_BEGINS.search(text))


def parse_period(text: str, now: datetime) -> Period | None:
    """Parse the time that a text names; None where it names none. `now` is the time of the tools."""
    text = _BASELINE.sub(" ", text)
    return _instants(text) or _duration(text) or _clock_range(text, now) or _day(text, now) or _clock_time(text, now)


def _instants(text: str) -> Period | None:
    found = []
    for written in _INSTANT.findall(text)[:2]:
        try:
            found.append(clock.parse(written.upper().replace(" ", "T")).astimezone(UTC))
        except ValueError:
            continue
    if len(found) == 2:
        return Period(start=min(found), end=max(found))
    return Period(start=found[0]) if found else None


def _duration(text: str) -> Period | None:
    found = _AGO.search(text) or _EARLIER.search(text)
    if found is None:
        return None
    count = (found["count"] or "1").lower()
    unit = _UNITS[found["unit"][0].lower()]
    return Period(length=unit / 2 if count == "half an" else int(_NUMBERS.get(count) or count) * unit)


def _clock_range(text: str, now: datetime) -> Period | None:
    found = _RANGE.search(text)
    if found is None:
        return None
    day = _day(text, now)
    base = day.start if day and day.start else now
    start, end = (_set_time(base, found[name]) for name in ("from", "to"))
    if not day and start > now:
        start, end = start - _DAY_LENGTH, end - _DAY_LENGTH
    return Period(start=start, end=end + _DAY_LENGTH if end < start else end)


def _clock_time(text: str, now: datetime) -> Period | None:
    found = _CLOCK.search(text)
    if found is None or not (found["noon"] or found["minute"] or found["half"]):
        return None
    moment = _of_clock(found, now)
    moment = moment - _DAY_LENGTH if moment > now else moment
    return Period(end=moment) if _is_end(found) else Period(start=moment, near=_is_near(found))


def _day(text: str, now: datetime) -> Period | None:
    found = _DAY.search(text)
    if found is None:
        return None
    start, length = _named_day(found["day"].lower().removeprefix("this ").strip(), bool(found["last"]), now)
    if length is None:
        return None
    at = _CLOCK.search(text)
    if at and (at["noon"] or at["minute"] or at["half"]) and length == _DAY_LENGTH:
        moment = _of_clock(at, start)
        return Period(start=start, end=moment) if _is_end(at) else Period(start=moment, near=_is_near(at))
    end = start + length
    return Period(start=start, end=None if found["since"] or end >= now else end)


def _is_end(found: re.Match[str]) -> bool:
    return found["word"].lower() == "before"


def _is_near(found: re.Match[str]) -> bool:
    return found["word"].lower() in {"at", "around"}


def _named_day(day: str, last: bool, now: datetime) -> tuple[datetime, timedelta | None]:
    """Return the start of a named day or part of a day, and how long it is; no length where the words name none."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if day in WEEKDAYS:
        return today - timedelta(days=(today.weekday() - WEEKDAYS.index(day)) % 7 or 7), _DAY_LENGTH
    if day == "night":
        return today - timedelta(hours=4), timedelta(hours=10) if last else None
    if day == "week":
        return today - timedelta(days=7 if last else today.weekday()), timedelta(days=7)
    starts = {"yesterday": -24, "today": 0, "morning": 5, "afternoon": 12, "tonight": 18}
    lengths = {"morning": timedelta(hours=7), "afternoon": timedelta(hours=6), "tonight": timedelta(hours=6)}
    return today + timedelta(hours=starts[day]), lengths.get(day, _DAY_LENGTH)


def _of_clock(found: re.Match[str], day: datetime) -> datetime:
    if found["noon"]:
        return day.replace(hour=12 if found["noon"].lower() == "noon" else 0, minute=0, second=0, microsecond=0)
    hour = int(found["hour"])
    if found["half"]:
        hour = hour % 12 + (12 if found["half"].lower() == "pm" else 0)
    return day.replace(hour=hour, minute=int(found["minute"] or 0), second=0, microsecond=0)


def _set_time(day: datetime, text: str) -> datetime:
    hour, minute = map(int, text.split(":"))
    return day.replace(hour=min(hour, 23), minute=minute, second=0, microsecond=0)
