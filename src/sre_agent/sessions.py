"""The questions of this user, kept in SQLite under the state folder: a question that continues refers to the one before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sre_agent.reading import part, text
from sre_core import clock

CONTINUES_FOR = timedelta(hours=1)
_TABLE = """CREATE TABLE IF NOT EXISTS turns (
    session TEXT NOT NULL, at TEXT NOT NULL, prompt TEXT NOT NULL, kind TEXT NOT NULL,
    subject TEXT NOT NULL, namespace TEXT NOT NULL, report TEXT NOT NULL)"""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One question of a session, what it was about, and the report that answered it."""

    at: str
    prompt: str
    kind: str
    subject: str
    namespace: str
    report: str

    def to_json(self) -> dict[str, object]:
        """Return the form in which the next question sends it along."""
        return {"kind": self.kind, "subject": self.subject, "namespace": self.namespace, "prompt": self.prompt}


class Sessions:
    """The sessions of one state folder. What can't be kept is not continued: an answer never depends on this file."""

    def __init__(self, state: Path) -> None:
        self._path = state / "sessions.sqlite3"

    def last(self, session: str) -> Turn | None:
        """Return the last question of a session, unless it is too long ago to be meant."""
        turns = self.turns(session)
        recent = turns and clock.now() - clock.parse(turns[-1].at) <= CONTINUES_FOR
        return turns[-1] if recent else None

    def turns(self, session: str) -> tuple[Turn, ...]:
        """Return the questions of a session, the oldest first."""
        if not self._path.exists():
            return ()
        try:
            with self._open() as database:
                rows = database.execute(
                    "SELECT at, prompt, kind, subject, namespace, report FROM turns WHERE session = ? ORDER BY rowid", (session,)
                ).fetchall()
        except sqlite3.Error:
            return ()
        return tuple(Turn(at=row[0], prompt=row[1], kind=row[2], subject=row[3], namespace=row[4], report=row[5]) for row in rows)

    def add(self, session: str, prompt: str, report: Mapping[str, object]) -> bool:
        """Keep a question. Returns false where it can't be kept."""
        subject = part(report, "subject")
        row = (session, clock.stamp(), prompt, text(report, "kind"), text(subject, "name"), text(subject, "namespace"))
        try:
            with self._open() as database:
                database.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?)", (*row, text(report, "investigation_id")))
        except (sqlite3.Error, OSError):
            return False
        return True

    def clear(self, session: str) -> None:
        """Forget the questions of a session; their reports stay."""
        if self._path.exists():
            with self._open() as database:
                database.execute("DELETE FROM turns WHERE session = ?", (session,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._path.exists():
            self._path.touch(mode=0o600)
        database = sqlite3.connect(self._path, timeout=5)
        try:
            with database:
                database.execute(_TABLE)
                yield database
        finally:
            database.close()
