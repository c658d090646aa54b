"""The services as processes: `python -m sre_services NAME --socket PATH`."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from fixtures import preloaded
from fixtures.otlp import receiver
from sre_core import release, tracing

KEY = "the key of this test"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=120)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        try:
            self.sock.connect(str(self.path))
        except OSError:
            self.sock.close()
            raise


@dataclass(frozen=True)
class Running:
    """A service that was started, its socket and what it wrote."""

    process: subprocess.Popen[bytes]
    socket: Path
    errors: Path

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, object]]:
        connection = UnixConnection(self.socket)
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        status, body = answer.status, json.loads(answer.read())
        connection.close()
        return status, body

    def wait_until_ready(self) -> None:
        for _ in range(600):
            assert self.process.poll() is None, self.errors.read_text()
            try:
                assert self.get("/health")[0] == 200
            except OSError:
                time.sleep(0.05)
            else:
                return
        pytest.fail("the service did not get ready")


def environment(folder: Path, **others: str) -> dict[str, str]:
    credentials = folder / "credentials"
    credentials.mkdir(exist_ok=True)
    (credentials / "backend-api-key").write_text(KEY + "\n")
    return {**os.environ, "CREDENTIALS_DIRECTORY": str(credentials), "SRE_RECORDING": "crash-loop", **others}


@contextmanager
def started(folder: Path, *command: str, **others: str) -> Iterator[Running]:
    path, errors = folder / "s.sock", folder / "errors.log"
    with errors.open("ab") as written:
        process = subprocess.Popen([*command, "--socket", str(path)], env=environment(folder, **others), stderr=written)
    running = Running(process, path, errors)
    try:
        running.wait_until_ready()
        yield running
    finally:
        process.kill()
        process.wait(20)


def refused(folder: Path, **others: str) -> str:
    """Return the error output of a service that does not start."""
    command = preloaded.command("sre_services", "runbooks", "--socket", str(folder / "s.sock"))
    ended = subprocess.run(command, env=environment(folder, **others), capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    return ended.stderr


@pytest.mark.parametrize("answers", [True, False], ids=["a receiver", "a receiver that hangs"])
def test_the_last_spans(tmp_path: Path, answers: bool) -> None:
    """A span from just before SIGTERM is sent, and the end does not wait for a receiver that does not answer."""
    with receiver() as received, socket.create_server(("127.0.0.1", 0)) as mute:
        url = received.url if answers else f"http://127.0.0.1:{mute.getsockname()[1]}/v1/traces"
        with started(tmp_path, *preloaded.command("sre_services", "logs"), **{tracing.VARIABLE: url}) as running:
            assert running.get("/openapi.json", **{"X-API-Key": KEY})[0] == 200
            running.process.send_signal(signal.SIGTERM)
            # The SDK by itself would wait for half a minute.
            assert running.process.wait(20) in (0, -signal.SIGTERM)
        assert [span.name for span in received.spans] == ["operation"] * answers


@pytest.mark.parametrize("service", release.backends(), ids=lambda service: service.name)
def test_each_backend_as_the_release_starts_it(service: release.Service, tmp_path: Path) -> None:
    """Its command answers on the socket: health openly, everything else with the key, and it ends on SIGTERM."""
    with started(tmp_path, sys.executable, *service.command) as running:
        assert running.get(service.health_path) == (200, {"status": "ok", "service": service.name})
        assert running.get("/openapi.json")[0] == 401
        status, document = running.get("/openapi.json", **{"X-API-Key": KEY})
        assert status == 200
        assert "paths" in document
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(60)


def test_a_stranger_leaves_one_security_event(tmp_path: Path) -> None:
    """A refusal is 401 with a JSON error, and one JSON line that names path and client and holds no key and no query."""
    with started(tmp_path, *preloaded.command("sre_services", "runbooks")) as running:
        headers = {"X-API-Key": "guess-4711", "X-Forwarded-For": "203.0.113.9"}
        status, body = running.get("/runbooks/search?keyword=private", **headers)
        assert status == 401
        assert body["error"]["code"] == "UNAUTHORIZED"  # type: ignore[index]
        lines = [json.loads(line) for line in running.errors.read_text().splitlines()]
    [event] = [line for line in lines if "unmapped" in line]
    assert (event["service"]["name"], event["status_detail"], event["status_code"]) == ("runbooks", "bad_api_key", "401")
    assert event["http_request"]["url"]["path"] == "/runbooks/search"
    assert event["src_endpoint"] == {"ip": "203.0.113.9"}
    assert "guess-4711" not in str(event)
    assert "private" not in str(event)


def test_a_socket_that_a_killed_process_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start replaces it. Both are for their user and group alone, and the unit's watchdog gets a message of each."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.bind(str(tmp_path / "notify"))
    systemd.settimeout(20)
    # For real: of what is forked nothing may have ended yet when its launcher was killed.
    runbooks = (sys.executable, "-m", "sre_services", "runbooks")
    with started(tmp_path, *runbooks) as first:
        assert stat.S_IMODE(first.socket.stat().st_mode) == 0o660
        assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"
        first.process.kill()
        first.process.wait(20)
        assert first.socket.exists()
    with started(tmp_path, *runbooks) as second:
        assert second.get("/health")[0] == 200
        assert systemd.recv(100) == b"READY=1\nWATCHDOG=1"
    systemd.close()


def test_a_start_without_the_key(tmp_path: Path) -> None:
    """No service runs open: it says which file it wants, and where."""
    text = refused(tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert "SVC-CREDENTIAL-MISSING" in text
    assert "backend-api-key" in text


def test_a_start_with_an_empty_key(tmp_path: Path) -> None:
    """An empty key is no key: it would refuse no caller."""
    (tmp_path / "backend-api-key").write_text("\n")
    assert "SVC-CREDENTIAL-MISSING" in refused(tmp_path, CREDENTIALS_DIRECTORY=str(tmp_path))


def test_a_start_with_an_unknown_recording(tmp_path: Path) -> None:
    """It names those that ship."""
    text = refused(tmp_path, SRE_RECORDING="tuesday")
    assert "SVC-RECORDING-NOT-FOUND" in text
    assert "crash-loop, healthy, memory-leak" in text


def test_a_start_with_an_unknown_provider(tmp_path: Path) -> None:
    """A system that is not supported is a Problem, not a recording in disguise."""
    assert "SVC-PROVIDER-UNKNOWN" in refused(tmp_path, SRE_SOURCES='[{"source": "a-notebook"}]')


def test_a_start_with_a_pinned_end_that_is_no_time(tmp_path: Path) -> None:
    """It says how to write one."""
    assert "SVC-TIME-INVALID" in refused(tmp_path, SRE_RECORDING_END="yesterday")


def test_a_start_on_a_socket_in_no_folder(tmp_path: Path) -> None:
    """It says what is wrong with the path."""
    command = preloaded.command("sre_services", "runbooks", "--socket", str(tmp_path / "absent" / "s.sock"))
    ended = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 2
    assert "SVC-SOCKET-UNUSABLE" in ended.stderr
