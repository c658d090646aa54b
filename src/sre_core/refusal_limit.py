"""Slow down a client that is refused again and again: after some refusals in a minute it gets 429 and a time to wait.

A right credential is always accepted: many callers share one address, and an attacker behind it must not be able to lock them out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from sre_core import clock

AT_MOST = 30
SECONDS = 60
CLIENTS = 1024


class RefusalLimit:
    """Counts the refusals of each client for a minute; of the oldest clients it forgets, so that its memory has a bound."""

    def __init__(self, now: Callable[[], float] = clock.elapsed) -> None:
        self._now = now
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, client: str) -> int:
        """Count one refusal; return for how many seconds the client must wait, or 0."""
        now = self._now()
        began, refused = self._counts.pop(client, (now, 0))
        if now - began >= SECONDS:
            began, refused = now, 0
        self._counts[client] = (began, refused + 1)
        if len(self._counts) > CLIENTS:
            self._counts.popitem(last=False)
        return max(1, int(began + SECONDS - now)) if refused >= AT_MOST else 0
