"""A library of Markdown files that change elsewhere: read again after some minutes, and at once when there are none yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime

from sre_core import clock, log
from sre_core.problem import Problem, Refused
from sre_services.runbooks.markdown import parse_runbook
from sre_services.runbooks.model import Runbook

REFRESHED_SECONDS = 300.0
MOST_FILES = 2_000
MOST_BYTES = 512 * 2**10
"""A longer file is no runbook."""

type Files = Mapping[str, str]


class FileLibrary:
    """Reads the texts of `.md` files by their paths with `read`. A file without front matter is no runbook and is left out."""

    def __init__(self, source: str, read: Callable[[], Files], refreshed_seconds: float = REFRESHED_SECONDS) -> None:
        self._source, self._read, self._refreshed_seconds = source, read, refreshed_seconds
        self._lock = threading.Lock()
        self._kept: tuple[float, tuple[Runbook, ...]] = (0.0, ())

    @property
    def as_of(self) -> datetime:
        return clock.now()

    def runbooks(self) -> tuple[Runbook, ...]:
        """Return the runbooks; those of before, where they can't be read again. Raises Refused where there are none yet."""
        with self._lock:
            if self._kept[0] < time.monotonic():
                self._kept = (time.monotonic() + self._refreshed_seconds, self._renew())
            return self._kept[1]

    def check(self) -> Problem | None:
        """Explain why no runbook can be read; None where some can."""
        try:
            return None if _parse_all(self._read()) else _no_runbook(self._source)
        except Refused as refused:
            return refused.problems[0]

    def _renew(self) -> tuple[Runbook, ...]:
        try:
            return _parse_all(self._read())
        except Refused as refused:
            if not self._kept[1]:
                raise
            log.get().warning("source.failed", code=refused.problems[0].code, what=refused.problems[0].what)
            return self._kept[1]


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
