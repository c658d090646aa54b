"""One deployment, one writer: a lock that dies with its owner."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from sre_core import clock
from sre_core.problem import Problem, Refused


@contextlib.contextmanager
def held(state_file: Path, command: str) -> Iterator[None]:
    """Hold the lock of a state file, or raise Refused saying who holds it, since when and where.

    The kernel releases the lock when its owner dies, however it dies: a dead owner is never waited for.
    """
    path = state_file.with_name(state_file.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(_taken(state_file, path)) from error
        os.truncate(handle, 0)
        os.write(
            handle,
            json.dumps(
                {"pid": os.getpid(), "who": who(), "host": socket.gethostname(), "since": clock.stamp(), "command": command}
            ).encode(),
        )
        yield
        os.truncate(handle, 0)
    finally:
        os.close(handle)


def who() -> str:
    """The user's name, or the number where the system has no name for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _taken(state_file: Path, path: Path) -> Problem:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        owner = {}
    holder = "{who} on {host} (process {pid}) runs `{command}` since {since}".format_map(
        {"who": "somebody", "host": "this host", "pid": "?", "command": "sre-agent-deploy", "since": "a moment ago", **owner}
    )
    return Problem(
        code="STATE-LOCKED",
        what=f"Another process works on this deployment: {holder}.",
        why=f"Two at once would create things twice; {state_file} is locked.",
        do=(
            "Wait until it ends, then run the same command again; `sre-agent-deploy status` shows how far it is.",
            "If it hangs, end that process; the lock goes with it.",
        ),
    )
