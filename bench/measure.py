"""Times of programs, measured in turns in one run: a machine's moods then hit all of them alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

ROUNDS = 9


@dataclass(frozen=True)
class Measured:
    """A program against the peer that its budget names."""

    what: str
    seconds: float
    peer: str
    peer_seconds: float
    budget: float  # the most that seconds / peer_seconds may be

    @property
    def ratio(self) -> float:
        return self.seconds / self.peer_seconds

    def __str__(self) -> str:
        verdict = "within" if self.ratio <= self.budget else "OVER"
        times = f"{self.seconds * 1000:6.0f} ms  {self.ratio:5.2f} x {self.peer} ({self.peer_seconds * 1000:.0f} ms)"
        return f"{self.what:42} {times}  {verdict} {self.budget:g}"


def medians(commands: Sequence[Sequence[str]], rounds: int = ROUNDS) -> list[float]:
    """The median wall time of each command; the first round only warms caches."""
    times: list[list[float]] = [[] for _ in commands]
    for number in range(rounds + 1):
        for command, taken in zip(commands, times, strict=True):
            begun = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True, env=_environment())
            if number:
                taken.append(time.perf_counter() - begun)
    return [statistics.median(taken) for taken in times]


def _environment() -> dict[str, str]:
    # Byte-compiled, as installed programs are.
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
