"""Start and end the one local AWS of a state folder, in the background."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from embedded_aws import problems, registry
from embedded_aws.instances import short_folder
from embedded_aws.registry import Registry
from sre_core.problem import Problem
from sre_core.process import Fate

DEFAULT_REGION = "us-east-1"
READY = b"ready"
BUSY = b"busy"
_START_TIMEOUT = 60.0
_STOP_TIMEOUT = 15.0


class State(Enum):
    """The state that `status` prints."""

    RUNNING = "running"
    STOPPED = "stopped"
    DIED = "died"
    REBOOTED = "gone with a reboot"


def state_of(found: Registry | None) -> State:
    """Return the state of the last start."""
    if found is None:
        return State.STOPPED
    return {Fate.RUNNING: State.RUNNING, Fate.DIED: State.DIED, Fate.REBOOTED: State.REBOOTED}[found.process.fate()]


def start(state_dir: Path, region: str | None, *options: str) -> Registry | Problem:
    """Return the running local AWS, or start one with these options of `serve`. Two callers at once get the same one."""
    if problem := prepare(state_dir):
        return problem
    deadline = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < deadline:
        found = registry.read(state_dir)
        if found and found.running():
            return found if region in (None, found.region) else problems.other_region(found, str(region))
        outcome, output = _spawn(state_dir, ("--region", region or DEFAULT_REGION, *options), deadline)
        if outcome == BUSY:
            # Another process starts or ends one now; soon there is one to find, or the lock is free.
            time.sleep(0.1)
        elif outcome != READY:
            return problems.died_at_start(state_dir / "embedded-aws.log", output)
    return problems.start_took_too_long(state_dir / "embedded-aws.log", _START_TIMEOUT)


def prepare(state_dir: Path) -> Problem | None:
    """Create the state folder, accessible only to its owner."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return problems.no_state_dir(state_dir, error)
    return None


def stop(state_dir: Path) -> State | Problem:
    """End the local AWS and every process that it started; return its state before."""
    found = registry.read(state_dir)
    before = state_of(found)
    if found is None:
        return _delete_files_of_starts(state_dir, before)
    if not found.process.end(timeout=_STOP_TIMEOUT):
        return problems.does_not_end(found)
    left = registry.read(state_dir)
    if left and left.start_id == found.start_id:
        registry.path_in(state_dir).unlink(missing_ok=True)
    return _delete_files_of_starts(state_dir, before)


def _delete_files_of_starts(state_dir: Path, before: State) -> State:
    """Delete the files of every start, unless another start begins now, which then does it."""
    if any(state_dir.glob("start-*")):
        with try_lock(state_dir):
            pass
    return before


@contextmanager
def try_lock(state_dir: Path) -> Iterator[bool]:
    """Take the lock of the state folder and yield whether it was free; the system releases it when the process ends."""
    with (state_dir / "embedded-aws.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        _delete_killed_starts(state_dir)
        yield True


def _delete_killed_starts(state_dir: Path) -> None:
    """Delete the disks and sockets of starts that were killed; only the owner of the lock may call this."""
    for left_over in state_dir.glob("start-*"):
        short_folder.delete_short_folders(left_over)
        shutil.rmtree(left_over, ignore_errors=True)


def detach() -> None:
    """Detach from the calling process: the parent ends, and the child can't get a terminal."""
    if os.fork():
        os._exit(0)


def _spawn(state_dir: Path, options: tuple[str, ...], deadline: float) -> tuple[bytes, str]:
    """Start `serve` in its own session; return what it reported through a pipe, and what it wrote to its log."""
    reading, writing = os.pipe()
    log_file = state_dir / "embedded-aws.log"
    with os.fdopen(os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        before = log.tell()
        command = [sys.executable, "-m", "embedded_aws", "serve", "--state-dir", str(state_dir), *options]
        process = subprocess.Popen(  # noqa: S603
            [*command, "--ready-fd", str(writing)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(writing,),
            start_new_session=True,
        )
    os.close(writing)
    process.wait()  # it ends once the daemon is detached
    with os.fdopen(reading, "rb") as report:
        in_time, _, _ = select.select([report], [], [], max(0.0, deadline - time.monotonic()))
        outcome = report.read() if in_time else b""
    return outcome, log_file.read_bytes()[before:].decode(errors="replace")
