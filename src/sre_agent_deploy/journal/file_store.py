"""The state file: one JSON document, replaced atomically, never overwritten when it is damaged."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sre_agent_deploy.journal.document import parse_state, render_state
from sre_agent_deploy.journal.lock import Owner, find_owner, hold_lock
from sre_agent_deploy.journal.record import State
from sre_core import atomic_file
from sre_core.problem import Problem, Refused


class FileStore:
    """Keeps a State in a local file of mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def location(self) -> str:
        return str(self.path)

    def load(self) -> State | Problem | None:
        """The state in the file, None where there is no file, or a Problem; the file is never changed."""
        try:
            return parse_state(self.path.read_bytes(), str(self.path))
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unreadable(self.path, error)

    def save(self, state: State) -> None:
        """Replace the file, durably. Raises Refused where that fails; the old file is then as it was."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_file.write(self.path, render_state(state), mode=0o600)
        except OSError as error:
            raise Refused(_unsaved(self.path, error)) from error

    def lock(self, command: str) -> AbstractContextManager[None]:
        return hold_lock(self.path, command)

    def lock_owner(self) -> Owner | None:
        return find_owner(self.path)

    def unlock(self) -> Owner | Problem | None:
        """A file's lock dies with its owner: what is held is held by a process that lives."""
        owner = self.lock_owner()
        return _alive(owner, self.path) if owner else None


def _alive(owner: Owner, path: Path) -> Problem:
    return Problem(
        code="UNLOCK-OWNER-LIVES",
        what=f"The lock of {path} was not taken away: {owner}.",
        why="The lock of a file goes with its owner, so this one is alive and at work.",
        do=(f"Wait until it ends; or end it (`kill {owner.pid}`), and the lock is free.",),
    )


def _unreadable(path: Path, error: OSError) -> Problem:
    return Problem(
        code="STATE-UNREADABLE",
        what=f"The state file {path} could not be read.",
        why=str(error),
        do=(f"Make it readable for you (`ls -l {path}`), or name another with --state-file.", "Nothing was changed."),
    )


def _unsaved(path: Path, error: OSError) -> Problem:
    return Problem(
        code="STATE-NOT-SAVED",
        what=f"The state file {path} could not be written.",
        why=str(error),
        do=(
            f"Make room and give yourself the right to write in {path.parent} (`df -h {path.parent}`).",
            "Run the same command again; it continues, and nothing was made that is not recorded.",
        ),
    )
