"""The protocol of a store that keeps the state, and the choice of one: a local file, or `s3://bucket/key`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.journal.file_store import FileStore
from sre_agent_deploy.journal.lock import Lease, Owner
from sre_agent_deploy.journal.state import State
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
