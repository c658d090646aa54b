"""Recorded logs: one `logs/<service>.log` for each service."""

from __future__ import annotations

import heapq
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path

from sre_core.problem import Refused
from sre_services.logs.counts import count_buckets, count_groups
from sre_services.logs.kubectl_lines import parse_records
from sre_services.logs.model import Attribute, Group, LogFilter, LogRecord
from sre_services.recording import Recording, damaged_file_problem, recording_from
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

_TIME = attrgetter("time")
_SEARCHED = 2_000


class Recorded:
    """Holds the records of all services, ordered by time. A query looks only at those that it needs."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._records = {path.stem: self._read(path) for path in recording.files("logs/*.log")}

    @property
    def as_of(self) -> datetime:
        return self._recording.as_of

    def services(self) -> tuple[str, ...]:
        return tuple(self._records)

    def records(self, where: LogFilter, *, limit: int | None = None, newest_first: bool = False) -> list[LogRecord]:
        return list(islice(self._scan(where, newest_first=newest_first), limit))

    def count(self, where: LogFilter, by: Sequence[Attribute] = ()) -> list[Group]:
        return count_groups(self._scan(where), by)

    def histogram(self, where: LogFilter, buckets: int) -> list[int]:
        return count_buckets(self._scan(where), where.window, buckets)

    def _scan(self, where: LogFilter, *, newest_first: bool = False) -> Iterator[LogRecord]:
        """Yield the records that match one by one, so that a limit ends the search."""
        services = self.services() if where.services is None else where.services
        parts = [_within(self._records.get(service, ()), where.window) for service in services]
        ordered = [part[::-1] for part in reversed(parts)] if newest_first else parts
        return filter(_predicate(where), heapq.merge(*ordered, key=_TIME, reverse=newest_first))

    def _read(self, path: Path) -> tuple[LogRecord, ...]:
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
            return tuple(sorted(parse_records(text, path.stem, self._recording.shift_time), key=_TIME))
        except (ValueError, OverflowError) as fault:
            raise Refused(damaged_file_problem(path, f"A line does not begin with a time: {fault}.")) from None


def open_provider(settings: Settings) -> Recorded:
    """Read the logs of the recording that SRE_RECORDING names."""
    return Recorded(recording_from(settings.environment))


def _within(records: Sequence[LogRecord], window: Window) -> Sequence[LogRecord]:
    return records[bisect_left(records, window.start, key=_TIME) : bisect_right(records, window.end, key=_TIME)]


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
