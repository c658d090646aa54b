"""Lengths of time as people write them: `90s`, `30m`, `24h`, `7d` (pure)."""

from __future__ import annotations

import re
from datetime import timedelta

PATTERN = r"[1-9][0-9]{0,4}[smhd]"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse(text: str) -> timedelta | None:
    """The length of time that `text` says, or None where it says none."""
    if not re.fullmatch(PATTERN, text):
        return None
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def format_exactly(length: timedelta) -> str:
    """The same as people write it, in its largest whole unit."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def format_roughly(length: timedelta) -> str:
    """Roughly, in the largest unit of which it has one at least: for people."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
