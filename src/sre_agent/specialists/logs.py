"""The Logs specialist: templates, errors, warnings, and their numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace

from sre_agent.calls import Answers, ToolCall
from sre_agent.evidence import Answer
from sre_agent.observations import ErrorCount, LogLine, Observations
from sre_agent.reading import Json, items, moment, text, whole
from sre_agent.scope import Scope
from sre_agent.specialists.gaps import record_answers
from sre_agent.tools import Tools

MOST_SUSPECTS = 2  # services whose own errors are read where the list of all errors was cut
PAGED = ("analyze_log_patterns", "count_log_events")


def plan(scope: Scope) -> Iterator[ToolCall]:
    """Plan the calls for the templates of all records, the errors and warnings themselves, and the number of errors by service."""
    yield ToolCall("analyze_log_patterns", {"time_window": scope.window, "min_occurrences": 1})
    yield ToolCall("get_error_logs", {"since": scope.window})
    yield ToolCall("search_logs", {"start_time": scope.start, "end_time": scope.end, "log_level": "WARN"})
    yield ToolCall("count_log_events", {"event_type": "error", "time_window": scope.recent, "group_by": "service"})


def parse(answers: Answers) -> Observations:
    """Parse the answers."""
    patterns, errors, warnings, counts = (
        answers[name] for name in ("analyze_log_patterns", "get_error_logs", "search_logs", "count_log_events")
    )
    lines = (*parse_templates(patterns), *parse_records(errors), *parse_records(warnings))
    return record_answers(patterns, searches=(errors, warnings, counts)) + Observations(
        logs=lines, error_counts=tuple(parse_error_counts(counts))
    )


def sees_all_errors(answers: Iterable[Answer]) -> bool:
    """Return True where the list of all errors was read whole: then a service's own has nothing more."""
    return any(answer.tool.endswith("get_error_logs") and not answer.failure and not answer.truncated for answer in answers)


async def observe_errors(tools: Tools, scope: Scope, services: tuple[str, ...]) -> Observations:
    """Observe the errors of single services, because the overview may be cut or show only templates."""
    answers = await asyncio.gather(*(tools.call("get_error_logs", since=scope.window, service=service) for service in services))
    return record_answers(searches=tuple(answers)) + Observations(logs=tuple(line for answer in answers for line in parse_records(answer)))


def parse_templates(answer: Answer) -> Iterator[LogLine]:
    """Parse the patterns of `analyze_log_patterns`: each is its example, with the number of records."""
    for item, source in items(answer):
        at = moment(item, "first_seen")
        yield LogLine(
            at=at,
            service=text(item, "service"),
            level=text(item, "level"),
            message=_with_cause(item, text(item, "example") or text(item, "template")),
            count=whole(item, "count") or 1,
            source=replace(source, happened=at),
        )


def parse_records(answer: Answer) -> Iterator[LogLine]:
    """Parse records, in the order of the answer: newest first."""
    for item, source in items(answer):
        at = moment(item, "time")
        line = f"{text(item, 'time')} {text(item, 'service')} {text(item, 'pod')} {text(item, 'message')}"
        yield LogLine(
            at=at,
            service=text(item, "service"),
            level=text(item, "level"),
            message=_with_cause(item, text(item, "message")),
            source=replace(source, text=line, happened=at),
        )


def _with_cause(item: Json, message: str) -> str:
    """Add the exception and its innermost cause where a long trace was cut before them."""
    missing = [found for key in ("exception", "cause") if (found := text(item, key)) and found not in message]
    return "\n".join([message, *dict.fromkeys(missing)])


def parse_error_counts(answer: Answer) -> Iterator[ErrorCount]:
    """Parse the services of `count_log_events`."""
    for item, source in items(answer):
        yield ErrorCount(
            service=text(item, "group"),
            count=whole(item, "count") or 0,
            count_before=whole(item, "count_before") or 0,
            first_seen=moment(item, "first_seen"),
            source=source,
        )
