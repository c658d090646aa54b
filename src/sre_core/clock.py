"""The only place that reads the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

# Linux's monotonic clock stops while the machine sleeps, this one does not; macOS has no such name, and needs none.
_AWAKE_OR_NOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """Return the current time, aware of its zone UTC."""
    return datetime.now(UTC)


def elapsed() -> float:
    """Return the seconds since a fixed moment, those included during which the process was stopped or the machine slept."""
    return time.clock_gettime(_AWAKE_OR_NOT)


def stamp(moment: datetime | None = None) -> str:
    """Format a time as AWS does: ISO 8601 in UTC with seconds and a `Z`, for example `2026-11-22T14:35:40Z`."""
    return (moment or now()).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> datetime:
    """Parse a time of `stamp` or RFC 3339. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
