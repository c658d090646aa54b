"""How records are ordered and summarised for an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sre_services.answer import Answer, format_time
from sre_services.logs.model import LogRecord, LogStore
from sre_services.logs.search import Pattern
from sre_services.naming import describe_unknown_service, match_names
from sre_services.timespan import Window


def newest_first_answer(store: LogStore, lines: Sequence[LogRecord], window: Window, note: str, more: str) -> Answer:
    """The records with counts over all of them. `more` is the argument that continues: {start}, {end}, {kept} are filled in."""
    items = lines[::-1]
    summary = {
        "records": len(lines),
        "by_service": dict(Counter(line.service for line in lines).most_common(30)),
        "by_level": Counter(line.level for line in lines),
    }

    def continued(kept: int) -> str:
        end = items[min(kept, len(items) - 1)].time
        argument = more.format(start=format_time(window.start), end=format_time(end), kept=kept)
        return f"Ask with {argument} for earlier ones, or narrow the question."

    return Answer(as_of=store.as_of, items=items, summary=summary, window=window, note=note, more=continued)


def describe_no_records(store: LogStore, service: str, lines: Sequence[LogRecord], otherwise: str) -> str:
    """What an empty answer means: an unknown service, or silence."""
    if lines:
        return ""
    return otherwise if not service or match_names(store.services(), service) else describe_unknown_service(store.services(), service)


def describe_no_patterns(min_occurrences: int) -> str:
    """How patterns can be found where none were."""
    return f"No pattern occurs {min_occurrences} times in this window. Lower min_occurrences or widen time_window."


def too_slow_fault(pattern: Pattern) -> dict[str, str]:
    """What is wrong with a pattern whose search was given up, and what to ask instead."""
    return {
        "parameter": "pattern",
        "message": "takes too long on what was logged",
        "given": str(pattern),
        "do": "Search for plain words, with fewer of * + {, or in a shorter time.",
    }
