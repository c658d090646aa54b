"""The operations on logs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from sre_services.answer import Answer, render_answer
from sre_services.error_responses import bad_arguments_response
from sre_services.logs import counts, templates, views
from sre_services.logs.model import ERROR_LEVELS, LogFilter, LogStore
from sre_services.logs.pattern import Pattern, TooSlow
from sre_services.parameters import CONTINUES, EndTime, Operation, Service, Since, StartTime, TimeWindow, accept_any_case, match_names
from sre_services.timespan import Moment, Span, Window


async def _store(request: Request) -> LogStore:
    found: LogStore = request.app.state.provider
    return found


Provider = Annotated[LogStore, Depends(_store)]
Searched = Annotated[
    Pattern,
    Query(
        description="Words or a simple regular expression, in any case: 'connection refused', 'timeout|deadline'. Default: every record."
    ),
]
LogLevel = Annotated[
    Literal["all", "FATAL", "ERROR", "WARN", "INFO", "DEBUG"],
    accept_any_case("all", "FATAL", "ERROR", "WARN", "INFO", "DEBUG"),
    Query(description="Records of exactly this level."),
]
MinOccurrences = Annotated[int, Query(ge=1, le=10_000, description="Patterns seen less often than this are left out.")]
Limit = Annotated[int, Query(ge=1, le=500, description="At most this many records.")]
EventType = Annotated[counts.Kind, accept_any_case(*counts.KINDS), Query(description="The kind of records to count, by level or words.")]
GroupBy = Annotated[
    Literal["service", "level", "pod", "time"],
    accept_any_case("service", "level", "pod", "time"),
    Query(description="What the counts are for; 'time' gives a histogram."),
]

router = APIRouter(route_class=Operation, dependencies=CONTINUES)


@router.get("/logs/search", operation_id="search_logs", summary="Search the log records of all services")
def search_logs(
    store: Provider,
    pattern: Searched = Pattern(""),  # noqa: B008 - immutable, here and below
    start_time: StartTime = Moment("1h"),  # noqa: B008
    end_time: EndTime = Moment("now"),  # noqa: B008
    log_level: LogLevel = "all",
) -> Response:
    """Records that have the pattern in their message, pod or service, newest first, with counts by service and level over
    all that were found."""
    window = Window.between(start_time.at(store.as_of), end_time.at(store.as_of), store.as_of)
    levels = None if log_level == "all" else frozenset({log_level})
    where = LogFilter(window=window, levels=levels, pattern=pattern if pattern.text else None)
    try:
        found = views.newest_matches(store, where, "No record matches in this window.", "end_time={end}")
        return render_answer(replace(found, note=" ".join(filter(None, (found.note, pattern.note)))))
    except TooSlow:
        return bad_arguments_response([views.too_slow_fault(pattern)])


@router.get("/logs/errors", operation_id="get_error_logs", summary="Errors that services logged, newest first")
def get_error_logs(store: Provider, since: Since = Span("1h"), service: Service = "") -> Response:  # noqa: B008
    """Records of level ERROR and FATAL, newest first, stack traces included, with counts by service."""
    where = views.select_services(store, LogFilter(window=since.until(store.as_of), levels=ERROR_LEVELS), service)
    note = views.describe_no_records(store, service, "No errors were logged in this window.")
    return render_answer(views.newest_matches(store, where, note, "since={start}/{end}"))


@router.get("/logs/patterns", operation_id="analyze_log_patterns", summary="Log records grouped into templates")
def analyze_log_patterns(store: Provider, time_window: TimeWindow = Span("1h"), min_occurrences: MinOccurrences = 2) -> Response:  # noqa: B008
    """Records that differ only in numbers and names as one template with its count, the count in the equally long window before
    (is_new: none there; absent if nothing is known of that time), level, service, first and last time, and an example. Errors
    first, then warnings; new ones before others, the most frequent of each service before its others."""
    where = LogFilter(window=time_window.until(store.as_of))
    now, before = store.records(where), store.records(where.before())
    found = templates.find_templates(now, before, min_occurrences)
    summary = {
        "records": len(now),
        "records_before": len(before),
        "patterns": len(found),
        "new": sum(1 for template in found if template.is_new),
    }
    note = "" if found else views.describe_no_templates(min_occurrences)
    more = "Ask for a shorter time_window, or a higher min_occurrences."
    unread = store.describe_unread(where)
    return render_answer(Answer(as_of=store.as_of, items=found, summary=summary, window=where.window, note=note, unread=unread, more=more))


@router.get("/logs/recent", operation_id="get_recent_logs", summary="The newest log records")
def get_recent_logs(store: Provider, limit: Limit = 50, service: Service = "") -> Response:
    """Return the last records, newest first, of one service or of all."""
    note = views.describe_no_records(store, service, "Nothing was logged.")
    return render_answer(views.newest_records(store, tuple(match_names(store.services(), service)), limit, note))


@router.get("/logs/counts", operation_id="count_log_events", summary="How many log records of a kind there are")
def count_log_events(
    store: Provider,
    event_type: EventType = "error",
    time_window: TimeWindow = Span("1h"),  # noqa: B008
    group_by: GroupBy = "service",
) -> Response:
    """Counts of records of one kind by service, level, pod or time, beside the count in the equally long window before."""
    where = counts.select_kind(LogFilter(window=time_window.until(store.as_of)), event_type)
    found = counts.count_over_time(store, where) if group_by == "time" else counts.count_by(store, where, group_by)
    summary = {"count": found.count, "count_before": found.count_before, "event_type": event_type, "group_by": group_by}
    note = "" if found.count else f"No record of kind {event_type} in this window."
    return render_answer(
        Answer(as_of=store.as_of, items=found.items, summary=summary, window=where.window, note=note, unread=store.describe_unread(where))
    )
