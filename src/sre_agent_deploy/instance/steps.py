"""The steps of a boot: run the machine's own programs, ask services for their health, and report each step to the deployer.

Each program has a deadline. A report is a small object in S3.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from sre_core import clock
from sre_core.secret import Secret, conceal

_LONGEST = 300.0


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


_LOOK_EVERY = 0.5
_ANSWER_WITHIN = 5


class _UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("service", timeout=_ANSWER_WITHIN)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_ANSWER_WITHIN)
        self.sock.connect(str(self._path))


def is_healthy_on_socket(path: Path, health_path: str) -> bool:
    """Say if a service answers its health path with 200."""
    return _answers(_UnixConnection(path), health_path)


def is_healthy_through_front_door(address: str, port: int, path: str, certificate: Path) -> bool:
    """Say if a path answers 200 over TLS with exactly this certificate, for any name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, port, timeout=_ANSWER_WITHIN, context=context)
    try:
        connection.connect()
        presented = connection.sock.getpeercert(binary_form=True)
    except OSError:
        return False
    if presented is None or hashlib.sha256(presented).digest() != leaf_fingerprint(certificate):
        connection.close()
        return False
    return _answers(connection, path)


def leaf_fingerprint(certificate: Path) -> bytes:
    """Return the SHA-256 of the first certificate of a PEM chain."""
    first, end, _ = certificate.read_text(encoding="ascii").partition("-----END CERTIFICATE-----")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first[first.index("-----BEGIN") :] + end + "\n")).digest()


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition is true, at most some seconds. Return True if it became true."""
    deadline = time.monotonic() + seconds
    while not (now := true()) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
    return now


def _answers(connection: http.client.HTTPConnection, path: str) -> bool:
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
