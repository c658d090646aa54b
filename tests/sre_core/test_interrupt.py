"""Ctrl-C always has an effect, also where Python would lose it."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys

from fixtures.sample import THOROUGH

# Each press that Python loses takes a fifth of a second: of a thousand one in twenty.
PRESSES = 1000 if THOROUGH else 250
PREPARED = """
import fcntl, os, signal, sys, termios, time, weakref
signal.signal(signal.SIGINT, signal.default_int_handler)
from sre_core import interrupt
interrupt.exit_on_ctrl_c()
interrupt.raise_on_ctrl_c()
"""
ASKS = """
import readline
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
for number in range(int(sys.argv[1])):
    try:
        # As click does it: between the two, the program is not waiting yet.
        print(f"{number}>", end="", flush=True)
        input(" ")
    except KeyboardInterrupt:
        print(f"seen {number}.", flush=True)
"""
DISCARDS = """
class Thing:
    pass

thing = Thing()
keep = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
del thing
try:
    time.sleep(60)
except KeyboardInterrupt:
    sys.exit(7)
"""


def test_ctrl_c_at_the_moment_of_a_question() -> None:
    """Pressed again and again as soon as the prompt is shown, before the program waits for the answer, it ends every question."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "dumb", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", PREPARED + ASKS, str(PRESSES)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, start_new_session=True)
    os.close(theirs)
    try:
        unread = ""
        for number in range(PRESSES):
            unread = _read_until(ours, f"{number}>", unread)
            os.write(ours, b"\x03")
            unread = _read_until(ours, f"seen {number}.", unread)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_ctrl_c_in_a_callback_of_the_garbage_collector() -> None:
    """Python discards the exception there; it is raised again, and nothing is shown."""
    command = [sys.executable, "-c", PREPARED + DISCARDS]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert (ended.returncode, ended.stderr) == (7, "")


def _read_until(terminal: int, text: str, unread: str) -> str:
    """Read on until `text` is shown; return what follows it."""
    while text not in unread:
        readable, _, _ = select.select([terminal], [], [], 20)
        assert readable, f"{text!r} never came: {unread!r}"
        unread += os.read(terminal, 4096).decode(errors="replace")
    return unread.partition(text)[2]
