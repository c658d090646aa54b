"""How long anything is waited for, who is told of it, and who may end it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sre_agent_deploy.progress.events import Event, Observer, Wait, Why, unobserved
from sre_agent_deploy.progress.interrupt import NEVER, Stop, interrupted
from sre_core import clock
from sre_core.problem import Problem

TOLD_AFTER = 3.0
"""Seconds after which a wait is told: most are over before anybody would have read of them."""


@dataclass(frozen=True)
class Patience:
    """How long each kind of error is worth repeating, and how long a resource may take to be ready, or gone."""

    throttled: timedelta = timedelta(minutes=3)
    transient: timedelta = timedelta(seconds=30)
    propagating: timedelta = timedelta(minutes=2)
    ready: timedelta = timedelta(minutes=15)
    first_wait: float = 0.2
    longest_wait: float = 8.0


@dataclass
class Look:
    """One look at something that AWS is working on; whoever looks may say what was seen."""

    seen: str


@dataclass(frozen=True)
class Waits:
    """How one run waits, on behalf of one resource: every wait ends, is told once it takes a while, and hears Ctrl-C."""

    patience: Patience = Patience()
    stop: Stop = NEVER
    observe: Observer = field(default=unobserved, repr=False)
    name: str = ""

    def looks(self, why: Why, what: str, within: timedelta) -> Iterator[Look]:
        """Look now, and again ever less often: for the last time when `within` has passed, or not again once a stop is asked for."""
        began, until, look, told = time.monotonic(), clock.now() + within, Look(what), ""
        for pause in pauses():
            yield look
            waited = time.monotonic() - began
            left = within.total_seconds() - waited
            if left <= 0:
                return
            if waited >= TOLD_AFTER and look.seen != told:
                told = look.seen
                self.tell(told, Wait(why, until))
            if self.stop.pause(min(pause, left)):
                return

    def tell(self, what: str, wait: Wait) -> None:
        """Let whoever watches know what is waited for, and until when."""
        self.observe(Event("waiting", self.name, what, wait=wait))

    def ended(self, otherwise: Problem) -> Problem:
        """Why a wait ended without what it was for: somebody asked to stop, or `otherwise`."""
        return interrupted() if self.stop.asked else otherwise


ALONE = Waits()
"""Nobody watches, and nobody can ask to stop."""


def left_until(moment: datetime) -> timedelta:
    """How long it is until then; nothing when it has passed."""
    return max(moment - clock.now(), timedelta(0))


def pauses(first: float = 0.1, longest: float = 5.0) -> Iterator[float]:
    """Seconds between looks, growing by half each time: quick for what is quick, gentle on AWS for what is not."""
    pause = first
    while True:
        yield pause
        pause = min(longest, pause * 1.5)
