"""Counts of records by what they have in common, and over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter

from sre_services.logs.model import LogRecord
from sre_services.timespan import Window

_BUCKETS = 24


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many records a group has now, and had in the window before."""

    group: str
    count: int
    count_before: int
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """How many records there are from `start` until the next bucket."""

    start: datetime
    count: int


def count_by(attribute: str, now: Sequence[LogRecord], before: Sequence[LogRecord]) -> list[Count]:
    """Counts by service, level or pod, the most frequent first; groups that fell silent are there with 0."""
    key = attrgetter(attribute)
    current, earlier = Counter(map(key, now)), Counter(map(key, before))
    names = sorted({*current, *earlier}, key=lambda name: (-current[name], name))
    return [_count(name, [line.time for line in now if key(line) == name], earlier[name]) for name in names]


def count_over_time(now: Sequence[LogRecord], window: Window) -> list[Bucket]:
    """A histogram of equal parts of the window, oldest first; none when nothing was found."""
    if not now:
        return []
    step = max(window.length / _BUCKETS, timedelta(seconds=1))
    edges = [window.start + step * number for number in range(_BUCKETS + 1)]
    counts = Counter(min(int((line.time - window.start) / step), _BUCKETS - 1) for line in now)
    return [Bucket(start=start, count=counts[number]) for number, (start, _) in enumerate(pairwise(edges))]


def _count(name: str, times: Sequence[datetime], before: int) -> Count:
    first, last = (times[0], times[-1]) if times else (None, None)
    return Count(group=name or "(unknown)", count=len(times), count_before=before, first_seen=first, last_seen=last)
