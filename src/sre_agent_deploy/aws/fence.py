"""A check before each call that changes something in AWS: a run that has lost its lock sends none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# What begins otherwise is taken for a change: an unknown read then costs a check, and no change escapes it.
_READS = ("Get", "List", "Describe", "Head")

type Check = Callable[[], None]


class Fence:
    """The checks of one session. Each raises Refused if the run must change nothing more."""

    def __init__(self) -> None:
        self._checks: tuple[Check, ...] = ()

    @contextmanager
    def checking(self, check: Check) -> Iterator[None]:
        """Make this check before each change until the block ends."""
        before = self._checks
        self._checks = (*before, check)
        try:
            yield
        finally:
            self._checks = before

    def check_call(self, event_name: str, **_: Any) -> None:
        """Handle botocore's `before-send.SERVICE.OPERATION`: the last moment before a call leaves this process."""
        if not event_name.rpartition(".")[2].startswith(_READS):
            for check in self._checks:
                check()
