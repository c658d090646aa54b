"""A log store for systems that can't count: records are fetched for a window and some services, and counted here."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from sre_core import clock
from sre_services.logs.counts import count_buckets, count_groups
from sre_services.logs.model import Attribute, Group, LogFilter, LogRecord
from sre_services.logs.selection import select_records

# One answer shows records and counts them: both are of the same fetch.
_REMEMBERED_SECONDS = 5.0
type Parts = Sequence[Sequence[LogRecord]]


class FetchedLogs(ABC):
    """Selects and counts what `fetch` returns."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[float, Parts]] = {}

    @property
    def as_of(self) -> datetime:
        return clock.now()

    @abstractmethod
    def services(self) -> Sequence[str]:
        """Return the names of the services that have logs."""

    @abstractmethod
    def fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Parts:
        """Fetch the records of some services in the filter's window, in parts that are ordered by time.

        What the filter does not want may be left out already. With `newest` no more than so many of each part are looked at.
        """

    def records(self, where: LogFilter, *, limit: int | None = None, newest_first: bool = False) -> list[LogRecord]:
        # Where nothing is filtered, the newest are enough.
        enough = limit if newest_first and where.levels is None and where.pattern is None and not where.expression else None
        return list(islice(self._select(where, newest_first=newest_first, newest=enough), limit))

    def count(self, where: LogFilter, by: Sequence[Attribute] = ()) -> list[Group]:
        return count_groups(self._select(where), by)

    def histogram(self, where: LogFilter, buckets: int) -> list[int]:
        return count_buckets(self._select(where), where.window, buckets)

    def _select(self, where: LogFilter, *, newest_first: bool = False, newest: int | None = None) -> Iterator[LogRecord]:
        services = tuple(self.services()) if where.services is None else where.services
        return select_records(self._fetch(where, services, newest), where, newest_first=newest_first)

    def _fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Parts:
        key, now = (where, tuple(services), newest), time.monotonic()
        self._kept = {each: kept for each, kept in self._kept.items() if kept[0] > now}
        if key not in self._kept:
            self._kept[key] = (now + _REMEMBERED_SECONDS, self.fetch(where, services, newest))
        return self._kept[key][1]
