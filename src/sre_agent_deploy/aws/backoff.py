"""The pauses between the attempts of one call: exponential with full jitter, never shorter than AWS asks for, never past the deadline."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from sre_agent_deploy.progress.events import Wait, Why
from sre_agent_deploy.progress.progress import REPORT_AFTER, Progress, RetryLimits
from sre_core import clock

_STATUS: Mapping[Why, str] = {
    "throttled": "AWS throttles {operation} ({code})",
    "busy": "AWS has not finished an earlier change: {operation} answers {code}",
    "propagating": "AWS does not know everywhere yet what was just created: {operation} answers {code}",
    "transient": "{operation} got no answer from AWS ({code})",
}


@dataclass(frozen=True)
class Refusal:
    """A temporary failure of a call, and the seconds that AWS asks to wait: 0 where it does not say."""

    why: Why
    operation: str
    code: str
    after: float = 0.0


@dataclass
class Backoff:
    """The pauses of one call, counted from its first attempt."""

    progress: Progress
    repeatable: bool
    """True if a call whose answer was lost may be sent again."""
    _began: float = field(default_factory=time.monotonic)
    _attempts: int = 0
    _reported: Why | None = None

    def wait(self, refusal: Refusal) -> bool:
        """Wait until the next attempt is due. Returns False if there is none: it might do harm, time is up, or a stop was requested."""
        if refusal.why == "transient" and not self.repeatable:
            return False
        waited = time.monotonic() - self._began
        left = _limit(self.progress.limits, refusal.why).total_seconds() - waited
        if left <= 0:
            return False
        pause = min(left, max(refusal.after, self._jitter()))
        if waited + pause >= REPORT_AFTER and refusal.why != self._reported:
            self._report(refusal, left)
        return not self.progress.stop.pause(pause)

    def _jitter(self) -> float:
        """Choose a random pause below a bound that doubles each time, so that calls refused together are not repeated together."""
        limits, self._attempts = self.progress.limits, self._attempts + 1
        return random.uniform(0, min(limits.longest_wait, limits.first_wait * 2 ** min(self._attempts - 1, 30)))  # noqa: S311  # no secret

    def _report(self, refusal: Refusal, left: float) -> None:
        self._reported = refusal.why
        until = clock.now() + timedelta(seconds=left)
        what = _STATUS[refusal.why].format(operation=refusal.operation or "a call", code=refusal.code)
        self.progress.report(what, Wait(refusal.why, until, refusal.operation, refusal.code))


def _limit(limits: RetryLimits, why: Why) -> timedelta:
    longest = {"throttled": limits.throttled, "busy": limits.throttled, "propagating": limits.propagating}
    return longest.get(why, limits.transient)


def asked_for(headers: Mapping[str, str]) -> float:
    """Read the seconds that AWS asks to wait: `Retry-After` is in seconds, AWS's own `x-amz-retry-after` in milliseconds."""
    for name, unit in (("x-amz-retry-after", 1000), ("retry-after", 1)):
        if (text := headers.get(name, "")).isdecimal():
            return int(text) / unit
    return 0.0
