"""A person at a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PATIENCE = 120.0
# A session of its own takes the terminal as its own, so that Ctrl-C reaches it. Tests that run in the background of a shell
# inherit that SIGINT is ignored; a person's shell does not ignore it.
PROGRAM = """
import fcntl, signal, termios
signal.signal(signal.SIGINT, signal.default_int_handler)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from sre_agent_deploy.cli import main
main()
"""
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Person:
    """Types into the terminal of one program, and reads what it shows."""

    process: subprocess.Popen[bytes]
    terminal: int
    seen: str = ""
    _unread: str = field(default="")

    def reads(self, text: str) -> str:
        """Read on until `text` is shown; answers everything before it."""
        until = time.monotonic() + PATIENCE
        while text not in self._unread:
            if time.monotonic() > until or not self._more():
                raise AssertionError(f"{text!r} never came; the rest of the screen:\n{self._unread}")
        before, _, self._unread = self._unread.partition(text)
        return before

    def types(self, line: str) -> None:
        os.write(self.terminal, line.encode() + b"\n")

    def answers(self, *questions_and_lines: tuple[str, str]) -> None:
        """Wait for each question's own line, then type."""
        for question, line in questions_and_lines:
            self.reads(f"] {question}")
            self.reads("] >")
            self.types(line)

    def comes_to(self, question: str, proposed: str) -> str:
        """Wait for a question until it proposes this: go back and forth until the program has found it in the account."""
        until = time.monotonic() + PATIENCE
        while True:
            self.reads(f"] {question}")
            shown = self.reads("] >")
            if proposed in shown or time.monotonic() > until:
                assert proposed in shown
                return shown
            self.types("back")
            self.reads("] >")
            self.types("")

    def answers_review(self, line: str) -> str:
        """Read the review, then say what to do with it."""
        shown = self.reads("Save as ")
        self.reads("[save] >")
        self.types(line)
        return shown

    def presses_control_c(self) -> None:
        """The terminal turns it into SIGINT, as every terminal does."""
        os.write(self.terminal, b"\x03")

    def leaves(self) -> int:
        """Read to the end and answer the exit code."""
        while self._more():
            pass
        return self.process.wait(PATIENCE)

    def _more(self) -> bool:
        readable, _, _ = select.select([self.terminal], [], [], PATIENCE)
        try:
            chunk = os.read(self.terminal, 65536) if readable else b""
        except OSError:  # Linux says EIO when the program has ended
            chunk = b""
        text = _ESCAPES.sub("", chunk.decode(errors="replace")).replace("\r\n", "\n")
        self.seen += text
        self._unread += text
        return bool(chunk)


type Sits = Callable[..., Person]


@pytest.fixture
def sits_at(tmp_path: Path) -> Iterator[Sits]:
    """Starts `sre-agent-deploy` in a terminal of its own, in tmp_path, with no AWS of anybody in reach."""
    people: list[Person] = []

    def start(*words: str, **environ: str) -> Person:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=tmp_path,
            env=alone(tmp_path) | environ,
            start_new_session=True,
        )
        os.close(theirs)
        people.append(Person(process, ours))
        return people[-1]

    yield start
    for person in people:
        person.process.kill()
        person.process.wait()
        os.close(person.terminal)


def alone(folder: Path) -> dict[str, str]:
    """An environment that leads to no account of anybody."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SRE_"))}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    return kept | nothing | {"HOME": str(folder), "TERM": "dumb", "PYTHONPATH": os.pathsep.join(sys.path)}
