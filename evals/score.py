"""One case, what was expected of it, and how often the assistant was right."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_EVERY = 10.0  # seconds between two lines of progress


@dataclass(frozen=True)
class Verdict:
    """A cause and the object that has it; both empty for "nothing concluded"."""

    cause: str = ""
    object: str = ""


@dataclass(frozen=True)
class Outcome:
    """What was expected and what was said, in how many seconds."""

    case: str
    expected: Verdict
    said: Verdict
    seconds: float

    @property
    def right(self) -> bool:
        """Cause and object, both; a conclusion where none was justified is as wrong as a missing one."""
        return self.expected == self.said


def table(outcomes: Iterable[Outcome]) -> str:
    """All cases, then A@1: the share of cases whose first answer is right, and the median time."""
    listed = list(outcomes)
    lines = [f"{'ok ' if found.right else 'NO '} {found.case:<60} {_told(found)}" for found in listed]
    right = sum(found.right for found in listed)
    seconds = sorted(found.seconds for found in listed)
    median = seconds[len(seconds) // 2] if seconds else 0.0
    share = right / len(listed) if listed else 0.0
    return "\n".join([*lines, f"A@1 {share:.2f} ({right} of {len(listed)}), median {median:.2f} s"])


def _told(found: Outcome) -> str:
    said = f"{found.said.cause} {found.said.object}".strip() or "nothing concluded"
    return said if found.right else f"{said}; expected {f'{found.expected.cause} {found.expected.object}'.strip() or 'nothing'}"


def show_progress[T](found: Iterable[T], what: str) -> Iterator[T]:
    """Pass on what is found, and say on stderr every few seconds how much of it there is."""
    started = shown = time.monotonic()
    for number, one in enumerate(found, 1):
        if time.monotonic() - shown >= _EVERY:
            shown = time.monotonic()
            sys.stderr.write(f"{what}: {number} done in {shown - started:.0f} s\n")
        yield one
