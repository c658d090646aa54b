"""Retry limits and deadlines for AWS calls, and the polling of what AWS is working on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sre_agent_deploy.progress.events import Event, Observer, Wait, Why, ignore_event
from sre_agent_deploy.progress.interrupt import NEVER, Stop, run_interrupted
from sre_core import clock
from sre_core.problem import Problem

REPORT_AFTER = 3.0
"""Seconds after which a wait is reported: most waits end before anybody could read about them."""


@dataclass(frozen=True)
class RetryLimits:
    """How long to retry after each kind of error, and how long a resource may take to be shown, to become ready or to disappear."""

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
