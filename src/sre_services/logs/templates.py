"""Templates: records that differ only in numbers and names, with a count in two windows.

The idea is Drain's (He et al., 2017): mask what is variable by its looks, then merge records of equal length that agree in
most of their words.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import starmap

from sre_services.answer import clip_text
from sre_services.logs.model import LEVELS, LogRecord

ANY = "<*>"
SIMILAR = 0.6
_LONGEST_EXAMPLE = 300
_LONGEST_TEMPLATE = 200
_RANK = {level: {"FATAL": 0, "ERROR": 0, "WARN": 1}.get(level, 2) for level in LEVELS}
_MASKS = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), ANY),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), ANY),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b", re.IGNORECASE), ANY),
    (re.compile(r"(?<![A-Za-z])[-+]?\d[\d.,:]*(?=(?:ns|us|µs|ms|s|m|h|%|[KMG]i?B?)?\b)"), ANY),
    (re.compile(r"\b([a-z]{2,}[-_])\d+\b", re.IGNORECASE), r"\1" + ANY),
)


@dataclass(frozen=True, kw_only=True)
class Template:
    """A template with how often it occurs now and before, and where to look it up.

    `is_new` is None when nothing is known of the time before: then everything would look new.
    """

    template: str
    service: str
    level: str
    count: int
    count_before: int
    is_new: bool | None
    first_seen: datetime
    last_seen: datetime
    pods: Sequence[str]
    sources: Sequence[str] = ()
    example_id: str
    example: str
    exception: str = ""
    cause: str = ""


@dataclass
class RecordGroup:
    """The records of one service that share a template."""

    service: str
    level: str
    tokens: list[str]
    records: list[LogRecord] = field(default_factory=list)

    @property
    def template(self) -> str:
        return " ".join(self.tokens)

    def similarity(self, tokens: Sequence[str]) -> float:
        """Return the share of words that are equal."""
        return sum(starmap(str.__eq__, zip(self.tokens, tokens, strict=True))) / len(tokens)

    def add(self, record: LogRecord, tokens: Sequence[str]) -> None:
        """Add a record, and mask the words in which it differs."""
        self.tokens = [mine if mine == its else ANY for mine, its in zip(self.tokens, tokens, strict=True)]
        self.records.append(record)


def find_templates(now: Sequence[LogRecord], before: Sequence[LogRecord], min_occurrences: int) -> list[Template]:
    """Find the templates of `now`: errors, then warnings, then the rest; among them new ones, then the most frequent."""
    if not now:
        return []
    # Both windows are grouped together, so that a template means the same in both.
    groups = group_records([*before, *now])
    found = [_template(group, now[0].time, comparable=bool(before)) for group in groups]
    kept = [template for template in found if template is not None and template.count >= min_occurrences]
    kept.sort(key=lambda t: (_RANK[t.level], not t.is_new, -t.count, t.template))
    return _spread(kept)


def _spread(found: Sequence[Template]) -> list[Template]:
    """Put the first template of each service before the second of any, within the same level: one that repeats itself hides none."""
    turns: dict[tuple[int, str], int] = defaultdict(int)
    ordered: list[tuple[int, bool, int, Template]] = []
    for template in found:
        rank = _RANK[template.level]
        ordered.append((rank, not template.is_new, turns[rank, template.service], template))
        turns[rank, template.service] += 1
    return [template for *_, template in sorted(ordered, key=lambda item: item[:3])]


def group_records(records: Iterable[LogRecord]) -> list[RecordGroup]:
    """Put every record into exactly one group, in the order in which the groups first appear."""
    buckets: dict[tuple[str, str, int], list[RecordGroup]] = defaultdict(list)
    found: list[RecordGroup] = []
    for record in records:
        tokens = [*mask_variables(record.message), *_cause_words(record)]
        bucket = buckets[record.service, record.level, len(tokens)]
        best = max(bucket, key=lambda group: group.similarity(tokens), default=None)
        if best is None or best.similarity(tokens) < SIMILAR:
            best = RecordGroup(record.service, record.level, tokens)
            bucket.append(best)
            found.append(best)
        best.add(record, tokens)
    return found


def _cause_words(record: LogRecord) -> list[str]:
    """Return the words of what caused a record: the same sentence with another cause is another template."""
    cause = record.cause or record.exception
    return mask_variables(cause) if cause and cause not in record.message.partition("\n")[0] else []


def mask_variables(message: str) -> list[str]:
    """Split a record's first line into words, with numbers, addresses and ids replaced."""
    return list(_mask_line(message.partition("\n")[0]))


@lru_cache(8_192)
def _mask_line(first: str) -> tuple[str, ...]:
    """Mask one line; many questions are about the same ones."""
    for pattern, mask in _MASKS:
        first = pattern.sub(mask, first)
    return tuple(first.split()) or (ANY,)


def _template(group: RecordGroup, start: datetime, *, comparable: bool) -> Template | None:
    now = [record for record in group.records if record.time >= start]
    if not now:
        return None
    before = len(group.records) - len(now)
    return Template(
        template=clip_text(group.template, _LONGEST_TEMPLATE),
        service=group.service,
        level=group.level,
        count=len(now),
        count_before=before,
        is_new=before == 0 if comparable else None,
        first_seen=now[0].time,
        last_seen=now[-1].time,
        pods=sorted({record.pod for record in now if record.pod})[:5],
        sources=sorted({record.source for record in now if record.source}),
        example_id=now[-1].id,
        example=clip_text(now[-1].message, _LONGEST_EXAMPLE),
        exception=clip_text(now[-1].exception, _LONGEST_EXAMPLE),
        cause=clip_text(now[-1].cause, _LONGEST_EXAMPLE),
    )
