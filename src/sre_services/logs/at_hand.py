"""A log store for systems that can't count: records are fetched for a window and some services, and counted here."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import ClassVar

from sre_core import clock
from sre_services.logs.counts import count_buckets, count_groups
from sre_services.logs.model import Attribute, Group, LogFilter, LogRecord
from sre_services.logs.selection import select_records


@dataclass(frozen=True)
class Fetched:
    """Records in parts that are ordered by time, the names of the logs that have more in the window, and why others can't be read."""

    parts: Sequence[Sequence[LogRecord]]
    cut: Collection[str] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)


class FetchedLogs(ABC):
    """Selects and counts what `fetch` returns. `MOST` says how much of one log is read at most."""

    MOST: ClassVar[str]
    REMEMBERED_SECONDS: ClassVar[float] = 5.0
    """One answer shows records and counts them: both are of the same fetch."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], tuple[float, Fetched]] = {}

    @property
    def as_of(self) -> datetime:
        return clock.now()

    @abstractmethod
    def services(self) -> Sequence[str]:
        """Return the names of the services that have logs."""

    @abstractmethod
    def fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Fetched:
        """Fetch the records of some services in the filter's window.

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

    def describe_unread(self, where: LogFilter, *, newest: int | None = None) -> str:
        fetched = self._fetch(where, self._services(where), newest)
        cut = "" if newest else ", ".join(sorted(fetched.cut))
        unreadable = ", ".join(f"{name} ({why})" for name, why in sorted(fetched.unreadable.items()))
        parts = (
            f"Only the newest {self.MOST} were read of {cut}, so counts are too low: ask for a shorter time or one service." if cut else "",
            f"What these have is missing, because they can't be read: {unreadable}." if unreadable else "",
        )
        return " ".join(filter(None, parts))

    def _services(self, where: LogFilter) -> tuple[str, ...]:
        return tuple(self.services()) if where.services is None else where.services

    def _select(self, where: LogFilter, *, newest_first: bool = False, newest: int | None = None) -> Iterator[LogRecord]:
        return select_records(self._fetch(where, self._services(where), newest).parts, where, newest_first=newest_first)

    def _fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Fetched:
        key = (where, tuple(services), newest)
        kept = self._kept.get(key)
        if kept is None or kept[0] < time.monotonic():
            fetched = self.fetch(where, services, newest)
            now = time.monotonic()
            kept = (now + self.REMEMBERED_SECONDS, fetched)
            # Other threads may be reading what is kept.
            self._kept = {each: other for each, other in self._kept.items() if other[0] > now} | {key: kept}
        return kept[1]
