"""Leave a source alone for a while that did not answer several times in a row: each question would wait for it again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from sre_core.problem import Problem, Refused

# A source that refuses has answered. Only one that keeps questions waiting is left alone.
_NO_ANSWER = frozenset({"SVC-SOURCE-UNREACHABLE", "SVC-SOURCE-SLOW"})
MOST_FAILURES = 3
PAUSE_SECONDS = 30.0


class Breaker:
    """A circuit breaker of one source. After a pause one question tries the source, and its answer decides for the others.

    The libraries for it hold a lock while a question is asked, so that the questions to one source would wait for one another.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self._problem: Problem | None = None

    def find_refusal(self) -> Refused | None:
        """Return why the source is not asked now; None where it is."""
        with self._lock:
            left = self._until - self._now()
            if self._problem is None or self._failures < MOST_FAILURES:
                return None
            if left <= 0:
                self._until = self._now() + PAUSE_SECONDS
                return None
            why = f"{self._problem.why} It did not answer {self._failures} times in a row, and is asked again in {left:.0f} seconds."
            return Refused(replace(self._problem, why=why))

    def note(self, refused: Refused | None) -> None:
        """Note the result of a question: None for an answer."""
        with self._lock:
            problem = refused.problems[0] if refused else None
            if problem is None or problem.code not in _NO_ANSWER:
                self._failures, self._problem = 0, None
                return
            self._failures, self._problem, self._until = self._failures + 1, problem, self._now() + PAUSE_SECONDS
