"""Comparisons: one service, or all, at two times, and what differs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sre_agent.evidence import Answer, Argument
from sre_agent.lookups.lookup import Lookup, Said, View
from sre_agent.lookups.metrics import METRICS, Metric
from sre_agent.question.intent import cue
from sre_agent.question.sides import AROUND_MOMENT, TIME, Side, parse_sides
from sre_agent.reading import Json, moment, number, objects, text
from sre_agent.report import Claim
from sre_core import clock

_MIDDLE, _TAIL = "latency_p95", "latency_p99"  # the second only where the first is not measured
_COMPARED = ("error rate", "latency", "throughput", "memory", "CPU")
MOST_VALUES = 6  # with two notes, what is missing and a hint an answer has at most twelve lines
_LEAST = 0.2  # of the value before; a smaller difference is none
# What a value differs by at least, by its unit: 2 ms are no difference to 1 ms.
_FLOORS = {"percent": 1.0, "ms": 20.0, "bytes": 20.0 * 2**20, "millicores": 50.0}
_FLOOR = 5.0


@dataclass(frozen=True)
class _Value:
    """One value of one service at one of the two times."""

    service: str
    name: str
    value: float
    unit: str
    source: tuple[Answer, str]


@dataclass(frozen=True)
class _Pair:
    """The same value at both times; None where it was not measured."""

    before: _Value | None
    after: _Value | None

    @property
    def known(self) -> _Value:
        found = self.after or self.before
        assert found
        return found

    @property
    def weight(self) -> float:
        """Return by how much of the lower value they differ; 0 where one is not known."""
        if self.before is None or self.after is None:
            return 0.0
        floor = _FLOORS.get(self.before.unit, _FLOOR)
        return abs(self.after.value - self.before.value) / max(min(self.after.value, self.before.value), floor)


async def look(view: View) -> Said:
    """Show what the question names, else all that is measured and the logged errors, at both times with the difference."""
    now = moment((await view.tools.call("get_node_status")).data, "as_of") or clock.now()
    sides = parse_sides(view.words, now)
    chosen = [metric for metric in METRICS if metric.words.search(view.words)] or [m for m in METRICS if m.title in _COMPARED]
    errors = len(chosen) > 1 or re.search(r"\blog", view.words) is not None
    before, after = await asyncio.gather(*(_measure(view, side, chosen, errors=errors) for side in sides))
    pairs = _pair(before, after)
    title = f"{view.name or 'All services'}: {sides[0]} (before) and {sides[1]} (after)"
    missing = [f"Nothing was measured from {side}." for side, found in zip(sides, (before, after), strict=True) if not found]
    notes = ["The later time has not come yet: it is compared with now."] if sides[1].to_come else []
    if not pairs:
        return Said(headline=f"{title}: nothing was measured at either time", hint=" ".join(notes), subject=view.subject)
    shown = pairs[:MOST_VALUES] if view.subject else _choose(pairs, MOST_VALUES)
    lines = [_line(view, pair) for pair in shown]
    rest = [] if view.subject or missing else [_say_rest(pairs, shown)]
    return Said(headline=title, lines=lines, hint=" ".join([*missing, *notes, *rest]), subject=view.subject)


def _say_rest(pairs: Sequence[_Pair], shown: Sequence[_Pair]) -> str:
    differing = any(pair.weight >= _LEAST for pair in shown)
    first = f"{len(pairs) - len(shown)} more values differ less" if differing else f"None of {len(pairs)} values differs by a fifth or more"
    return f"{first}: name a service to see its own."


async def _measure(view: View, side: Side, metrics: Sequence[Metric], *, errors: bool) -> list[_Value]:
    """Ask for each metric, and for the logged errors, at one time."""
    there = replace(view, scope=replace(view.scope, lookback=side.end - side.start, until=side.end, named=True))
    asked: list[tuple[str, dict[str, Argument]]] = [(m.operation, {"service": view.name, **m.arguments(there)}) for m in metrics]
    asked += [("count_log_events", {"event_type": "error", "time_window": there.scope.window})] if errors else []
    answers = await asyncio.gather(*(view.call(operation, **arguments) for operation, arguments in asked))
    found = [value for metric, answer in zip(metrics, answers, strict=False) for value in _read_metric(metric, answer)]
    return [*found, *_count_errors(answers[-1], {value.service for value in found})] if errors else found


def _read_metric(metric: Metric, answer: Answer) -> Iterable[_Value]:
    """Return one value for each service: of several pods or quantiles the mean."""
    groups: dict[tuple[str, str], list[Json]] = {}
    for item in objects(answer.data, "items"):
        if metric.keep(item):
            name = text(item, "metric") if metric.title == "latency" else metric.title
            groups.setdefault((text(item, "service"), name), []).append(item)
    groups = {(service, name): found for (service, name), found in groups.items() if name != _TAIL or (service, _MIDDLE) not in groups}
    field = "error_percent" if metric.title == "error rate" else "success_percent" if metric.title == "availability" else "mean"
    for (service, name), items in groups.items():
        values = [value for item in items if (value := number(item, field)) is not None]
        unit = "percent" if field != "mean" else text(items[0], "unit")
        kept = [{key: value for key, value in item.items() if key != "points"} for item in items[:3]]
        if values and service:
            yield _Value(service, name, sum(values) / len(values), unit, (answer, json.dumps(kept)))


def _count_errors(answer: Answer, services: set[str]) -> Iterable[_Value]:
    """Return the logged errors of services that were measured; without any, nothing is known of their logs at that time."""
    groups = {text(item, "group"): item for item in objects(answer.data, "items")}
    for service in sorted(services):
        group = groups.get(service, {"group": service, "count": 0})
        yield _Value(service, "errors logged", number(group, "count") or 0.0, "", (answer, json.dumps(group)))


def _pair(before: Sequence[_Value], after: Sequence[_Value]) -> list[_Pair]:
    """Pair the values of both times, in the order of the metrics."""
    sides = tuple({(value.service, value.name): value for value in found} for found in (before, after))
    keys = dict.fromkeys((value.service, value.name) for found in (after, before) for value in found)
    return [_Pair(sides[0].get(key), sides[1].get(key)) for key in keys]


def _choose(pairs: Sequence[_Pair], most: int) -> list[_Pair]:
    """Return the pairs that differ most; where none differs, the first of each metric."""
    differing = sorted((pair for pair in pairs if pair.weight >= _LEAST), key=lambda pair: -pair.weight)[:most]
    first = {pair.known.name: pair for pair in reversed(pairs)}
    return differing or list(reversed(first.values()))[:most]


def _line(view: View, pair: _Pair) -> Claim:
    one = pair.known
    name = one.name if view.subject else f"{one.service}: {one.name}"
    sides = " and ".join(
        f"{_quantity(side.value, side.unit) if side else 'not measured'} {when}"
        for side, when in ((pair.before, "before"), (pair.after, "after"))
    )
    cited = tuple(citation for side in (pair.before, pair.after) if side for citation in view.cite(*side.source))
    return Claim(what=f"{name}: {sides}{_difference(pair)}", evidence=cited)


def _difference(pair: _Pair) -> str:
    if pair.before is None or pair.after is None:
        return ""
    change = pair.after.value - pair.before.value
    if pair.weight < _LEAST:
        return ": no difference that matters"
    sign = "+" if change > 0 else "-"
    share = f" ({100 * change / pair.before.value:+.0f} %)" if pair.before.value and pair.before.unit != "percent" else ""
    points = " points" if pair.before.unit == "percent" else ""
    return f": {sign}{_quantity(abs(change), pair.before.unit).removesuffix(' %')}{points}{share}"


def _quantity(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "percent":
        return f"{value:.2f} %" if value < 10 else f"{value:.0f} %"
    return f"{value:.4g} {unit.replace('_per_second', '/s')}".strip()


_NOT_A_CHANGE = r"^(?!.*\b(why|root cause|deploy\w*|releas\w*|roll(ed|out)\w*|versions?|revisions?|chang\w+|different)\b)"
LOOKUP = Lookup(
    kind="comparison",
    example="Compare orders between 10:00 and 12:00.",
    look=look,
    cues=(
        cue(40, rf"{_NOT_A_CHANGE}.*\bcompar\w+\b.*\b{TIME}"),
        cue(40, rf"{_NOT_A_CHANGE}.*\b{TIME}.*\b(vs|versus|against|compared)\b|{_NOT_A_CHANGE}.*\b(vs|versus|against)\b.*\b{TIME}"),
        cue(40, rf"{_NOT_A_CHANGE}.*\b(\w{{3,}}er|more|less|worse) (\w+ ){{0,2}}than (it was |they were |usual )?(on |at )?{TIME}"),
        cue(40, rf"{_NOT_A_CHANGE}.*\bdiffer\w*\b.*\bbetween\b.*\b{TIME}.*\b{TIME}"),
        cue(40, rf"{_NOT_A_CHANGE}.*\b{AROUND_MOMENT}"),
    ),
)
