"""Parse what `kubectl describe` and `kubectl get` print: indented keys and values, and tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

_KEY = re.compile(r"(?P<key>[^\s].*?):(?:\s+(?P<value>.*))?")
_AGE = re.compile(r"(\d+)([ydhms])")
_UNITS = {"y": "days", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


@dataclass
class Block:
    """One key of a description: its value, all lines below it, and the keys among them."""

    value: str = ""
    lines: list[str] = field(default_factory=list)
    parts: dict[str, Block] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """Return the value of a key; empty for `<none>`, `<unset>` and a key that is absent."""
        value = self.parts[key].value.strip() if key in self.parts else ""
        return "" if value.startswith("<none>") or value == "<unset>" else value

    def part(self, key: str) -> Block:
        return self.parts.get(key, Block())

    def pairs(self, separator: str = "=") -> dict[str, str]:
        """Return the `key=value` lines of this block, its own value among them."""
        split = (line.strip().partition(separator) for line in (self.value, *self.lines))
        return {key.strip(): value.strip() for key, found, value in split if found and key and not key.startswith("<")}


def parse_description(text: str) -> Block:
    """Parse a description. What is indented deeper belongs to the key above it."""
    root = Block()
    stack: list[tuple[int, Block]] = [(-1, root)]
    for line in text.splitlines():
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        while stack[-1][0] >= indent:
            stack.pop()
        for _, block in stack:
            block.lines.append(line)
        if found := _KEY.fullmatch(line.strip()):
            block = Block(value=(found["value"] or "").strip())
            stack[-1][1].parts.setdefault(found["key"], block)
            stack.append((indent, block))
    return root


def parse_table(text: str) -> list[dict[str, str]]:
    """Parse a table by the columns of its heading; two spaces separate the words of one."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return []
    heads = [(found.start(), found[0]) for found in re.finditer(r"\S+(?: \S+)*", lines[0])]
    ends = [start for start, _ in heads[1:]] + [None]
    rows = []
    for line in lines[1:]:
        cells = split_columns(line)
        # Where no cell is empty, the gaps tell the columns; else their places do.
        by_place = [line[start:end].strip() for (start, _), end in zip(heads, ends, strict=True)]
        rows.append(dict(zip((name for _, name in heads), cells if len(cells) == len(heads) else by_place, strict=True)))
    return rows


def parse_age(text: str) -> timedelta | None:
    """Parse an age: `4d20h`, `92s`, `5m3s`."""
    parts = _AGE.findall(text)
    if not parts:
        return None
    return sum((timedelta(**{_UNITS[unit]: int(count) * (365 if unit == "y" else 1)}) for count, unit in parts), timedelta())


def parse_time(text: str) -> datetime | None:
    """Parse `Fri, 21 Nov 2025 19:52:24 +0800`."""
    try:
        return datetime.strptime(text.strip(), "%a, %d %b %Y %H:%M:%S %z")
    except ValueError:
        return None


def format_time(moment: datetime | None) -> str | None:
    """Format a time as the Kubernetes API does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def split_columns(row: str) -> list[str]:
    """Split a row of a description's table, whose columns are at least two spaces apart."""
    return re.split(r"\s{2,}", row.strip())


def table_rows(block: Block) -> list[str]:
    """Return the rows below the `----` line of a table in a description."""
    for line, _ in pairwise(block.lines):
        if set(line.split()[0]) == {"-"}:
            return block.lines[block.lines.index(line) + 1 :]
    return []
