"""Metrics: error rate, latency, throughput, memory, CPU and availability, of one service or the highest of all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from sre_agent.evidence import Answer, Argument
from sre_agent.lookups.lookup import Lookup, Said, View
from sre_agent.question.intent import cue
from sre_agent.reading import Json, number, objects, text
from sre_agent.report import Claim

MOST_SERIES = 6


@dataclass(frozen=True)
class Metric:
    """One metric: the words for it, the tool that has it, and what to say of one series."""

    title: str
    words: re.Pattern[str]
    operation: str
    arguments: Callable[[View], dict[str, Argument]]
    describe: Callable[[Json], str]
    keep: Callable[[Json], bool] = lambda item: True
    rank: str = "mean"


async def look(view: View) -> Said:
    """Show the metrics that the question names; of a service without a metric, its error rate, latency, memory and CPU."""
    chosen = [metric for metric in METRICS if metric.words.search(view.words)]
    chosen = chosen or [metric for metric in METRICS if metric.title in {"error rate", "latency", "memory", "CPU"}]
    most = max(1, MOST_SERIES // len(chosen)) if not view.subject or len(chosen) > 2 else MOST_SERIES
    lines: list[Claim] = []
    for metric in chosen:
        answer = await view.call(metric.operation, service=view.name, **metric.arguments(view))
        lines += _lines(view, metric, answer, most)
    title = " and ".join(metric.title for metric in chosen) if len(chosen) < 3 else "metrics"
    title = title[0].upper() + title[1:]
    if not lines:
        return Said(headline=f"No {title[0].lower()}{title[1:]} was measured{view.of_subject} {view.during}", subject=view.subject)
    hint = "" if view.subject else "The highest are shown: name a service to see its own."
    return Said(headline=f"{title}{view.of_subject} {view.during}", lines=lines[:8], hint=hint, subject=view.subject)


def _lines(view: View, metric: Metric, answer: Answer, most: int) -> list[Claim]:
    found = [item for item in objects(answer.data, "items") if metric.keep(item)]
    found.sort(key=lambda item: -(number(item, metric.rank) or 0.0))
    kept = [{name: value for name, value in item.items() if name != "points"} for item in found[:most]]
    return [Claim(what=metric.describe(item), evidence=view.cite(answer, json.dumps(item))) for item in kept]


def _error_rate(item: Json) -> str:
    before = number(item, "error_percent_before")
    was = f" ({_percent(before)} in the equally long time before)" if before is not None else ""
    peak = f", at most {_percent(number(item, 'peak_percent'))} at {text(item, 'peak_at')}" if text(item, "peak_at") else ""
    return f"{text(item, 'service')}: {_percent(number(item, 'error_percent'))} of answers failed{was}{peak}"


def _series(item: Json) -> str:
    unit = text(item, "unit")
    first, last, highest = (_value(number(item, name), unit) for name in ("first", "last", "max"))
    limit = number(item, "max_percent_of_limit")
    share = f", at most {_percent(limit)} of its limit {_value(number(item, 'limit'), unit)}" if limit is not None else ""
    name = text(item, "pod") or text(item, "service")
    return f"{name}: {text(item, 'metric')} {last} now, {first} at first, highest {highest} at {text(item, 'max_at')}{share}"


def _availability(item: Json) -> str:
    replicas = f"{text(item, 'replicas_up')} of {text(item, 'replicas_seen')} now"
    up = f"; replicas up {_percent(number(item, 'up_percent'))} of the time, {replicas}"
    success = number(item, "success_percent")
    answered = f"{_percent(success)} of answers succeeded" if success is not None else "no answers were counted"
    return f"{text(item, 'service')}: {answered}{up if number(item, 'up_percent') is not None else ''}"


def _value(value: float | None, unit: str) -> str:
    if value is None:
        return "?"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    return f"{value:.4g} {unit}".strip()


def _percent(value: float | None) -> str:
    return "?" if value is None else f"{value:.2f} %" if value < 10 else f"{value:.0f} %"


def _window(view: View) -> dict[str, Argument]:
    return {"time_window": view.scope.window}


def _times(metric_type: str) -> Callable[[View], dict[str, Argument]]:
    return lambda view: {"metric_type": metric_type, "start_time": view.scope.start, "end_time": view.scope.end}


def _resource(kind: str) -> Callable[[View], dict[str, Argument]]:
    return lambda view: {"resource_type": kind, "time_window": view.scope.window}


def _is_p95(item: Json) -> bool:
    return text(item, "metric") in {"latency_p95", "latency_p99"}


METRICS = (
    Metric(
        "error rate",
        re.compile(r"\berrors?\b|\b5xx\b|\b500s\b|\bfail(s|ing|ed|ures?)?\b"),
        "get_error_rates",
        _window,
        _error_rate,
        rank="error_percent",
    ),
    Metric(
        "latency",
        re.compile(r"\blatenc(y|ies)\b|\bp(50|90|95|99)\b|\b(slow|slower|slowest|fast|faster|quick\w*|response times?|respond\w*)\b"),
        "get_performance_metrics",
        _times("latency"),
        _series,
        _is_p95,
    ),
    Metric(
        "throughput",
        re.compile(r"\bthroughput\b|^(?!.*\b(fail|error)).*\brequests?\b|\btraffic\b|\b(rps|qps|load|loaded|busy)\b"),
        "get_performance_metrics",
        _times("throughput"),
        _series,
    ),
    Metric(
        "memory",
        re.compile(r"\bmemory\b|\bram\b|\bheap\b"),
        "get_resource_metrics",
        _resource("memory"),
        _series,
        rank="max_percent_of_limit",
    ),
    Metric(
        "CPU",
        re.compile(r"\bcpus?\b|\bprocessor\b|\bcores?\b|\bmillicores\b"),
        "get_resource_metrics",
        _resource("cpu"),
        _series,
        rank="max_percent_of_limit",
    ),
    Metric(
        "availability",
        re.compile(r"\bavailabilit\w+\b|\buptime\b|\bsla\b|\bslo\b|\bsuccess rate\b"),
        "get_availability_metrics",
        _window,
        _availability,
        rank="bad_minutes",
    ),
)
LOOKUP = Lookup(
    kind="metric",
    example="How much memory does orders use?",
    look=look,
    cues=(
        cue(
            7,
            r"\b(which|what|any|list|show)\b.{0,20}\b(services?|apps?|endpoints?) (is|are|responds?|gets?|got)\b.*\bslow(er)?\b",
        ),
        cue(5, r"\b(slower|faster) than\b"),
        cue(5, r"\bslowest\b|\bhow long\b.*\b(requests?|calls?|responses?)\b.*\btake\b"),
        cue(8, r"\b(memory|ram|heap|cpu|latenc(y|ies)|p50|p90|p95|p99|throughput|rps|qps|traffic|uptime|availability|slo|sla)\b"),
        cue(7, r"\b(error|failure|success) (rates?|percent\w*|ratio|share)\b|\bpercent\w* of (errors|failures|requests)\b"),
        cue(
            6,
            r"\bmetrics?\b|\bresponse times?\b|\brequests? (\S+ ){0,3}(per|a) (second|minute)\b"
            r"|\b(resource|cpu|memory) (usage|use|consumption)\b",
        ),
        cue(5, r"\bhow (slow|fast|loaded|busy|quick|quickly)\b|\bhow (many|much) (\S+ )?(requests|errors does|load|traffic)\b"),
        cue(18, r"\b(percent\w*|share|ratio|fraction|proportion|rate)\b.*\b(fail\w*|errors?|5xx|requests?)\b"),
        cue(7, r"\b(5xx|4xx|500s)\b"),
        cue(6, r"\b(mib|gib|mb|gb|millicores|cores)\b"),
        cue(16, r"\b(give|show|send|get) (me )?(the |some |its |their )?(numbers|figures|stats)\b"),
        cue(18, r"\b(errors?|fail\w*|5xx|success) percent\b"),
        cue(3, r"\b(usage|utili[sz]ation|consum\w+)\b"),
    ),
)
