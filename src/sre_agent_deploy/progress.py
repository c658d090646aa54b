"""Progress of a run: its events, Ctrl-C, and the waits for AWS with their retry limits and deadlines.

Every wait for AWS uses this."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from sre_core import clock, interrupt
from sre_core.problem import Problem

type Step = Literal["started", "waiting", "done", "failed", "unknown", "stopped"]
"""`unknown`: a check that could not look. `stopped`: the user stopped it."""
type Why = Literal["throttled", "busy", "transient", "propagating", "ready", "shown", "gone"]


@dataclass(frozen=True)
class Wait:
    """The reason for a wait and its deadline; with `operation` and `code` where AWS has refused a call so far."""

    why: Why
    until: datetime
    operation: str = ""
    code: str = ""

    def to_json(self) -> dict[str, str]:
        parts = {"kind": self.why, "until": clock.stamp(self.until), "operation": self.operation, "code": self.code}
        return {key: value for key, value in parts.items() if value}


@dataclass(frozen=True)
class Event:
    """One step of one resource or check. `seconds` is its duration, once it has ended."""

    step: Step
    name: str
    what: str
    seconds: float = 0.0
    problem: Problem | None = None
    wait: Wait | None = None

    @property
    def ended(self) -> bool:
        """Say if nothing more comes of this step."""
        return self.step not in ("started", "waiting")

    def to_json(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"event": self.step, "time": clock.stamp(), "name": self.name, "what": self.what}
        if self.ended:
            parts["seconds"] = round(self.seconds, 3)
        if self.wait:
            parts["wait"] = self.wait.to_json()
        if self.problem:
            parts["problem"] = self.problem.to_json()
        return parts


class Observer(Protocol):
    """A function that receives events; called from many threads."""

    def __call__(self, event: Event, /) -> None: ...


def ignore_event(event: Event) -> None:
    """Show nothing."""


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
        do=("Nothing needs to be undone: run the same command again.",),
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


REPORT_AFTER = 3.0
"""Seconds after which a wait is reported: most waits end before anybody could read about them."""


@dataclass(frozen=True)
class RetryLimits:
    """The time to retry after each kind of error, and for a resource to be shown, to become ready or to disappear."""

    throttled: timedelta = timedelta(minutes=3)
    transient: timedelta = timedelta(seconds=30)
    propagating: timedelta = timedelta(minutes=2)
    ready: timedelta = timedelta(minutes=15)
    shown: timedelta = timedelta(seconds=30)
    """The most for which AWS may hide what was created; each type has its own time (`SETTLES`)."""
    first_wait: float = 0.2
    longest_wait: float = 8.0


@dataclass
class Poll:
    """One poll of something that AWS is working on. The caller may set the status that it saw."""

    status: str


@dataclass(frozen=True)
class Progress:
    """The limits of one run, its stop request, and the observer of its waits, on behalf of one resource.

    Every wait ends at its deadline or when a stop is requested, and is reported once it takes longer than a few seconds.
    """

    limits: RetryLimits = RetryLimits()
    stop: Stop = NEVER
    observe: Observer = field(default=ignore_event, repr=False)
    name: str = ""

    def poll(self, why: Why, what: str, within: timedelta) -> Iterator[Poll]:
        """Yield polls at growing intervals, the last one when `within` has passed; none after a stop was requested."""
        began, until, poll, reported = time.monotonic(), clock.now() + within, Poll(what), ""
        for pause in pauses():
            yield poll
            waited = time.monotonic() - began
            left = within.total_seconds() - waited
            if left <= 0:
                return
            if waited >= REPORT_AFTER and poll.status != reported:
                reported = poll.status
                self.report(reported, Wait(why, until))
            if self.stop.pause(min(pause, left)):
                return

    def time_hidden(self, settles: timedelta, since: datetime) -> timedelta:
        """Compute the time for which AWS may still hide what was created then, by a type that `settles` in this time."""
        return time_until(since + min(settles, self.limits.shown))

    def report(self, what: str, wait: Wait) -> None:
        """Send an event that says what is waited for, and until when."""
        self.observe(Event("waiting", self.name, what, wait=wait))

    def interrupted_or(self, problem: Problem) -> Problem:
        """Explain why a wait failed: the run was interrupted, or else `problem`."""
        return run_interrupted() if self.stop.requested else problem


DEFAULT_PROGRESS = Progress()
"""The usual limits, without an observer, and without a way to stop."""


def time_until(moment: datetime) -> timedelta:
    """Compute the time left until a moment; zero when it has passed."""
    return max(moment - clock.now(), timedelta(0))


def pauses(first: float = 0.1, longest: float = 5.0) -> Iterator[float]:
    """Yield the seconds between two polls, growing by half each time: short for quick changes, few calls for slow ones."""
    pause = first
    while True:
        yield pause
        pause = min(longest, pause * 1.5)
