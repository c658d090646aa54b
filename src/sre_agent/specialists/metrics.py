"""The Metrics specialist: error rates, availability, latency, resources, trends, and calls between services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sre_agent.calls import Answers, ToolCall
from sre_agent.evidence import Answer
from sre_agent.observations import Availability, Call, ErrorRate, Observations, Pulse, Trend, Usage
from sre_agent.reading import items, moment, number, objects, part, text, whole
from sre_agent.scope import Scope
from sre_agent.specialists.gaps import record_answers
from sre_agent.tools import Tools

PAGED = ("analyze_trends", "get_error_rates", "get_service_graph", "get_resource_metrics", "get_availability_metrics")


def plan(scope: Scope) -> Iterator[ToolCall]:
    """Plan the calls for error rates with the calls between services, availability, memory and CPU, and what is not steady."""
    yield ToolCall("get_error_rates", {"time_window": scope.recent})
    yield ToolCall("get_availability_metrics", {"time_window": scope.window})
    yield ToolCall("get_resource_metrics", {"resource_type": "all", "time_window": scope.window})
    yield ToolCall("analyze_trends", {"metric_name": "all", "time_window": scope.window})
    yield ToolCall("get_service_graph", {"time_window": scope.window})


def parse(answers: Answers) -> Observations:
    """Parse the answers."""
    errors, up, resources = (answers[name] for name in ("get_error_rates", "get_availability_metrics", "get_resource_metrics"))
    changes, graph = answers["analyze_trends"], answers["get_service_graph"]
    return record_answers(errors, up, resources, searches=(changes, graph)) + Observations(
        trends=tuple(parse_trends(changes)),
        usages=tuple(parse_usages(resources)),
        error_rates=tuple(parse_error_rates(errors)),
        calls=(*parse_calls(errors), *parse_calls(graph)),
        availabilities=tuple(parse_availabilities(up)),
    )


async def observe_trends(tools: Tools, scope: Scope, service: str, known: Iterable[Trend]) -> Observations:
    """Observe what is not steady of one service, because of a large system not every series is in the list of all."""
    return _keep_new(await tools.call("analyze_trends", metric_name="all", service=service, time_window=scope.window), known)


async def observe_further_trends(tools: Tools, answers: Iterable[Answer], known: Iterable[Trend]) -> Observations:
    """Observe the next page of the list of all series that are not steady, where it was cut and can be read on."""
    cut = next(answer for answer in answers if answer.tool.endswith("analyze_trends") and answer.truncated)
    cursor, tool = text(cut.data, "cursor"), tools.offered().get("analyze_trends")
    if not cursor or tool is None or "cursor" not in tool.parameters:
        return Observations()
    return _keep_new(await tools.call("analyze_trends", **{**cut.arguments, "cursor": cursor}), known)


def _keep_new(answer: Answer, known: Iterable[Trend]) -> Observations:
    seen = {(trend.metric, trend.service, trend.pod, trend.quantile) for trend in known}
    new = (trend for trend in parse_trends(answer) if (trend.metric, trend.service, trend.pod, trend.quantile) not in seen)
    return record_answers(searches=(answer,)) + Observations(trends=tuple(new))


def sees_all_trends(answers: Iterable[Answer]) -> bool:
    """Return True where the list of all series that are not steady was read whole, or can't be read."""
    return not any(answer.tool.endswith("analyze_trends") and answer.truncated for answer in answers)


def parse_trends(answer: Answer) -> Iterator[Trend]:
    """Parse the series of `analyze_trends`."""
    for item, source in items(answer):
        change = part(item, "change_point")
        at = moment(change, "time")
        yield Trend(
            metric=text(item, "metric"),
            service=text(item, "service"),
            pod=text(item, "pod"),
            unit=text(item, "unit"),
            direction=text(item, "direction"),
            first=number(item, "first") or 0.0,
            last=number(item, "last") or 0.0,
            lowest=number(item, "min") or 0.0,
            highest=number(item, "max") or 0.0,
            slope_per_hour=number(item, "slope_per_hour_between_drops") or number(item, "slope_per_hour") or 0.0,
            fit=number(item, "r_squared") or 0.0,
            drops=whole(item, "drops") or 0,
            changed_at=at,
            before=number(change, "before"),
            after=number(change, "after"),
            quantile=text(item, "quantile"),
            pulse=_parse_pulse(part(item, "pulse")),
            source=replace(source, happened=at),
        )


def _parse_pulse(found: object) -> Pulse | None:
    normal, level = number(found, "normal"), number(found, "level")
    return Pulse(start=moment(found, "start"), normal=normal, level=level) if normal is not None and level is not None else None


def parse_usages(answer: Answer) -> Iterator[Usage]:
    """Parse the pods of `get_resource_metrics`."""
    for item, source in items(answer):
        yield Usage(
            metric=text(item, "metric"),
            service=text(item, "service"),
            pod=text(item, "pod"),
            last=number(item, "last") or 0.0,
            highest=number(item, "max") or 0.0,
            limit=number(item, "limit"),
            percent_of_limit=number(item, "max_percent_of_limit"),
            source=source,
        )


def parse_error_rates(answer: Answer) -> Iterator[ErrorRate]:
    """Parse the services of `get_error_rates`."""
    for item, source in items(answer):
        at = moment(item, "peak_at")
        yield ErrorRate(
            service=text(item, "service"),
            percent=number(item, "error_percent") or 0.0,
            percent_before=number(item, "error_percent_before"),
            peak_at=at,
            source=replace(source, happened=at),
        )


def parse_calls(answer: Answer) -> Iterator[Call]:
    """Parse the calls between services of `get_error_rates`."""
    for item, source in items(answer):
        for call in objects(item, "calls"):
            yield Call(
                service=text(item, "service"), peer=text(call, "to"), failed_percent=number(call, "failed_percent") or 0.0, source=source
            )


def parse_availabilities(answer: Answer) -> Iterator[Availability]:
    """Parse the services of `get_availability_metrics`."""
    for item, source in items(answer):
        yield Availability(
            service=text(item, "service"),
            success_percent=number(item, "success_percent"),
            up_percent=number(item, "up_percent"),
            source=source,
        )
