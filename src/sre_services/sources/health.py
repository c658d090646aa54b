"""Whether a source can be read, looked up at most every few seconds: the health path needs no API key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sre_core import log
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_services.providers import Checked

_REMEMBERED_SECONDS = 10.0


def remember_check(provider: Checked) -> Callable[[], Problem | None]:
    """Return the provider's check with a memory. One caller looks; others wait for its result."""
    lock, seen = threading.Lock(), list[tuple[float, Problem | None]]()

    def check() -> Problem | None:
        with lock:
            if not seen or seen[-1][0] + _REMEMBERED_SECONDS < time.monotonic():
                found = provider.check()
                if found:
                    log.get().warning("source.failed", code=found.code, what=found.what, why=found.why)
                seen[:] = [(time.monotonic(), found)]
            return seen[-1][1]

    return check
