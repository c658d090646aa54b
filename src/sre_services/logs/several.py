"""Logs of several sources as one: records in order of time, and counts added up. A log that two of them have counts twice."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from sre_services.logs.model import Attribute, Group, LogFilter, LogRecord, LogStore
from sre_services.logs.selection import BY_TIME
from sre_services.sources.several import Named, Several


class SeveralLogs(Several[LogStore]):
    """A LogStore over the sources; each filters, orders and limits by itself."""

    @property
    def as_of(self) -> datetime:
        return max(each.provider.as_of for each in self.sources)

    def services(self) -> list[str]:
        return sorted({service for _, found in self.ask(lambda store: store.services()) for service in found})

    def records(self, where: LogFilter, *, limit: int | None = None, newest_first: bool = False) -> list[LogRecord]:
        found = self.ask(lambda store: store.records(where, limit=limit, newest_first=newest_first))
        parts = [[replace(record, source=name) for record in records] if name else records for name, records in found]
        return list(islice(heapq.merge(*parts, key=BY_TIME, reverse=newest_first), limit))

    def count(self, where: LogFilter, by: Sequence[Attribute] = ()) -> list[Group]:
        found = self.ask(lambda store: store.count(where, by))
        return _add_up(_label(group, by, name) for name, groups in found for group in groups)

    def histogram(self, where: LogFilter, buckets: int) -> list[int]:
        found = self.ask(lambda store: store.histogram(where, buckets))
        return [sum(counts) for counts in zip(*(counts for _, counts in found), strict=True)]

    def describe_unread(self, where: LogFilter, *, newest: int | None = None) -> str:
        found = self.ask(lambda store: store.describe_unread(where, newest=newest))
        return " ".join(f"{name}: {text}" if name else text for name, text in found if text)


def join_sources(sources: Sequence[Named[LogStore]]) -> SeveralLogs:
    """Join the sources of logs."""
    return SeveralLogs(sources)


def _label(group: Group, by: Sequence[Attribute], name: str) -> Group:
    """Put the source's name where a count is asked for by source."""
    return replace(group, key=tuple(name if attribute == "source" else part for attribute, part in zip(by, group.key, strict=True)))


def _add_up(groups: Iterable[Group]) -> list[Group]:
    by_key: dict[tuple[str, ...], list[Group]] = defaultdict(list)
    for group in groups:
        by_key[group.key].append(group)
    return [
        Group(
            key=key,
            count=sum(group.count for group in several),
            first=min(group.first for group in several),
            last=max(group.last for group in several),
        )
        for key, several in by_key.items()
    ]
