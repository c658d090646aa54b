"""Check at most every few seconds if the sources can be read: the health path needs no API key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from sre_core import log
from sre_core.problem import Problem

type Found = Mapping[str, Problem | None]

_REMEMBERED_SECONDS = 10.0


def remember_checks(look: Callable[[], Found]) -> Callable[[], Found]:
    """Return the check with a memory. One caller looks; others wait for its result."""
    lock, seen = threading.Lock(), list[tuple[float, Found]]()

    def check() -> Found:
        with lock:
            if not seen or seen[-1][0] + _REMEMBERED_SECONDS < time.monotonic():
                seen[:] = [(time.monotonic(), _log_failures(look()))]
            return seen[-1][1]

    return check


def _log_failures(found: Found) -> Found:
    for name, problem in found.items():
        if problem:
            log.get().warning("source.failed", source=name, code=problem.code, what=problem.what, why=problem.why)
    return found
