"""The state in a local file: one JSON document, replaced atomically, never overwritten when it is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sre_agent_deploy.journal.lease import Lease, describe_run, find_other_run
from sre_agent_deploy.journal.lock import Owner, find_owner, hold_lock, take_away_lock
from sre_agent_deploy.journal.state import State, parse_state, render_state
from sre_core import atomic_file
from sre_core.problem import Problem, Refused


class FileStore:
    """Keeps a State in a local file of mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: State | None = None
        self._lease: Lease | None = None

    @property
    def location(self) -> str:
        return str(self.path)

    def load(self) -> State | Problem | None:
        """Load the state, None where there is no file, or a Problem. Never changes the file."""
        loaded = self._read()
        self._known = loaded if isinstance(loaded, State) else None
        return loaded

    def _read(self) -> State | Problem | None:
        try:
            return parse_state(self.path.read_bytes(), str(self.path))
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unreadable(self.path, error)

    def save(self, state: State) -> None:
        """Replace the file durably. Raises Refused on failure, or if the lock was lost; the old file is then unchanged."""
        if self._lease:
            self._lease.require()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            atomic_file.write(self.path, render_state(state), mode=0o600)
        except OSError as error:
            if self._lease:
                self._lease.require()
            raise Refused(_not_saved(self.path, error)) from error
        self._known = state

    @contextmanager
    def lock(self, command: str) -> Iterator[Lease]:
        with hold_lock(self.path, command, lambda: describe_run(find_other_run(self._known, self._read()))) as lease:
            self._lease = lease
            # A run that was stopped while it saved would otherwise finish when it wakes.
            atomic_file.cancel_writers(self.path)
            try:
                yield lease
            finally:
                self._lease = None

    def lock_owner(self) -> Owner | None:
        return find_owner(self.path)

    def unlock(self) -> Owner | Problem | None:
        """Take the lock from an owner that is stopped, or on another machine; one that works here keeps it."""
        return take_away_lock(self.path)


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
