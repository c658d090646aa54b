"""One event loop for all sources of a process: an operation runs in a thread of its own and waits for many requests at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any

LONGEST_SECONDS = 20.0
"""No answer of a source takes longer: whoever asked would have given up."""


def wait_for[T](work: Coroutine[Any, Any, T], seconds: float = LONGEST_SECONDS) -> T:
    """Run a coroutine on the loop of the sources and return its result. Raises TimeoutError after `seconds`."""
    return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), _loop()).result()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Start the loop in a thread. It ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="sources", daemon=True).start()
    return loop
