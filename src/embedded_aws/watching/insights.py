"""Queries of CloudWatch Logs Insights (pure): fields, filter, parse, stats, dedup, sort, limit and display; any other is refused.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any

from embedded_aws.watching.insights_expressions import QueryMalformed, Tokens, compile_regex, read_condition, read_value

type Rows = list[dict[str, str]]
type Step = Callable[[Rows], Rows]

MOST_RESULTS = 10_000
_SPLIT = re.compile(r"""\|(?=(?:[^"'/]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|/(?:[^/\\]|\\.)+/)*$)""")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SHOWN = ("@timestamp", "@message")


@dataclass(frozen=True)
class Event:
    """One log event: its place, and its time in milliseconds."""

    pointer: str
    group: str
    stream: str
    timestamp: int
    message: str


@dataclass(frozen=True)
class Query:
    """A compiled query."""

    steps: Sequence[Step]
    shown: Sequence[str]
    limit: int

    def run(self, events: Iterable[Event]) -> Rows:
        """Return the fields of the results. A query with neither stats nor sort shows the newest events first."""
        rows = sorted((_fields(event) for event in events), key=lambda row: row["@timestamp"], reverse=True)
        for step in self.steps:
            rows = step(rows)
        shown = self.shown or (() if rows and "@ptr" not in rows[0] else _SHOWN)
        return [_show(row, shown) for row in rows[: self.limit]]


def compile_query(text: str) -> Query:
    """Compile a query. Raises QueryMalformed."""
    commands = [part.strip() for part in _SPLIT.split("\n".join(line for line in text.splitlines() if not line.strip().startswith("#")))]
    if not all(commands):
        raise QueryMalformed("a command is empty")
    steps: list[Step] = []
    shown: list[str] = []
    limit = MOST_RESULTS
    for command in commands:
        word, _, rest = command.partition(" ")
        match word.lower():
            case "fields":
                shown += _compile_fields(rest, steps)
            case "display":
                shown = _compile_fields(rest, steps)
            case "limit":
                limit = _read_limit(rest)
            case "stats":
                shown = []
                steps.append(_compile_stats(rest))
            case "filter" | "parse" | "sort" | "dedup" as name:
                steps.append(
                    {"filter": _compile_filter, "parse": _compile_parse, "sort": _compile_sort, "dedup": _compile_dedup}[name](rest)
                )
            case _:
                raise QueryMalformed(f"there is no command {word}")
    return Query(steps, shown, limit)


def _compile_fields(text: str, steps: list[Step]) -> list[str]:
    """Read fields, and expressions that `as` names, up to the end of the command; return the names of both."""
    tokens, names = Tokens(text), list[str]()
    while True:
        # Names of fields have capitals.
        name = tokens.peek_text()
        value = read_value(tokens)
        if tokens.skip("as"):
            name = tokens.take()[1]
            steps.append(_set_field(name, value))
        elif not re.fullmatch(r"`[^`]+`|@?[A-Za-z_][\w.@-]*", name):
            raise QueryMalformed(f"{name} needs a name: as NAME")
        names.append(name.strip("`"))
        if not tokens.skip(","):
            tokens.end()
            return names


def _set_field(name: str, value: Callable[[Mapping[str, str]], Any]) -> Step:
    return lambda rows: [{**row, name: str(found)} if (found := value(row)) is not None else row for row in rows]


def _compile_filter(text: str) -> Step:
    tokens = Tokens(text)
    condition = read_condition(tokens)
    tokens.end()
    return lambda rows: [row for row in rows if condition(row)]


def _compile_parse(text: str) -> Step:
    """Read `parse FIELD /(?<name>...)/` or `parse FIELD "text * text" as a, b`."""
    tokens = Tokens(text)
    field = tokens.take()[1].strip("`")
    kind, pattern = tokens.take()
    if kind == "regex":
        expression, names = compile_regex(pattern), list[str]()
        if not expression.groupindex:
            raise QueryMalformed("the regular expression of parse has no named group")
    elif kind == "text":
        parts = [re.escape(part) for part in pattern[1:-1].split("*")]
        expression, names = re.compile("(.*?)".join(parts) + ("$" if pattern[:-1].endswith("*") else ""), re.DOTALL), _read_names(tokens)
        if len(names) != expression.groups:
            raise QueryMalformed(f"parse has {expression.groups} wildcards and {len(names)} names")
    else:
        raise QueryMalformed("parse needs a text with * or a regular expression")
    tokens.end()

    def parse(row: dict[str, str]) -> dict[str, str]:
        match = expression.search(row.get(field, ""))
        found = (match.groupdict() if not names else dict(zip(names, match.groups(), strict=True))) if match else {}
        return {**row, **{name: value for name, value in found.items() if value is not None}}

    return lambda rows: [parse(row) for row in rows]


def _read_names(tokens: Tokens) -> list[str]:
    tokens.expect("as")
    names = [tokens.take()[1]]
    while tokens.skip(","):
        names.append(tokens.take()[1])
    return names


def _compile_sort(text: str) -> Step:
    tokens = Tokens(text)
    orders: list[tuple[str, bool]] = []
    while True:
        name = tokens.take()[1].strip("`")
        descending = tokens.skip("desc") or not tokens.skip("asc")
        orders.append((name, descending))
        if not tokens.skip(","):
            break
    tokens.end()

    def sort(rows: Rows) -> Rows:
        for name, descending in reversed(orders):
            rows = sorted(rows, key=lambda row: _ordered(row.get(name, "")), reverse=descending)
        return rows

    return sort


def _ordered(text: str) -> tuple[bool, float, str]:
    try:
        return (False, float(text), "")
    except ValueError:
        return (True, 0.0, text)


def _compile_dedup(text: str) -> Step:
    tokens = Tokens(text)
    names = [tokens.take()[1].strip("`")]
    while tokens.skip(","):
        names.append(tokens.take()[1].strip("`"))
    tokens.end()
    return lambda rows: list({tuple(row.get(name) for name in names): row for row in reversed(rows)}.values())[::-1]


def _compile_stats(text: str) -> Step:
    """Read `stats count(*) as n, max(@timestamp) by a, bin(5m)`."""
    tokens = Tokens(text)
    measures = [_read_measure(tokens)]
    while tokens.skip(","):
        measures.append(_read_measure(tokens))
    by = [_read_group(tokens)] if tokens.skip("by") else []
    while by and tokens.skip(","):
        by.append(_read_group(tokens))
    tokens.end()

    def summarize(rows: Rows) -> Rows:
        groups: dict[tuple[str, ...], Rows] = {} if by else {(): rows}
        for row in rows if by else ():
            groups.setdefault(tuple(value(row) for _, value in by), []).append(row)
        names = [name for name, _ in by]
        return [
            {name: part for name, part in zip(names, key, strict=True) if part} | {name: measure(several) for name, measure in measures}
            for key, several in groups.items()
        ]

    return summarize


def _read_measure(tokens: Tokens) -> tuple[str, Callable[[Rows], str]]:
    function = tokens.take()[1]
    tokens.expect("(")
    field = "*" if tokens.skip("*") else tokens.take()[1].strip("`") if tokens.peek() != ")" else "*"
    percent = float(tokens.take()[1]) if function.lower() == "pct" and tokens.skip(",") else 0.0
    tokens.expect(")")
    name = tokens.take()[1] if tokens.skip("as") else f"{function}({field})"
    return name, _measure(function.lower(), field, percent)


def _measure(function: str, field: str, percent: float) -> Callable[[Rows], str]:
    def texts(rows: Rows) -> list[str]:
        return [row[field] for row in rows if field in row]

    def numbers(rows: Rows) -> list[float]:
        return [float(text) for text in texts(rows) if _is_number(text)]

    known: Mapping[str, Callable[[Rows], object]] = {
        "count": lambda rows: len(rows) if field == "*" else len(texts(rows)),
        "count_distinct": lambda rows: len(set(texts(rows))),
        "sum": lambda rows: sum(numbers(rows)),
        "avg": lambda rows: sum(numbers(rows)) / max(len(numbers(rows)), 1),
        "pct": lambda rows: sorted(numbers(rows))[max(0, ceil(len(numbers(rows)) * percent / 100) - 1)] if numbers(rows) else "",
        "min": lambda rows: min(texts(rows), key=_ordered, default=""),
        "max": lambda rows: max(texts(rows), key=_ordered, default=""),
        "earliest": lambda rows: texts(rows[::-1])[0] if texts(rows) else "",
        "latest": lambda rows: texts(rows)[0] if texts(rows) else "",
    }
    if function not in known:
        raise QueryMalformed(f"stats has no function {function}")
    return lambda rows: str(known[function](rows))


def _read_group(tokens: Tokens) -> tuple[str, Callable[[Mapping[str, str]], str]]:
    if not tokens.skip("bin"):
        name = tokens.take()[1].strip("`")
        return name, lambda row: row.get(name, "")
    tokens.expect("(")
    length = tokens.take()[1]
    tokens.expect(")")
    if length[-1] not in _SECONDS:
        raise QueryMalformed(f"{length} is no period of bin")
    seconds = int(length[:-1]) * _SECONDS[length[-1]]
    return f"bin({length})", lambda row: format_time(int(_milliseconds(row["@timestamp"]) // 1000 // seconds * seconds * 1000))


def _read_limit(text: str) -> int:
    if not text.strip().isdecimal() or not 1 <= int(text) <= MOST_RESULTS:
        raise QueryMalformed(f"limit is a number from 1 to {MOST_RESULTS}")
    return int(text)


def _show(row: Mapping[str, str], shown: Sequence[str]) -> dict[str, str]:
    """Keep the fields that are asked for; `@ptr` comes with every event."""
    if not shown:
        return dict(row)
    return {name: row[name] for name in dict.fromkeys((*shown, "@ptr")) if name in row}


def _fields(event: Event) -> dict[str, str]:
    """List the fields of an event: its own, and those of its JSON."""
    found = {
        "@ptr": event.pointer,
        "@timestamp": format_time(event.timestamp),
        "@message": event.message,
        "@logStream": event.stream,
        "@log": event.group,
    }
    try:
        document = json.loads(event.message) if event.message.startswith("{") else {}
    except ValueError:
        document = {}
    return {**dict(_flatten(document)), **found}


def _flatten(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the fields of a document as Insights names them: `a.b`, and `a.0` in lists."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _flatten(part, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from _flatten(part, f"{path}.{number}")
    elif value is not None:
        yield path, str(value)


def format_time(milliseconds: int) -> str:
    """Format a time as Insights does."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{milliseconds % 1000:03}"


def _milliseconds(text: str) -> float:
    return datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000


def _is_number(text: str) -> bool:
    return not _ordered(text)[0]
