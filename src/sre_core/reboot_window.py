"""The time of a week in which a machine may restart (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
PATTERN = rf"(?:(?:{'|'.join(DAYS)}) )?(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:[01][0-9]|2[0-3]):[0-5][0-9]"
SHORTEST = timedelta(minutes=30)


@dataclass(frozen=True)
class RebootWindow:
    """A window in UTC: on one day of the week, or on each day where `day` is empty. It may end after midnight."""

    day: str
    begins: timedelta
    length: timedelta

    @classmethod
    def parse(cls, text: str) -> RebootWindow | None:
        """Parse `Sun 03:00-04:00`, or `03:00-04:00` for each day; None for any other text and for one that is too short to update in."""
        if not re.fullmatch(PATTERN, text):
            return None
        day, _, hours = text.rpartition(" ")
        begins, ends = (timedelta(hours=int(hour), minutes=int(minute)) for hour, minute in (each.split(":") for each in hours.split("-")))
        length = (ends - begins) % timedelta(days=1)
        return cls(day, begins, length) if length >= SHORTEST else None

    def includes(self, now: datetime) -> bool:
        """Return True if a time in UTC is within it."""
        return now < self._begin_before(now) + self.length

    def next_begin(self, now: datetime) -> datetime:
        """Return the first time after now at which it begins."""
        return self._begin_before(now) + timedelta(days=7 if self.day else 1)

    def _begin_before(self, now: datetime) -> datetime:
        """Return the last time until now at which it began."""
        begin = now.replace(hour=0, minute=0, second=0, microsecond=0) + self.begins
        if self.day:
            begin += timedelta(days=DAYS.index(self.day) - begin.weekday())
        every = timedelta(days=7 if self.day else 1)
        return begin if begin <= now else begin - every
