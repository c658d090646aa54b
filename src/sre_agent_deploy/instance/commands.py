"""Run the machine's own programs, each with a deadline and with failures that can be reported."""

from __future__ import annotations

import os
import subprocess

_LONGEST = 120.0


class StepFailed(Exception):
    """A failed step: one sentence for the user, and the end of the failing program's output."""

    def __init__(self, what: str, output: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.output = output


def run(*command: str, longest: float = _LONGEST) -> str:
    """Run a program and return its standard output. StepFailed has its output where it fails or takes too long."""
    name = " ".join(command[:4])
    try:
        done = subprocess.run(  # noqa: S603  # the bootstrap's own words and machine.json's
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=os.environ, timeout=longest
        )
    except OSError as absent:
        raise StepFailed(f"`{command[0]}` could not be started: {absent.strerror}.") from absent
    except subprocess.TimeoutExpired as late:
        raise StepFailed(f"`{name}` did not end within {longest:.0f} s.", _text(late.stdout) + _text(late.stderr)) from late
    if done.returncode:
        raise StepFailed(f"`{name}` ended with exit code {done.returncode}.", _text(done.stdout) + _text(done.stderr))
    return _text(done.stdout)


def _text(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", "replace")
