"""Sessions in SQLite: a file of one machine, which one user or one service owns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sre_agent.sessions.session import KEPT_FOR, Turn, not_kept, not_read
from sre_core import clock
from sre_core.problem import Problem

_TABLE = """CREATE TABLE IF NOT EXISTS turns (
    session TEXT NOT NULL, at TEXT NOT NULL, prompt TEXT NOT NULL, kind TEXT NOT NULL,
    subject TEXT NOT NULL, namespace TEXT NOT NULL, report TEXT NOT NULL)"""
_DO = "See that its folder can be written and the disk has room; a damaged file can be deleted."


class SqliteSessions:
    """The sessions in `sessions.sqlite3` of one folder."""

    def __init__(self, folder: Path, kept_for: timedelta = KEPT_FOR) -> None:
        self._path = folder / "sessions.sqlite3"
        self._kept_for = kept_for

    def last(self, session: str) -> Turn | Problem | None:
        """Return the last question of a session."""
        turns = self.turns(session)
        return turns if isinstance(turns, Problem) else turns[-1] if turns else None

    def turns(self, session: str) -> tuple[Turn, ...] | Problem:
        """Return the questions of a session that are kept, the oldest first."""
        if not self._path.exists():
            return ()
        try:
            with self._open() as database:
                rows = database.execute(
                    "SELECT at, prompt, kind, subject, namespace, report FROM turns WHERE session = ? AND at >= ? ORDER BY rowid",
                    (session, self._oldest()),
                ).fetchall()
        except (sqlite3.Error, OSError) as error:
            return not_read(f"{self._path}: {error}", _DO)
        return tuple(Turn(at=row[0], prompt=row[1], kind=row[2], subject=row[3], namespace=row[4], report=row[5]) for row in rows)

    def add(self, session: str, turn: Turn) -> Problem | None:
        """Keep a question, and delete those whose time is up."""
        row = (session, turn.at, turn.prompt, turn.kind, turn.subject, turn.namespace, turn.report)
        try:
            with self._open() as database:
                database.execute("DELETE FROM turns WHERE at < ?", (self._oldest(),))
                database.execute("INSERT INTO turns VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        except (sqlite3.Error, OSError) as error:
            return not_kept(f"{self._path}: {error}", _DO)
        return None

    def _oldest(self) -> str:
        return clock.stamp(clock.now() - self._kept_for)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._path.exists():
            self._path.touch(mode=0o600)
        database = sqlite3.connect(self._path, timeout=5)
        try:
            # What is deleted is overwritten in the file, too.
            database.execute("PRAGMA secure_delete = ON")
            with database:
                database.execute(_TABLE)
                yield database
        finally:
            database.close()
