"""The waits between the trials of one call: exponential with full jitter, no shorter than AWS asks for, never past their deadline."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sre_agent_deploy.progress.events import Wait, Why
from sre_agent_deploy.progress.progress import REPORT_AFTER, Progress, RetryLimits
from sre_core import clock

_SAID: Mapping[Why, str] = {
    "throttled": "AWS throttles {operation} ({code})",
    "busy": "AWS has not finished an earlier change: {operation} answers {code}",
    "propagating": "AWS has not spread what was just made yet: {operation} answers {code}",
    "transient": "{operation} got no answer of AWS's ({code})",
}


@dataclass(frozen=True)
class Refusal:
    """A call that failed for now, and how long AWS itself asks to wait: seconds, nothing where it does not say."""

    why: Why
    operation: str
    code: str
    after: float = 0.0


@dataclass
class Backoff:
    """The waits of one call, from its first trial on."""

    progress: Progress
    repeatable: bool
    """Whether a call whose answer never came may be sent again."""
    _began: float = field(default_factory=time.monotonic)
    _trials: int = 0
    _told: Why | None = None

    def wait(self, refusal: Refusal) -> bool:
        """Wait until the next trial is due; False where there is to be none: it might do harm, its time is up, or a stop was asked for."""
        if refusal.why == "transient" and not self.repeatable:
            return False
        waited = time.monotonic() - self._began
        left = _limit(self.progress.limits, refusal.why).total_seconds() - waited
        if left <= 0:
            return False
        pause = min(left, max(refusal.after, self._jitter()))
        if waited + pause >= REPORT_AFTER and refusal.why != self._told:
            self._tell(refusal, left)
        return not self.progress.stop.pause(pause)

    def _jitter(self) -> float:
        """Anything between nothing and a bound that doubles each time, so that many who were refused together return apart."""
        limits, self._trials = self.progress.limits, self._trials + 1
        return random.uniform(0, min(limits.longest_wait, limits.first_wait * 2 ** min(self._trials - 1, 30)))  # noqa: S311  # no secret

    def _tell(self, refusal: Refusal, left: float) -> None:
        self._told = refusal.why
        until = clock.now() + timedelta(seconds=left)
        what = _SAID[refusal.why].format(operation=refusal.operation or "a call", code=refusal.code)
        self.progress.report(what, Wait(refusal.why, until, refusal.operation, refusal.code))


def _limit(limits: RetryLimits, why: Why) -> timedelta:
    longest = {"throttled": limits.throttled, "busy": limits.throttled, "propagating": limits.propagating}
    return longest.get(why, limits.transient)


def asked_for(headers: Mapping[str, str]) -> float:
    """How many seconds AWS asks to wait: `Retry-After` counts seconds, AWS's own `x-amz-retry-after` thousandths of one."""
    for name, unit in (("x-amz-retry-after", 1000), ("retry-after", 1)):
        if (text := headers.get(name, "")).isdecimal():
            return int(text) / unit
    return 0.0
