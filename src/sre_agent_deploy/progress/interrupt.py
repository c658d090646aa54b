"""Ctrl-C: once, and what is under way is finished and written down; twice, and the process ends at once, still resumable."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sre_core.problem import Problem

EXIT_CODE = 130
_FIRST = b"\nStopping: the calls under way are finished and written down. Ctrl-C again stops at once; both can be resumed.\n"


class Stop:
    """Asked for by a person, heard by whatever waits."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        self._asked.set()

    def pause(self, seconds: float) -> bool:
        """Wait, but no longer than until a stop is asked for; answers whether it was."""
        return self._asked.wait(seconds)


NEVER = Stop()


@contextmanager
def interruptible() -> Iterator[Stop]:
    """Within, SIGINT and SIGTERM ask to stop, and a second one ends the process. Only for the main thread."""
    stop = Stop()

    def heard(_number: int, _frame: object) -> None:
        if stop.asked:
            # The journal is written ahead of each call, so there is nothing to save; a normal exit would wait for every thread.
            os._exit(EXIT_CODE)
        stop.ask()
        os.write(2, _FIRST)

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupted() -> Problem:
    """Somebody asked to stop."""
    return Problem(
        code="RUN-INTERRUPTED",
        what="The run was stopped before its end.",
        why="Ctrl-C, or a signal to end, asked for it. Everything that was done is written down.",
        do=("Go on: `sre-agent-deploy resume`.", "Or take back what was made: `sre-agent-deploy cleanup`."),
    )


def looking_stopped() -> Problem:
    """Somebody asked to stop while AWS was only looked at: there is nothing to go on with."""
    return Problem(
        code="RUN-INTERRUPTED",
        what="The run was stopped while it looked at what AWS has.",
        why="Ctrl-C, or a signal to end, asked for it. Looking changes nothing.",
        do=("Run the same command again.",),
    )


def deleting_stopped() -> Problem:
    """Somebody asked to stop while a deployment was being deleted: going on means to delete, not to make it again."""
    return Problem(
        code="RUN-INTERRUPTED",
        what="Deleting was stopped before its end.",
        why="Ctrl-C, or a signal to end, asked for it. What was deleted is gone; the rest still exists.",
        do=(
            "Delete the rest: the same `sre-agent-deploy cleanup` again.",
            "Or make the deployment whole again: `sre-agent-deploy deploy`.",
        ),
    )


def told_of(problems: Iterable[Problem]) -> bool:
    """Whether one of these says that somebody asked to stop."""
    return any(problem.code == "RUN-INTERRUPTED" for problem in problems)
