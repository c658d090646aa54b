"""Select the records of a filter among those that a provider has at hand, ordered by time."""

from __future__ import annotations

import heapq
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

from sre_services.logs.model import LogFilter, LogRecord
from sre_services.timespan import Window

BY_TIME = attrgetter("time")
_SEARCHED = 2_000


def select_records(parts: Iterable[Sequence[LogRecord]], where: LogFilter, *, newest_first: bool = False) -> Iterator[LogRecord]:
    """Yield the records that match one by one, so that a limit ends the search. Each part is ordered by time."""
    inside = [_within(part, where.window) for part in parts]
    ordered = [part[::-1] for part in reversed(inside)] if newest_first else inside
    return filter(_predicate(where), heapq.merge(*ordered, key=BY_TIME, reverse=newest_first))


def _within(records: Sequence[LogRecord], window: Window) -> Sequence[LogRecord]:
    return records[bisect_left(records, window.start, key=BY_TIME) : bisect_right(records, window.end, key=BY_TIME)]


def _predicate(where: LogFilter) -> Callable[[LogRecord], bool]:
    """Make the test that a record must pass; a pattern gets its time limit here, for the whole search."""
    search = where.pattern.search() if where.pattern else None
    expression = re.compile(where.expression, re.IGNORECASE)

    def matches(record: LogRecord) -> bool:
        return (
            (where.levels is None or record.level in where.levels)
            and (not where.expression or expression.search(record.message[:_SEARCHED]) is not None)
            and (search is None or search.matches((record.message, record.pod, record.service)))
        )

    return matches
