"""Evaluate an alarm on the values of its metric (pure).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
_STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": lambda values: float(len(values)),
}


@dataclass(frozen=True)
class Rule:
    """The settings of an alarm that decide about its state."""

    statistic: str
    period: int
    evaluation_periods: int
    threshold: float
    comparison: str
    missing_data: str = "missing"
    datapoints_to_alarm: int = 0


@dataclass(frozen=True)
class Value:
    """One value of a metric."""

    time: datetime
    value: float


def evaluate(rule: Rule, values: Sequence[Value], now: datetime, before: str) -> tuple[str, str]:
    """Return the state of an alarm and the reason for it. Its state stays where missing data are ignored."""
    points = _summarize(rule, values, now)
    seen = [point for point in points if point is not None]
    breaching = [point for point in seen if _COMPARISONS[rule.comparison](point, rule.threshold)]
    if not seen and rule.missing_data in ("missing", "ignore"):
        state = before if rule.missing_data == "ignore" else INSUFFICIENT_DATA
        return state, f"No datapoints were received for {rule.evaluation_periods} periods."
    filled = {"breaching": len(points) - len(seen), "notBreaching": 0}.get(rule.missing_data)
    needed = rule.datapoints_to_alarm or rule.evaluation_periods
    # Where missing data are neither good nor bad, those that exist decide.
    raised = len(breaching) + filled >= needed if filled is not None else len(breaching) >= min(needed, len(seen))
    summary = (
        f"{len(breaching)} of {len(points)} datapoints {[round(point, 3) for point in seen]} passed the threshold ({rule.threshold:g})."
    )
    return (ALARM if raised else OK), f"Threshold Crossed: {summary}"


def _summarize(rule: Rule, values: Sequence[Value], now: datetime) -> list[float | None]:
    """Return the statistic of each of the last periods. The present one counts as soon as it has a value."""
    ends = int(now.timestamp()) // rule.period + 1
    periods: dict[int, list[float]] = {}
    for each in values:
        periods.setdefault(int(each.time.replace(tzinfo=each.time.tzinfo or UTC).timestamp()) // rule.period + 1, []).append(each.value)
    last = ends if ends in periods else ends - 1
    return [_summarize_one(rule.statistic, periods.get(end)) for end in range(last - rule.evaluation_periods + 1, last + 1)]


def _summarize_one(statistic: str, values: Sequence[float] | None) -> float | None:
    if not values:
        return None
    if statistic in _STATISTICS:
        return _STATISTICS[statistic](values)
    return sorted(values)[max(0, ceil(len(values) * float(statistic.removeprefix("p")) / 100) - 1)]
