"""Detectors over metrics: memory that only grows, CPU at its limit, services that became slower or fail more."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent.observations import Availability, ErrorRate, Observations, Trend, Usage
from sre_agent.reasoners.rules.signals import Kind, Signal
from sre_core import clock

GROWTH = 0.2  # of the lowest level; less is noise
NEAR = 85.0  # percent of the limit
ERRORS_MATTER = 1.0  # percent of all answers
WORSE = 2.0  # times the level before


def detect(observations: Observations) -> Iterator[Signal]:
    """Detect signals in all series."""
    usages = {(usage.metric, usage.pod): usage for usage in observations.usages}
    for trend in observations.trends:
        if trend.metric == "memory":
            yield from _memory(trend, usages.get(("memory", trend.pod)))
        elif trend.metric == "error_rate" or (trend.metric == "latency" and trend.quantile in {"", "0.9", "0.95"}):
            yield from _degraded(trend)
    for usage in observations.usages:
        if usage.metric == "cpu" and usage.limit and usage.last >= usage.limit * NEAR / 100:
            what = f"pod {usage.pod} of {usage.service} uses {100 * usage.last / usage.limit:.0f} % of its CPU limit"
            yield Signal(kind=Kind.CPU_SATURATED, service=usage.service, what=what, sources=(usage.source,))
    for rate in observations.error_rates:
        yield from _error_rate(rate)
    for availability in observations.availabilities:
        yield from _availability(availability)


def _memory(trend: Trend, usage: Usage | None) -> Iterator[Signal]:
    """Detect growth that is large and steady, either straight or as a sawtooth that falls back to the start."""
    rising = trend.direction in {"rising", "sawtooth"} and trend.slope_per_hour > 0
    if not rising or trend.highest - trend.lowest < GROWTH * max(trend.lowest, 1.0):
        return
    percent = usage.percent_of_limit if usage else None
    fell = f", falling {trend.drops} times and rising again" if trend.direction == "sawtooth" else ""
    limit = f"; it came to {percent:.0f} % of its limit" if percent else ""
    what = (
        f"memory of pod {trend.pod or '?'} of {trend.service} rose from {_size(trend.lowest)} to {_size(trend.highest)} "
        f"({_size(trend.slope_per_hour)} an hour{fell}){limit}"
    )
    sources = (trend.source, usage.source) if usage else (trend.source,)
    yield Signal(
        kind=Kind.MEMORY_RISING, service=trend.service, what=what, sources=sources, at=trend.changed_at, subject=f"{percent or 0:.0f}"
    )


def _degraded(trend: Trend) -> Iterator[Signal]:
    before, after = trend.before, trend.after
    if before is None or after is None or after <= max(before * WORSE, ERRORS_MATTER if trend.metric == "error_rate" else 0.0):
        return
    when = f" at {clock.stamp(trend.changed_at)}" if trend.changed_at else ""
    what = f"{trend.metric} of {trend.service} went from {before:.4g} to {after:.4g} {trend.unit}{when}"
    yield Signal(kind=Kind.DEGRADED, service=trend.service, what=what, sources=(trend.source,), at=trend.changed_at, subject=trend.metric)


def _error_rate(rate: ErrorRate) -> Iterator[Signal]:
    before = rate.percent_before
    if rate.percent >= ERRORS_MATTER and (before is None or rate.percent >= WORSE * max(before, 0.1)):
        earlier = "" if before is None else f", {before:.2g} % in the time before"
        what = f"{rate.percent:.3g} % of the answers of {rate.service} are errors{earlier}"
        yield Signal(kind=Kind.DEGRADED, service=rate.service, what=what, sources=(rate.source,), subject="error_rate")


def _availability(availability: Availability) -> Iterator[Signal]:
    up = availability.up_percent
    if up is not None and up < 95:
        what = f"replicas of {availability.service} were up {up:.0f} % of the time"
        yield Signal(kind=Kind.DEGRADED, service=availability.service, what=what, sources=(availability.source,), subject="availability")


def _size(size: float) -> str:
    return f"{size / 2**20:.0f} MiB"
