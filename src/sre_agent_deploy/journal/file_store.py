"""The state in a local file: one JSON document, replaced atomically, never overwritten when it is damaged."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sre_agent_deploy.journal.lock import Owner, find_owner, hold_lock
from sre_agent_deploy.journal.state import State, parse_state, render_state
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
        """Load the state, None where there is no file, or a Problem. Never changes the file."""
        try:
            return parse_state(self.path.read_bytes(), str(self.path))
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unreadable(self.path, error)

    def save(self, state: State) -> None:
        """Replace the file durably. Raises Refused on failure; the old file is then unchanged."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_file.write(self.path, render_state(state), mode=0o600)
        except OSError as error:
            raise Refused(_not_saved(self.path, error)) from error

    def lock(self, command: str) -> AbstractContextManager[None]:
        return hold_lock(self.path, command)

    def lock_owner(self) -> Owner | None:
        return find_owner(self.path)

    def unlock(self) -> Owner | Problem | None:
        """Refuse to take a lock that is held: the lock of a file ends with its owner, so its owner is alive."""
        owner = self.lock_owner()
        return _owner_alive(owner, self.path) if owner else None


def _owner_alive(owner: Owner, path: Path) -> Problem:
    return Problem(
        code="UNLOCK-OWNER-ALIVE",
        what=f"The lock of {path} was not taken: {owner}.",
        why="The lock of a local file ends with its owner, so its owner is alive and at work.",
        do=(f"Wait until it ends (`ps -p {owner.pid}`), or end it (`kill {owner.pid}`): then the lock is free.",),
    )


def _unreadable(path: Path, error: OSError) -> Problem:
    return Problem(
        code="STATE-UNREADABLE",
        what=f"The state file {path} could not be read. Nothing was changed.",
        why=str(error),
        do=(
            f"See who may read it (`ls -l {path}`) and make it yours: `sudo chown $USER {path}`.",
            "Or name another state file: --state-file PATH",
        ),
    )


def _not_saved(path: Path, error: OSError) -> Problem:
    return Problem(
        code="STATE-NOT-SAVED",
        what=f"The state file {path} could not be written.",
        why=str(error),
        do=(
            f"Free some space (`df -h {path.parent}`) and make {path.parent} writable for you (`ls -ld {path.parent}`).",
            "Run the same command again: it continues, and nothing was created that is not recorded.",
        ),
    )
