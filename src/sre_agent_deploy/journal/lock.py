"""One writer per deployment: the owner of a lock, and the lock of a local file, which the kernel releases when its owner dies;
and the lease, by which a run notices that another one has taken its lock over.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Protocol

from sre_agent_deploy.journal.state import Run, State
from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_core.state_folder import state_folder


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock: user, host, start and command. `expires` is empty where the lock ends with the process."""

    command: str = "sre-agent-deploy"
    who: str = "an unknown user"
    host: str = "this host"
    pid: int = 0
    since: str = "a moment ago"
    expires: str = ""
    nonce: str = field(default="", repr=False)
    machine: str = field(default="", repr=False)

    @classmethod
    def me(cls, command: str, *, expires: str = "", nonce: str = "") -> Owner:
        return cls(command, user_name(), socket.gethostname(), os.getpid(), clock.stamp(), expires, nonce, _machine())

    def dead(self) -> bool:
        """Check if it was a process of this machine and has ended; about other machines' processes nothing is known."""
        if not self.is_here():
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            return False
        return False

    def is_here(self) -> bool:
        """Check if it is a process of this machine, whose number means something here."""
        return bool(self.machine) and self.machine == _machine()

    def is_stopped(self) -> bool:
        """Check if it is a process of this machine that was stopped (SIGSTOP, Ctrl-Z) and may be woken at any time."""
        if not self.is_here():
            return False
        try:
            # The state follows the name, which is in brackets and may contain some itself: proc(5).
            return Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0] in ("T", "t")
        except (OSError, IndexError):
            return False

    @classmethod
    def parse(cls, text: bytes) -> Owner:
        """Read the owner from a lock's content; what can't be read keeps its default."""
        try:
            values = json.loads(text)
            return cls(**{f.name: values[f.name] for f in fields(cls) if isinstance(values.get(f.name), type(f.default))})
        except (ValueError, AttributeError):
            return cls()

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    def __str__(self) -> str:
        until = f", until {self.expires} unless renewed" if self.expires else ""
        return f"{self.who} on {self.host} (process {self.pid or '?'}) runs `{self.command}` since {self.since}{until}"


class FileLease:
    """An acquired lock of a file. It is lost when another file has the locked file's name."""

    def __init__(self, handle: int, path: Path, location: str, find_taker: Callable[[], str]) -> None:
        self._handle, self._path, self._location, self._find_taker = handle, path, location, find_taker
        self._lost: Problem | None = None

    def require(self) -> None:
        """Raise Refused, now and at every later call, if another run can have taken the lock."""
        if not self._lost and not _is_at(self._handle, self._path):
            owner = _find_owner(self._path)
            self._lost = lock_lost(self._location, str(owner) if owner else self._find_taker())
        if self._lost:
            raise Refused(self._lost)


@contextlib.contextmanager
def hold_lock(state_file: Path, command: str, find_taker: Callable[[], str] = lambda: "") -> Iterator[Lease]:
    """Hold the lock of a state file, or raise Refused with its owner.

    The kernel releases the lock when its owner ends in any way, so no run waits for a dead owner. `find_taker` says which run has
    taken a lock over that is free again.
    """
    path = _path(state_file)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _lock_file(path, str(state_file))
    try:
        _write_owner(handle, path, Owner.me(command))
        yield FileLease(handle, path, str(state_file), find_taker)
        os.truncate(handle, 0)
    finally:
        os.close(handle)


def _lock_file(path: Path, location: str) -> int:
    """Open and lock the file that is under this name now, or raise Refused with its owner."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise Refused(locked_problem(Owner.parse(path.read_bytes()), location)) from error
        if _is_at(handle, path):
            return handle
        # `unlock` has removed this file after it was opened here.
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def take_away_lock(state_file: Path) -> Owner | Problem | None:
    """Take a lock from an owner that can't release it: a stopped process, or one of another machine. Returns that owner.

    An owner that runs on this machine keeps its lock; the Problem says how to end it. A stopped one that is woken sees that its
    lock is gone before it changes anything.
    """
    owner = find_owner(state_file)
    if owner and owner.is_here() and not owner.is_stopped():
        return _owner_alive(owner, state_file)
    if owner:
        _path(state_file).unlink(missing_ok=True)
    return owner


def deployment_lock(deployment: str) -> Path:
    """Return the file that this user's runs lock while they change a deployment, with any state file."""
    return state_folder() / "locks" / deployment


