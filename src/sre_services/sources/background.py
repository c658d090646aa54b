"""One event loop for all sources of a process: an operation runs in a thread of its own and waits for many requests at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any

from sre_core.problem import Problem, Refused

# Two sources that are asked at once for the first time must not start a loop each: a connection belongs to one.
_STARTING = threading.Lock()
LONGEST_SECONDS = 20.0
"""No answer of a source takes longer: the client would have given up by then."""


def wait_for[T](work: Coroutine[Any, Any, T], seconds: float = LONGEST_SECONDS) -> T:
    """Run a coroutine on the loop of the sources and return its result. Raises Refused after `seconds`."""
    try:
        with _STARTING:
            loop = _loop()
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), loop).result()
    except TimeoutError:
        raise Refused(too_slow(seconds)) from None


def too_slow(seconds: float) -> Problem:
    """Explain that a source needs more time than an answer may take."""
    return Problem(
        code="SVC-SOURCE-SLOW",
        what="The source did not give all that is needed for this answer in time.",
        why=f"It took longer than {seconds:.0f} seconds.",
        do=("Ask for less: one service, or a shorter time.", "If it is always so, look at the load of the source itself."),
    )


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Start the loop in a thread. It ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="sources", daemon=True).start()
    return loop
