"""Templates of one window compared with those of the window before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sre_services.answer import clip_text
from sre_services.logs.model import LEVELS, LogRecord
from sre_services.logs.templates import Group, group_records

_EXAMPLE = 300
_RANK = {level: {"FATAL": 0, "ERROR": 0, "WARN": 1}.get(level, 2) for level in LEVELS}


@dataclass(frozen=True, kw_only=True)
class Pattern:
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
    example_id: str
    example: str


def compare_windows(now: Sequence[LogRecord], before: Sequence[LogRecord], min_occurrences: int) -> list[Pattern]:
    """The patterns of `now`: errors, then warnings, then the rest; among them new ones, then the most frequent."""
    if not now:
        return []
    # Both windows are grouped together, so that a template means the same in both.
    grouped = group_records([*before, *now])
    found = [_pattern(group, now[0].time, comparable=bool(before)) for group in grouped]
    kept = [pattern for pattern in found if pattern is not None and pattern.count >= min_occurrences]
    return sorted(kept, key=lambda p: (_RANK[p.level], not p.is_new, -p.count, p.template))


def _pattern(group: Group, start: datetime, *, comparable: bool) -> Pattern | None:
    now = [line for line in group.lines if line.time >= start]
    if not now:
        return None
    before = len(group.lines) - len(now)
    return Pattern(
        template=clip_text(group.template, _EXAMPLE),
        service=group.service,
        level=group.level,
        count=len(now),
        count_before=before,
        is_new=before == 0 if comparable else None,
        first_seen=now[0].time,
        last_seen=now[-1].time,
        pods=sorted({line.pod for line in now if line.pod})[:5],
        example_id=now[-1].id,
        example=clip_text(now[-1].message, _EXAMPLE),
    )
