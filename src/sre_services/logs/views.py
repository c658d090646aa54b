"""The order and the summary of records in an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from sre_services.answer import Answer, format_time
from sre_services.cursor import count_back_from, current_cursor
from sre_services.logs.counts import total
from sre_services.logs.model import LogFilter, LogStore
from sre_services.logs.pattern import Pattern
from sre_services.parameters import describe_unknown_service, match_names
from sre_services.timespan import LONGEST, Window

MOST_RECORDS = 200
"""More records than any answer can hold: an answer is cut by its size, and the next one continues."""


def newest_matches(store: LogStore, where: LogFilter, note: str, more: str) -> Answer:
    """Return the newest records that match, with counts over all that do.

    `more` is the argument that continues: {start} and {end} are filled in.
    """
    records = store.records(where, limit=current_cursor().shown + MOST_RECORDS, newest_first=True)
    groups = store.count(where, ["service", "level", "source"]) if records else ()
    by_service, by_level, by_source = Counter[str](), Counter[str](), Counter[str]()
    for group in groups:
        by_service[group.key[0]] += group.count
        by_level[group.key[1]] += group.count
        by_source[group.key[2]] += group.count
    summary = {"records": total(groups), "by_service": dict(by_service.most_common(30)), "by_level": dict(by_level.most_common())}
    if any(by_source):
        summary["by_source"] = dict(by_source)

    def more_from(kept: int) -> str:
        end = records[min(kept, len(records) - 1)].time
        argument = more.format(start=format_time(where.window.start), end=format_time(end))
        return f"Ask with {argument} for earlier ones, or narrow the question."

    return Answer(
        as_of=store.as_of,
        items=records,
        total=total(groups),
        summary=summary,
        window=where.window,
        note="" if records else note,
        unread=store.describe_unread(where),
        more=more_from,
    )


def newest_records(store: LogStore, services: tuple[str, ...], limit: int, note: str) -> Answer:
    """Return the newest records of these services, of any age. Counts are over these records, and the answer says so."""
    until = count_back_from(store.as_of)
    where = LogFilter(window=Window(until - LONGEST, until), services=services)
    records = store.records(where, limit=limit, newest_first=True)
    if len(records) == limit:
        note = f"The summary counts these {limit} records only: ask search_logs or count_log_events for the counts of a time."
    summary = {
        "records": len(records),
        "by_service": dict(Counter(record.service for record in records).most_common(30)),
        "by_level": dict(Counter(record.level for record in records).most_common()),
    }
    return Answer(
        as_of=store.as_of,
        items=records,
        summary=summary,
        window=Window(records[-1].time if records else until, until),
        note="" if 0 < len(records) < limit else note,
        unread=store.describe_unread(where, newest=limit),
        more=lambda kept: f"Ask with limit={kept} for fewer, or narrow the question.",
    )


def select_services(store: LogStore, where: LogFilter, service: str) -> LogFilter:
    """Narrow a filter to the services that a name means."""
    return replace(where, services=tuple(match_names(store.services(), service)))


def describe_no_records(store: LogStore, service: str, otherwise: str) -> str:
    """Explain an empty answer: the service is unknown, or it wrote nothing."""
    known: Sequence[str] = store.services()
    return otherwise if not service or match_names(known, service) else describe_unknown_service(known, service)


def describe_no_templates(min_occurrences: int) -> str:
    """Explain an answer without templates, and how to find some."""
    return f"No pattern occurs {min_occurrences} times in this window. Lower min_occurrences or widen time_window."


def too_slow_fault(pattern: Pattern) -> dict[str, str]:
    """Describe a pattern whose search was given up, and what to ask instead."""
    return {
        "parameter": "pattern",
        "message": "takes too long on what was logged",
        "given": str(pattern),
        "do": "Search for plain words, with fewer of * + {, or in a shorter time.",
    }
