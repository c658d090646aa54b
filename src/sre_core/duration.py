"""Durations as people write them: `90s`, `30m`, `24h`, `7d` (pure)."""

from __future__ import annotations

import re
from datetime import timedelta

PATTERN = r"[1-9][0-9]{0,4}[smhd]"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse(text: str) -> timedelta | None:
    """Parse a duration; None where `text` is none."""
    if not re.fullmatch(PATTERN, text):
        return None
    return timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def format_exactly(length: timedelta) -> str:
    """Format a duration in the largest unit that divides it."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def format_roughly(length: timedelta) -> str:
    """Round a duration down to the largest unit that it reaches, for people."""
    seconds = int(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
