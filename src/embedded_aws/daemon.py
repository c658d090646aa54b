"""Starting and ending the one AWS of a state folder, in the background."""

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
from embedded_aws.process import Fate
from embedded_aws.registry import Registry
from sre_core.problem import Problem

DEFAULT_REGION = "us-east-1"
READY = b"ready"
BUSY = b"busy"
_START_PATIENCE = 60.0
_STOP_PATIENCE = 15.0


class State(Enum):
    """What `status` says."""

    RUNNING = "running"
    STOPPED = "stopped"
    DIED = "died"
    REBOOTED = "gone with a reboot"


def state_of(found: Registry | None) -> State:
    """What became of the last start."""
    if found is None:
        return State.STOPPED
    return {Fate.RUNNING: State.RUNNING, Fate.DIED: State.DIED, Fate.REBOOTED: State.REBOOTED}[found.process.fate()]


def start(state_dir: Path, region: str | None, *options: str) -> Registry | Problem:
    """The AWS that runs there, started (with these options of `serve`) where none does. Two at once get the same one."""
    if problem := prepare(state_dir):
        return problem
    deadline = time.monotonic() + _START_PATIENCE
    while time.monotonic() < deadline:
        found = registry.read(state_dir)
        if found and found.running():
            return found if region in (None, found.region) else problems.other_region(found, str(region))
        outcome, output = _spawn(state_dir, ("--region", region or DEFAULT_REGION, *options), deadline)
        if outcome == BUSY:
            # Somebody else starts or ends one at this moment; soon there is one to find, or room for ours.
            time.sleep(0.1)
        elif outcome != READY:
            return problems.died_at_start(state_dir / "embedded-aws.log", output)
    return problems.start_took_too_long(state_dir / "embedded-aws.log", _START_PATIENCE)


def prepare(state_dir: Path) -> Problem | None:
    """Make the state folder, for its owner alone."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        return problems.no_state_dir(state_dir, error)
    return None


def stop(state_dir: Path) -> State | Problem:
    """End it and every process it started; what it was before is the answer."""
    found = registry.read(state_dir)
    before = state_of(found)
    if found is None:
        return _swept(state_dir, before)
    if not found.process.end(patience=_STOP_PATIENCE):
        return problems.does_not_end(found)
    left = registry.read(state_dir)
    if left and left.start_id == found.start_id:
        registry.path_in(state_dir).unlink(missing_ok=True)
    return _swept(state_dir, before)


def _swept(state_dir: Path, before: State) -> State:
    """Leave nothing of any start, unless another one begins at this moment, which then does it."""
    if any(state_dir.glob("start-*")):
        with only_one(state_dir):
            pass
    return before


@contextmanager
def only_one(state_dir: Path) -> Iterator[bool]:
    """Whether this process is the one of its state folder; the system lets go of it whichever way the process ends."""
    with (state_dir / "embedded-aws.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        _remove_left_over(state_dir)
        yield True


def _remove_left_over(state_dir: Path) -> None:
    """Remove the disks and sockets of the instances of starts that were killed; only for the one of its state folder."""
    for left_over in state_dir.glob("start-*"):
        short_folder.sweep(left_over)
        shutil.rmtree(left_over, ignore_errors=True)


def detach() -> None:
    """Leave the process that started us: the parent ends, the child is nobody's and can get no terminal."""
    if os.fork():
        os._exit(0)


def _spawn(state_dir: Path, options: tuple[str, ...], deadline: float) -> tuple[bytes, str]:
    """Start `serve` in a session of its own; what it reported through a pipe, and what it wrote to its log."""
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
    process.wait()  # ends as soon as it has detached the daemon
    with os.fdopen(reading, "rb") as report:
        in_time, _, _ = select.select([report], [], [], max(0.0, deadline - time.monotonic()))
        outcome = report.read() if in_time else b""
    return outcome, log_file.read_bytes()[before:].decode(errors="replace")