def find_owner(state_file: Path) -> Owner | None:
    """Return the owner of a state file's lock, None where it is free. The content that a dead owner left is ignored."""
    return _find_owner(_path(state_file))


def _find_owner(path: Path) -> Owner | None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Owner.parse(path.read_bytes())
    finally:
        os.close(handle)
    return None


def _write_owner(handle: int, path: Path, owner: Owner) -> None:
    try:
        os.truncate(handle, 0)
        os.write(handle, owner.to_bytes())
    except OSError as error:
        # The message about a full disk names the file, which a descriptor does not know.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _machine() -> str:
    """Identify where process numbers are comparable: two hosts may have the same name, and each container has its own numbers."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def user_name() -> str:
    """Return the user's name, or the number where the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def locked_problem(owner: Owner, location: str) -> Problem:
    """Report that another process holds the lock of this state."""
    if owner.is_stopped():
        last = (
            f"That process is stopped. Continue it: `kill -CONT {owner.pid}`; or take its lock away: "
            f"`sre-agent-deploy unlock --state-file {location}` (it then changes nothing more)."
        )
    elif owner.expires:
        last = f"If it is dead, its lock ends at {owner.expires}; to end it now: `sre-agent-deploy unlock --state-file {location}`."
    else:
        last = f"If it hangs, end that process (`kill {owner.pid or 'PID'}`); its lock ends with it."
    return Problem(
        code="STATE-LOCKED",
        what=f"Another process is changing this deployment: {owner}.",
        why=f"Two runs at once would create resources twice, so {location} is locked.",
        do=(
            "Wait until it ends, then run the same command again. Its progress: `sre-agent-deploy status` in its folder.",
            last,
        ),
    )


def _owner_alive(owner: Owner, path: Path) -> Problem:
    return Problem(
        code="UNLOCK-OWNER-ALIVE",
        what=f"The lock of {path} was not taken: {owner}.",
        why="The lock of a local file ends with its owner, so its owner is alive and at work.",
        do=(f"Wait until it ends (`ps -p {owner.pid}`), or end it (`kill {owner.pid}`): then the lock is free.",),
    )


def _path(state_file: Path) -> Path:
    # Two links to one state file are one lock.
    resolved = state_file.resolve()
    return resolved.with_name(f"{resolved.name}.lock")


class Lease(Protocol):
    """A lock that this run has taken and may lose: by `unlock`, or by sleeping for longer than its lease."""

    def require(self) -> None:
        """Raise Refused, now and at every later call, if the lock is no longer this run's."""
        ...


def find_other_run(own: State | None, stored: State | Problem | None) -> Run | None:
    """Find the newest run that a stored state has and this run's own copy has not (pure)."""
    known = own.runs if own else ()
    others = [run for run in stored.runs if run not in known] if isinstance(stored, State) else []
    return others[-1] if others else None


def describe_run(run: Run | None) -> str:
    """Describe the run that took the lock over and has released it since; empty without one."""
    if run is None:
        return ""
    ended = f"ended at {run.ended} ({run.result})" if run.ended else "has not recorded its end"
    return f"{run.who} on {run.host} began `{run.command}` at {run.started}, which {ended}"


def lock_lost(location: str, taker: str) -> Problem:
    """Report that another run took the lock of this one over. `taker` says which; it is empty where none has begun yet."""
    cause = f"taken over while this run slept or was cut off: {taker}" if taker else "taken away, and no other run has begun since"
    return Problem(
        code="LOCK-LOST",
        what=f"This run ended because it no longer holds the lock of {location}. It made no further change.",
        why=f"The lock was {cause}.",
        do=(
            f"See what was done meanwhile: `sre-agent-deploy history --state-file {location}`.",
            "When no other run is at work, run the same command again: it continues from what both runs have recorded.",
        ),
    )
