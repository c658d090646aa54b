"""The steps of a boot: run the machine's own programs, each with a deadline, and report each step to the deployer.

A report is a small object in S3.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from sre_core import clock
from sre_core.secret import Secret, conceal

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


_LONGEST_OUTPUT = 4000


class Reports(Protocol):
    """The place to which reports are written."""

    def put_object(self, uri: str, body: str) -> None:
        """Write one report. StepFailed where this is refused to the end."""
        ...


class BootReport:
    """Writes `<status uri><step>.json` when a step starts, ends or fails, without secrets."""

    def __init__(self, aws: Reports, status_uri: str) -> None:
        self._aws = aws
        self._status_uri = status_uri
        self._secrets: tuple[Secret, ...] = ()

    def conceal(self, *secrets: str) -> None:
        """Remove these values, and each line of a longer one, from everything that is written from now on."""
        self._secrets = (*self._secrets, *map(Secret, secrets))

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, object]]:
        """Report that the step runs and how it ends, with the facts that the body adds. Failures are raised again."""
        self._write(name, "running")
        facts: dict[str, object] = {}
        try:
            yield facts
        except StepFailed as failed:
            self._write(name, "failed", failed.what, failed.output)
            raise
        except Exception as unexpected:
            # A fault of ours is reported too: the deployer would wait for this step in vain.
            what = f"The bootstrap could not finish this step: {type(unexpected).__name__}: {unexpected}"
            self._write(name, "failed", what, traceback.format_exc())
            raise
        self._write(name, "ok", facts=facts)

    def _write(self, step: str, state: str, what: str = "", output: str = "", facts: Mapping[str, object] | None = None) -> None:
        status: dict[str, object] = {"step": step, "state": state, "time": clock.stamp(), "what": conceal(what, self._secrets)}
        status["output"] = conceal(output, self._secrets)[-_LONGEST_OUTPUT:]
        status |= facts or {}
        reported = self._put(f"{self._status_uri}{step}.json", json.dumps(status))
        # The first stage reads it, and reports the last status where this did not.
        print(json.dumps({**status, "reported": reported}), file=sys.stderr, flush=True)

    def _put(self, uri: str, body: str) -> bool:
        try:
            self._aws.put_object(uri, body)
        except StepFailed as refused:
            # A machine that works is not given up because a report is missing.
            print(refused.what, refused.output, file=sys.stderr, sep="\n", flush=True)
            return False
        return True
