"""Services live exactly as long as the program that asked for them, however that ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from embedded_aws.instances import supervisor

# Ignores SIGTERM, and has a child of its own: the most stubborn service there is.
STUBBORN = "import signal,subprocess,sys,time; signal.signal(15, signal.SIG_IGN); subprocess.Popen(['sleep','600']); time.sleep(600)"
PARENT = """
import subprocess, sys, time
command = [sys.executable, "-I", "-S", sys.argv[1]]
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)
child.stdin.write(sys.argv[2].encode() + b"\\n")
child.stdin.flush()
time.sleep(600)
"""


@pytest.fixture
def wanted(tmp_path: Path) -> Callable[[str], str]:
    """The line that asks for one service which runs this Python text."""

    def line(text: str) -> str:
        argv = [sys.executable, "-I", "-S", "-c", text]
        log = str(tmp_path / "log")
        service = {"name": "s", "argv": argv, "environment": {"PATH": os.defpath}, "folder": str(tmp_path), "log_file": log}
        return json.dumps({"services": [service]})

    return line


def supervised(line: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", supervisor.__file__]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started.stdin.write(line.encode() + b"\n")
    started.stdin.flush()
    return started


def all_below(pid: int, count: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 120
    while len(found := psutil.Process(pid).children(recursive=True)) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def test_the_parent_is_killed(wanted) -> None:
    """kill -9 of the program at the other end of the pipe leaves no process, not even a stubborn one."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT, supervisor.__file__, wanted(STUBBORN)])
    below = all_below(parent.pid, 3)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(below, timeout=supervisor.GRACE + 120)
    assert alive == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_the_supervisor_is_killed(wanted) -> None:
    """kill -9 of the supervisor takes its services with it."""
    started = supervised(wanted("import time; time.sleep(600)"))
    below = all_below(started.pid, 1)
    started.kill()
    started.communicate()
    _, alive = psutil.wait_procs(below, timeout=120)
    assert alive == []


# A service whose parent ends between its fork and its first act: it writes "lost" when it is an orphan, and "alive" if it goes on.
ORPHAN = """
import importlib.util, os, sys, time
spec = importlib.util.spec_from_file_location("supervisor", sys.argv[1])
supervisor = sys.modules["supervisor"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(supervisor)
parent, arrange = os.getpid(), supervisor.end_with_parent()
if os.fork():
    os._exit(0)
while os.getppid() == parent:
    time.sleep(0.01)
os.write(1, b"lost ")
arrange()
os.write(1, b"alive")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_the_supervisor_is_killed_while_a_service_starts() -> None:
    """A service that was forked, and has not yet asked the kernel for its end, ends too."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", ORPHAN, supervisor.__file__], capture_output=True, timeout=120, check=True)
    assert done.stdout == b"lost "


def test_asked_to_end(wanted) -> None:
    """SIGTERM ends the services and then the supervisor, without an error."""
    started = supervised(wanted("import time; time.sleep(600)"))
    below = all_below(started.pid, 1)
    started.send_signal(signal.SIGTERM)
    started.communicate(timeout=120)
    assert started.returncode == 0
    _, alive = psutil.wait_procs(below, timeout=120)
    assert alive == []


def test_a_service_that_fails_again_and_again(wanted) -> None:
    """It is started again each time, a little later each time."""
    started = supervised(wanted("import time; print(time.time(), flush=True); raise SystemExit(5)"))
    events = [json.loads(started.stdout.readline()) for _ in range(8)]
    started.communicate()
    assert [event["event"] for event in events] == ["started", "exited"] * 4
    assert {event["code"] for event in events if event["event"] == "exited"} == {5}


def test_a_service_that_ends_well(wanted) -> None:
    """As with Restart=on-failure, a clean exit is final."""
    started = supervised(wanted("pass"))
    events = [json.loads(started.stdout.readline()) for _ in range(2)]
    rest, _ = started.communicate()
    assert [event["event"] for event in events] == ["started", "exited"]
    assert rest == b""


def test_a_program_that_does_not_exist(wanted) -> None:
    """It counts as an exit with 127, as in a shell, and says why."""
    line = json.loads(wanted(""))
    line["services"][0]["argv"] = ["/no/such/program"]
    started = supervised(json.dumps(line))
    event = json.loads(started.stdout.readline())
    started.communicate()
    assert (event["event"], event["code"]) == ("exited", 127)
    assert "/no/such/program" in event["because"]
