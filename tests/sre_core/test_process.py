"""A process is known by its number, its start and its boot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sre_core.process import Fate, Identity, boot_id


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def identity(process: subprocess.Popen[bytes]) -> Identity:
    found = Identity.of(process.pid)
    assert found is not None
    return found


def test_this_process_runs() -> None:
    """And is the same process every time it is asked."""
    assert Identity.mine() == Identity.mine()
    assert Identity.mine().fate() is Fate.RUNNING
    assert Identity.mine().boot_id == boot_id()


def test_no_process_has_no_identity() -> None:
    """A number without a process has no identity."""
    assert Identity.of(2**22 + 1) is None


def test_another_start_time_is_another_process() -> None:
    """A reused number is not believed."""
    assert replace(Identity.mine(), process_started="1").fate() is Fate.DIED


def test_another_boot_is_a_reboot() -> None:
    """A process of another boot counts as ended by a restart, also if its number is in use again."""
    assert replace(Identity.mine(), boot_id="another").fate() is Fate.REBOOTED


def test_a_zombie_died(child: subprocess.Popen[bytes]) -> None:
    """A process that has ended and waits for its parent no longer runs."""
    known = identity(child)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    assert known.fate() is Fate.DIED
    assert Identity.of(child.pid) is None


def test_end_asks_first(child: subprocess.Popen[bytes]) -> None:
    """SIGTERM is enough for a process that listens to it."""
    assert identity(child).end(timeout=10)
    assert child.wait() == -signal.SIGTERM


def test_end_insists() -> None:
    """A process that does not listen is ended all the same."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()

        assert identity(process).end(timeout=0.2)
        assert process.wait() == -signal.SIGKILL


def test_end_never_touches_another_process(child: subprocess.Popen[bytes]) -> None:
    """A process that has the number by now goes on."""
    assert replace(identity(child), process_started="1").end(timeout=0.2)
    assert child.poll() is None
