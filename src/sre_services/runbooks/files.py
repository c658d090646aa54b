"""A library of Markdown files that change elsewhere: read again after some minutes, and sooner where that failed or there are none yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from sre_core import clock, log
from sre_core.problem import Problem, Refused
from sre_services.runbooks.markdown import parse_runbook
from sre_services.runbooks.model import Runbook
from sre_services.sources.background import too_slow

REFRESHED_SECONDS = 300.0
FAILED_SECONDS = 30.0
LONGEST_WAIT = 8.0
MOST_FILES = 2_000
MOST_BYTES = 512 * 2**10
"""A longer file is no runbook."""

type Files = Mapping[str, str]


class FileLibrary:
    """Reads the texts of `.md` files by their paths with `read`. A file without front matter is no runbook and is left out."""

    def __init__(self, source: str, read: Callable[[], Files], refreshed_seconds: float = REFRESHED_SECONDS) -> None:
        self._source, self._read, self._refreshed_seconds = source, read, refreshed_seconds
        self._lock = threading.Lock()
        self._until = 0.0
        self._kept: tuple[Runbook, ...] = ()
        self._problem: Problem | None = None

    @property
    def as_of(self) -> datetime:
        return clock.now()

    def runbooks(self) -> tuple[Runbook, ...]:
        """Return the runbooks; those of before, where they can't be read again. Raises Refused where there are none yet."""
        # One caller reads; the others need not wait for it where there are runbooks already.
        if self._lock.acquire(timeout=0.0 if self._kept else LONGEST_WAIT):
            try:
                if self._until < time.monotonic():
                    self._renew()
            finally:
                self._lock.release()
        elif not self._kept:
            raise Refused(too_slow(LONGEST_WAIT))
        if self._problem and not self._kept:
            raise Refused(self._problem)
        return self._kept

    def check(self) -> Problem | None:
        """Explain why no runbook could be read when that was last tried; None where some could."""
        try:
            found = self.runbooks()
        except Refused as refused:
            return refused.problems[0]
        return self._problem or (None if found else _no_runbook(self._source))

    def _renew(self) -> None:
        """Read the runbooks, or note why they can't be read."""
        try:
            self._kept, self._problem = _parse_all(self._read()), None
        except Refused as refused:
            self._problem = refused.problems[0]
            log.get().warning("source.failed", code=self._problem.code, what=self._problem.what)
        good = self._kept and not self._problem
        self._until = time.monotonic() + (self._refreshed_seconds if good else min(FAILED_SECONDS, self._refreshed_seconds))


def _parse_all(files: Files) -> tuple[Runbook, ...]:
    found: list[Runbook] = []
    for path, text in sorted(files.items())[:MOST_FILES]:
        try:
            found.append(parse_runbook(path, text))
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            if text.startswith("---\n"):
                log.get().warning("runbook.skipped", file=path, why=str(fault))
    return tuple(found)


def _no_runbook(source: str) -> Problem:
    return Problem(
        code="SVC-SOURCE-NO-RUNBOOK",
        what=f"There is no runbook in {source}.",
        why="A runbook is a Markdown file that begins with front matter: id, title and severity between two lines of ---.",
        do=(
            "Correct `path`, `prefix` or `branch` of this source in config.yaml, and deploy again.",
            "Or add the front matter to a file; the log of the service names files whose front matter has a mistake.",
        ),
    )
