"""Kinds of records, and counts of them by what they have in common and over time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal, get_args

from sre_services.logs.model import ERROR_LEVELS, Attribute, Group, LogFilter, LogRecord, LogStore
from sre_services.timespan import Window

_BUCKETS = 24

# Not a `type` statement: pydantic would refer to it as a schema of its own, which AgentCore need not find.
Kind = Literal[
    "all", "error", "warning", "timeout", "connection", "out_of_memory", "startup", "shutdown", "http_5xx", "dns", "garbage_collection"
]
KINDS: tuple[str, ...] = get_args(Kind)
_LEVELS = {"error": ERROR_LEVELS, "warning": frozenset({"WARN"})}
_EXPRESSIONS = {
    "timeout": r"time[d-]?\s?-?out|deadline exceeded",
    "connection": r"connection|connect\b|dial tcp|refused|reset by peer|broken pipe|unreachable",
    "out_of_memory": r"out of memory|\boom\b|oomkill|outofmemory|cannot allocate",
    "startup": r"\bstart(?:ing|ed|up)\b|listening on|\bready\b",
    "shutdown": r"shutting down|shutdown|sigterm|terminat|exiting",
    "http_5xx": r"\b50[0234]\b|\bstatus[=: ]+5\d\d\b",
    "dns": r"no such host|name resolution|nxdomain|\blookup\b",
    "garbage_collection": r"\bgc\b|garbage|heap",
}


@dataclass(frozen=True, kw_only=True)
class Count:
    """The number of records of a group now, and in the window before."""

    group: str
    count: int
    count_before: int
    first_seen: datetime | None
    last_seen: datetime | None


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """The number of records from `start` until the next bucket."""

    start: datetime
    count: int


@dataclass(frozen=True)
class Counts:
    """Counts, and their sums now and in the window before."""

    items: Sequence[Count | Bucket]
    count: int
    count_before: int


def select_kind(where: LogFilter, kind: str) -> LogFilter:
    """Narrow a filter to records of one kind, by their level or by their words. One record may be of several kinds."""
    return replace(where, levels=_LEVELS.get(kind), expression=_EXPRESSIONS.get(kind, ""))


def count_by(store: LogStore, where: LogFilter, attribute: Attribute) -> Counts:
    """Count by service, level or pod, the most frequent first. A group that wrote only in the window before is there with 0."""
    now, before = (_by_name(store.count(part, [attribute])) for part in (where, where.before()))
    names = sorted({*now, *before}, key=lambda name: (-_size(now, name), name))
    items = [_count(name, now.get(name), before.get(name)) for name in names]
    return Counts(items, total(now.values()), total(before.values()))


def count_over_time(store: LogStore, where: LogFilter) -> Counts:
    """Count in equal parts of the window, oldest first; no parts when no record matches."""
    counts = store.histogram(where, _BUCKETS)
    step = _bucket_length(where.window, _BUCKETS)
    items = [Bucket(start=where.window.start + step * number, count=count) for number, count in enumerate(counts)]
    return Counts(items if any(counts) else [], sum(counts), total(store.count(where.before())))


def total(groups: Iterable[Group]) -> int:
    """Return the number of records of all groups."""
    return sum(group.count for group in groups)


def count_groups(records: Iterable[LogRecord], by: Sequence[Attribute]) -> list[Group]:
    """Count records that a provider has at hand, for `LogStore.count`."""
    groups: dict[tuple[str, ...], list[datetime]] = defaultdict(list)
    keys = [attrgetter(attribute) for attribute in by]
    for record in records:
        groups[tuple(key(record) for key in keys)].append(record.time)
    return [Group(key=key, count=len(times), first=min(times), last=max(times)) for key, times in groups.items()]


def count_buckets(records: Iterable[LogRecord], window: Window, buckets: int) -> list[int]:
    """Count records that a provider has at hand, for `LogStore.histogram`."""
    step, counts = _bucket_length(window, buckets), [0] * buckets
    for record in records:
        counts[min(int((record.time - window.start) / step), buckets - 1)] += 1
    return counts


def _bucket_length(window: Window, buckets: int) -> timedelta:
    return max(window.length / buckets, timedelta(seconds=1))


def _by_name(groups: Iterable[Group]) -> dict[str, Group]:
    return {group.key[0]: group for group in groups}


def _size(groups: Mapping[str, Group], name: str) -> int:
    return groups[name].count if name in groups else 0


def _count(name: str, now: Group | None, before: Group | None) -> Count:
    return Count(
        group=name or "(unknown)",
        count=now.count if now else 0,
        count_before=before.count if before else 0,
        first_seen=now.first if now else None,
        last_seen=now.last if now else None,
    )
