"""Identify a process: the system reuses its number, so its start time and the boot are part of its identity."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_PROC = Path("/proc")
_STILL_ENDING_AFTER = 0.02


class Fate(Enum):
    """The state of an identified process."""

    RUNNING = "running"
    DIED = "died"
    REBOOTED = "rebooted"


@dataclass(frozen=True)
class Identity:
    """One process of one boot of one machine."""

    pid: int
    process_started: str
    boot_id: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Return the identity of a running process; None where there is none."""
        started = _start_time(pid)
        return cls(pid, started, boot_id()) if started else None

    @classmethod
    def mine(cls) -> Identity:
        found = cls.of(os.getpid())
        if found is None:
            raise OSError("this system does not say when a process started")
        return found

    def fate(self) -> Fate:
        """Return whether the process still runs; a zombie does not."""
        if self.boot_id != boot_id():
            return Fate.REBOOTED
        return Fate.RUNNING if _start_time(self.pid) == self.process_started else Fate.DIED

    def end(self, *, timeout: float) -> bool:
        """Send SIGTERM, then SIGKILL. Return whether it is gone; another process with the same number is never touched."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.fate() is not Fate.RUNNING:
                return True
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return True
            if self._gone_within(timeout):
                return True
        return False

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.fate() is not Fate.RUNNING:
                return True
            time.sleep(_STILL_ENDING_AFTER)
        return False


def boot_id() -> str:
    """Return a value that is different for each boot of this machine."""
    linux = _PROC / "sys/kernel/random/boot_id"
    if linux.exists():
        return linux.read_text().strip()
    return _output("sysctl", "-n", "kern.bootsessionuuid")


def _start_time(pid: int) -> str:
    """Return when the process started, as the system spells it; "" where it does not run."""
    if (_PROC / "self/stat").exists():
        return _linux_start_time(pid)
    state_and_start = _output("ps", "-o", "stat=,lstart=", "-p", str(pid)).split(None, 1)
    if len(state_and_start) != 2 or state_and_start[0].startswith("Z"):
        return ""
    return state_and_start[1].strip()


def _linux_start_time(pid: int) -> str:
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The second field is the name of the program in brackets and may contain anything, so the fields after it are counted.
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in ("Z", "X") else rest[18]


def _output(*command: str) -> str:
    # The C locale, so that the same moment is always spelled the same.
    environment: Mapping[str, str] = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment).stdout.strip()  # noqa: S603
