"""Running the machine's own programs, and failing in a way that can be reported."""

from __future__ import annotations

import os
import subprocess


class StepFailed(Exception):
    """One sentence for the person who deploys, and the end of the failing program's output where there is one."""

    def __init__(self, what: str, output: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.output = output


def run(*command: str, standard_input: str | None = None) -> str:
    """A program's standard output. StepFailed with everything it said where it fails or is absent."""
    environment = {**os.environ, "PATH": os.environ.get("PATH", os.defpath) + ":/snap/bin"}
    try:
        done = subprocess.run(  # noqa: S603  # the bootstrap's own words and machine.json's
            command, input=standard_input, capture_output=True, text=True, errors="replace", check=False, env=environment
        )
    except OSError as absent:
        raise StepFailed(f"`{command[0]}` could not be started: {absent.strerror}.") from absent
    if done.returncode:
        raise StepFailed(f"`{' '.join(command[:4])}` ended with exit code {done.returncode}.", done.stdout + done.stderr)
    return done.stdout
