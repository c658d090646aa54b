"""Ctrl-C: the first one finishes and records the calls under way, the second one ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sre_agent_deploy.progress.events import Step
from sre_core import interrupt
from sre_core.problem import Problem

EXIT_CODE = 130
_FIRST = b"\nStopping: the calls under way are finished and recorded. Ctrl-C again stops at once. Either way, the same command continues.\n"


class Stop:
    """A request to stop, set by a signal and checked by everything that waits."""

    def __init__(self) -> None:
        self._requested = threading.Event()

    @property
    def requested(self) -> bool:
        return self._requested.is_set()

    def request(self) -> None:
        self._requested.set()

    def pause(self, seconds: float) -> bool:
        """Wait for some seconds, or until a stop is requested. Returns True if it was."""
        return self._requested.wait(seconds)


NEVER = Stop()


@contextmanager
def interruptible() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a stop request, and end the process on the second. Only for the main thread."""
    stop = Stop()

    def handle(_number: int, _frame: object) -> None:
        interrupt.acknowledge()
        if stop.requested:
            # The journal is written ahead of each call, so there is nothing to save; a normal exit would wait for every thread.
            os._exit(EXIT_CODE)
        stop.request()
        os.write(2, _FIRST)

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_interrupted() -> Problem:
    """Explain that the run was interrupted while it changed a deployment."""
    return Problem(
        code="RUN-INTERRUPTED",
        what="The run was stopped before its end.",
        why="Ctrl-C or a termination signal stopped it. Everything that it did is recorded in the state file.",
        do=("To continue: `sre-agent-deploy resume`.", "To delete what was created: `sre-agent-deploy cleanup`."),
    )


def lookup_interrupted() -> Problem:
    """Explain that the run was interrupted while it only read from AWS, so there is nothing to resume."""
    return Problem(
        code="RUN-INTERRUPTED",
        what="The run was stopped while it compared AWS with the configuration.",
        why="Ctrl-C or a termination signal stopped it. Nothing was changed.",
        do=("Run the same command again.",),
    )


def deletion_interrupted() -> Problem:
    """Explain that the run was interrupted while it deleted a deployment: to continue means to delete the rest."""
    return Problem(
        code="RUN-INTERRUPTED",
        what="The cleanup was stopped before its end.",
        why="Ctrl-C or a termination signal stopped it. Some resources are deleted; the rest still exists.",
        do=(
            "To delete the rest: run the same `sre-agent-deploy cleanup` again.",
            "To create the deployment again: `sre-agent-deploy deploy`.",
        ),
    )


def name_end(problem: Problem | None) -> Step:
    """Name how one step ended: what the user stopped did not fail."""
    return "done" if problem is None else "stopped" if was_interrupted((problem,)) else "failed"


def was_interrupted(problems: Iterable[Problem]) -> bool:
    """Check if one of these problems says that the run was interrupted."""
    return any(problem.code == "RUN-INTERRUPTED" for problem in problems)
