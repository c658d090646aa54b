"""The Logs specialist: what the services say is wrong, in their own words, and since when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from sre_agent.evidence import Answer
from sre_agent.observations import ErrorCount, LogLine, Observations
from sre_agent.reading import items, moment, text, whole
from sre_agent.scope import Scope
from sre_agent.specialists.gaps import record_answers
from sre_agent.tools import Tools


async def observe(tools: Tools, scope: Scope) -> Observations:
    """Templates of all that was logged, the errors and warnings themselves, and how many there are."""
    patterns, errors, warnings, counts = await asyncio.gather(
        tools.call("analyze_log_patterns", time_window=scope.window, min_occurrences=1),
        tools.call("get_error_logs", since=scope.window),
        tools.call("search_logs", start_time=scope.start, end_time=scope.end, log_level="WARN"),
        tools.call("count_log_events", event_type="error", time_window=scope.recent, group_by="service"),
    )
    lines = (*templates(patterns), *records(errors), *records(warnings))
    return record_answers(patterns, searches=(errors, warnings, counts)) + Observations(
        logs=lines, error_counts=tuple(error_counts(counts))
    )


async def observe_errors_of(tools: Tools, scope: Scope, services: tuple[str, ...]) -> Observations:
    """The errors of single services, where the overview was cut or showed only templates."""
    answers = await asyncio.gather(*(tools.call("get_error_logs", since=scope.window, service=service) for service in services))
    return record_answers(searches=tuple(answers)) + Observations(logs=tuple(line for answer in answers for line in records(answer)))


def templates(answer: Answer) -> Iterator[LogLine]:
    """The patterns of `analyze_log_patterns`, each as its example with the number of lines it stands for."""
    for item, source in items(answer):
        at = moment(item, "first_seen")
        yield LogLine(
            at=at,
            service=text(item, "service"),
            level=text(item, "level"),
            message=text(item, "example") or text(item, "template"),
            count=whole(item, "count") or 1,
            source=replace(source, happened=at),
        )


def records(answer: Answer) -> Iterator[LogLine]:
    """Single records, oldest last, as the tools give them."""
    for item, source in items(answer):
        at = moment(item, "time")
        line = f"{text(item, 'time')} {text(item, 'service')} {text(item, 'pod')} {text(item, 'message')}"
        yield LogLine(
            at=at,
            service=text(item, "service"),
            level=text(item, "level"),
            message=text(item, "message"),
            source=replace(source, text=line, happened=at),
        )


def error_counts(answer: Answer) -> Iterator[ErrorCount]:
    """The services of `count_log_events`."""
    for item, source in items(answer):
        yield ErrorCount(
            service=text(item, "group"),
            count=whole(item, "count") or 0,
            count_before=whole(item, "count_before") or 0,
            first_seen=moment(item, "first_seen"),
            source=source,
        )
