"""One deployment, one writer: who it is, and the lock of a local file, which dies with its owner."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from sre_core import clock
from sre_core.problem import Problem, Refused
from sre_core.state_folder import state_folder


@dataclass(frozen=True)
class Owner:
    """Who holds a lock, where, since when and for what. `expires` is empty where the lock dies with its owner."""

    command: str = "sre-agent-deploy"
    who: str = "somebody"
    host: str = "this host"
    pid: int = 0
    since: str = "a moment ago"
    expires: str = ""
    nonce: str = field(default="", repr=False)
    machine: str = field(default="", repr=False)

    @classmethod
    def me(cls, command: str, *, expires: str = "", nonce: str = "") -> Owner:
        return cls(command, who(), socket.gethostname(), os.getpid(), clock.stamp(), expires, nonce, _machine())

    def dead(self) -> bool:
        """Whether it was a process here and is no more; of another machine's processes nothing is known."""
        if not self.machine or self.machine != _machine():
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return True
        except PermissionError:
            return False
        return False

    @classmethod
    def parse(cls, text: bytes) -> Owner:
        """The owner that a lock tells of, as far as it can be read."""
        try:
            told = json.loads(text)
            return cls(**{f.name: told[f.name] for f in fields(cls) if isinstance(told.get(f.name), type(f.default))})
        except (ValueError, AttributeError):
            return cls()

    def written(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    def __str__(self) -> str:
        until = f", until {self.expires} unless renewed" if self.expires else ""
        return f"{self.who} on {self.host} (process {self.pid or '?'}) runs `{self.command}` since {self.since}{until}"


@contextlib.contextmanager
def held(state_file: Path, command: str) -> Iterator[None]:
    """Hold the lock of a state file, or raise Refused saying who holds it, since when and where.

    The kernel releases the lock when its owner dies, however it dies: a dead owner is never waited for.
    """
    path = _path(state_file)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(taken(Owner.parse(path.read_bytes()), str(state_file))) from error
        _note(handle, path, Owner.me(command))
        yield
        os.truncate(handle, 0)
    finally:
        os.close(handle)


def of_deployment(deployment: str) -> Path:
    """What this user's runs hold on this machine while they work on a deployment, whichever state file they write."""
    return state_folder() / "locks" / deployment


def owner(state_file: Path) -> Owner | None:
    """Who holds the lock of a state file now. What a dead owner left in the lock file means nothing."""
    path = _path(state_file)
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


def _note(handle: int, path: Path, owner: Owner) -> None:
    try:
        os.truncate(handle, 0)
        os.write(handle, owner.written())
    except OSError as error:
        # A full disk is told with the name of the file, which a descriptor does not have.
        raise OSError(error.errno, error.strerror, str(path)) from error


def _machine() -> str:
    """Where a process number means the same process: hosts may share a name, and a container counts for itself."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def who() -> str:
    """The user's name, or the number where the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def taken(owner: Owner, place: str) -> Problem:
    """Somebody else is the one writer."""
    if owner.expires:
        last = f"If it is dead, its lock ends at {owner.expires}; sooner: `sre-agent-deploy unlock --state-file {place}`."
    else:
        last = "If it hangs, end that process; the lock goes with it."
    return Problem(
        code="STATE-LOCKED",
        what=f"Another process works on this deployment: {owner}.",
        why=f"Two at once would create things twice; {place} is locked.",
        do=(
            "Wait until it ends, then run the same command again; where it was begun, `sre-agent-deploy status` shows how far.",
            last,
        ),
    )


def _path(state_file: Path) -> Path:
    return state_file.with_name(state_file.name + ".lock")
