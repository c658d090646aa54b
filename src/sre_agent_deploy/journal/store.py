"""The stores that keep the state: their protocol, the choice of one, and the local file: one JSON document, replaced
atomically, never overwritten when it is damaged."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.journal.lock import Lease, Owner, describe_run, find_other_run, find_owner, hold_lock, take_away_lock
from sre_agent_deploy.journal.state import State, parse_state, render_state
from sre_core import atomic_file
from sre_core.problem import Problem, Refused


class Store(Protocol):
    """Keeps one State, completely or not at all, for one writer at a time."""

    @property
    def location(self) -> str:
        """The path or URI, as a user would write it."""
        ...

    def load(self) -> State | Problem | None:
        """Load the state, None where there is none yet, or a Problem. Never changes what is stored."""
        ...

    def save(self, state: State) -> None:
        """Save the state durably. Raises Refused on failure; what was stored before is then unchanged."""
        ...

    def lock(self, command: str) -> AbstractContextManager[Lease]:
        """Hold the lock of this state, or raise Refused with its owner. The lease says if it is still this run's."""
        ...

    def lock_owner(self) -> Owner | None:
        """Return the owner of the lock, None where it is free."""
        ...

    def unlock(self) -> Owner | Problem | None:
        """Take the lock from an owner that can't release it. Returns that owner, or a Problem if it is still alive."""
        ...


def is_s3(location: Path | str) -> bool:
    """Check if a location is an object in S3, not a file of this machine."""
    # As a Path, `s3://bucket/key` has lost one of its slashes.
    return Path(location).parts[:1] == ("s3:",)


def open_store(location: Path | str, aws: Callable[[], Aws]) -> Store:
    """Choose the store of a location. Calls `aws` only for S3, and raises Refused on an S3 URI without a key."""
    if not is_s3(location):
        return FileStore(Path(location).absolute())
    _, *parts = Path(location).parts
    if len(parts) < 2:
        raise Refused(_no_key(str(location)))
    from sre_agent_deploy.journal.s3_store import S3Store

    return S3Store(aws(), parts[0], "/".join(parts[1:]))


def _no_key(location: str) -> Problem:
    return Problem(
        code="STATE-URI",
        what=f"{location} names no object for the state.",
        why="A state in S3 needs a bucket and a key.",
        do=("Write bucket and key, for example s3://my-bucket/sre-agent/state.json",),
    )


class FileStore:
    """Keeps a State in a local file of mode 0600."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: State | None = None
        self._document: bytes | None = None
        self._lease: Lease | None = None

    @property
    def location(self) -> str:
        return str(self.path)

    def load(self) -> State | Problem | None:
        """Load the state, None where there is no file, or a Problem. Never changes the file."""
        document = self._read_bytes()
        loaded = self._parse(document)
        self._known = loaded if isinstance(loaded, State) else None
        self._document = None if isinstance(document, Problem) else document or b""
        return loaded

    def _parse(self, document: bytes | Problem | None) -> State | Problem | None:
        if not isinstance(document, bytes):
            return document
        parsed = parse_state(document, str(self.path))
        return _offer_backup(parsed, self.path, self.backup) if isinstance(parsed, Problem) else parsed

    def _read_bytes(self) -> bytes | Problem | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unreadable(self.path, error)

    @property
    def backup(self) -> Path:
        """The state before the last save, beside the file itself: where the path is a link, beside what it leads to."""
        return self.path.resolve().with_name(f"{self.path.resolve().name}.backup")

    def save(self, state: State) -> None:
        """Replace the file durably. Raises Refused on failure, or if the lock was lost; the old file is then unchanged."""
        document = render_state(state)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file.replace(self.path, mode=0o600) as file:
                # The new file is there before the lock is looked at: a run that takes the lock over later deletes it.
                self._require_lock()
                self._keep_last()
                file.write(document)
        except OSError as error:
            self._require_lock()
            raise Refused(_not_saved(self.path, error)) from error
        self._known, self._document = state, document

    def _require_lock(self) -> None:
        if self._lease:
            self._lease.require()

    def _keep_last(self) -> None:
        """Keep the generation that is about to be replaced. Raises Refused if it is not the one that this run knows."""
        if self._document is None:
            return
        current = self._read_bytes()
        if current != (self._document or None):
            self._require_lock()
            raise Refused(_changed(self.path))
        if isinstance(current, bytes):
            _keep_beside(self.path.resolve(), self.backup, current)

    @contextmanager
    def lock(self, command: str) -> Iterator[Lease]:
        with hold_lock(self.path, command, lambda: describe_run(find_other_run(self._known, self._parse(self._read_bytes())))) as lease:
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


def _keep_beside(path: Path, backup: Path, content: bytes) -> None:
    """Keep a file under a second name. Its content stays where it is on the disk, if the file system can do that."""
    new = backup.with_name(f".{backup.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    try:
        new.hardlink_to(path)
    except OSError:
        atomic_file.write(backup, content, mode=0o600)
    else:
        new.replace(backup)
        # Where the last save failed, both are names of one file already, and the rename did nothing.
        new.unlink(missing_ok=True)


def _offer_backup(problem: Problem, path: Path, backup: Path) -> Problem:
    """Offer the last good generation, if there is one."""
    try:
        kept = parse_state(backup.read_bytes(), str(backup))
    except OSError:
        return problem
    if problem.code != "STATE-DAMAGED" or isinstance(kept, Problem):
        return problem
    age = f"the state before its last save, number {kept.serial}"
    again = "then run the same command again: what was created since is found by its tags"
    return replace(problem, do=(f"Go back to the last good generation: `cp {backup} {path}` ({age}); {again}.", *problem.do[1:]))


def _changed(path: Path) -> Problem:
    return Problem(
        code="STATE-CHANGED",
        what=f"The state file {path} was changed during this run. It was not overwritten.",
        why="Another program wrote it (an editor, a synchronised folder, version control) although this run has its lock.",
        do=(
            f"See what it has now: `sre-agent-deploy state list --state-file {path}`.",
            "If it is the right one, run the same command again: it continues; what it lacks is found by its tags.",
        ),
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
