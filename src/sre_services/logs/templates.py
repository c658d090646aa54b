"""Records that differ only in numbers and names become one template with a count.

The idea is Drain's (He et al., 2017): mask what is variable by its looks, then merge records of equal length that agree in
most of their words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import starmap

from sre_services.logs.model import LogRecord

ANY = "<*>"
SIMILAR = 0.6
_MASKS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), ANY),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), ANY),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE), ANY),
    (re.compile(r"(?<![A-Za-z])[-+]?\d[\d.,:]*(?=(?:ns|us|µs|ms|s|m|h|%|[KMG]i?B?)?\b)"), ANY),
    (re.compile(r"\b([a-z]{2,}[-_])\d+\b", re.IGNORECASE), r"\1" + ANY),
)


@dataclass
class Group:
    """Records of one service that share a template."""

    service: str
    level: str
    tokens: list[str]
    lines: list[LogRecord] = field(default_factory=list)

    @property
    def template(self) -> str:
        return " ".join(self.tokens)

    def similarity(self, tokens: Sequence[str]) -> float:
        return sum(starmap(str.__eq__, zip(self.tokens, tokens, strict=True))) / len(tokens)

    def take(self, line: LogRecord, tokens: Sequence[str]) -> None:
        self.tokens = [mine if mine == its else ANY for mine, its in zip(self.tokens, tokens, strict=True)]
        self.lines.append(line)


def group_records(lines: Iterable[LogRecord]) -> list[Group]:
    """Every record in exactly one group, in the order in which the groups first appear."""
    buckets: dict[tuple[str, str, int], list[Group]] = defaultdict(list)
    found: list[Group] = []
    for line in lines:
        tokens = mask_variables(line.message)
        bucket = buckets[line.service, line.level, len(tokens)]
        best = max(bucket, key=lambda group: group.similarity(tokens), default=None)
        if best is None or best.similarity(tokens) < SIMILAR:
            best = Group(line.service, line.level, tokens)
            bucket.append(best)
            found.append(best)
        best.take(line, tokens)
    return found


def mask_variables(message: str) -> list[str]:
    """The words of a record's first line with numbers, addresses and ids replaced."""
    first = message.partition("\n")[0]
    for pattern, mask in _MASKS:
        first = pattern.sub(mask, first)
    return first.split() or [ANY]
