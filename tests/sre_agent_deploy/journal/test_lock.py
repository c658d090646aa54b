"""There is one writer at a time, and no run waits for a dead owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sre_agent_deploy.journal.lock import Owner, hold_lock, take_away_lock
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import FileStore
from sre_core.problem import Problem, Refused

STATE = State("sre-1", "123456789012", "us-east-1", "local", "/config.yaml")

HOLDER = """
import sys, time
from pathlib import Path
from sre_agent_deploy.journal.lock import hold_lock
with hold_lock(Path(sys.argv[1]), "deploy"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_two_at_once(tmp_path: Path) -> None:
    """The second is refused with the owner, its host, start and command; when the owner is killed, the lock is free at once."""
    state = tmp_path / "state"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(state)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Refused) as refused, hold_lock(state, "cleanup"):
            pass
        problem = refused.value.problems[0]
        assert problem.code == "STATE-LOCKED"
        assert f"process {holder.pid}" in problem.what
        assert "`deploy`" in problem.what
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with hold_lock(state, "cleanup"):
        pass


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"{", b'{"pid": "one", "host": 7, "who": "ada"}'])
def test_a_lock_that_tells_odd_things(content: bytes) -> None:
    """An unreadable lock still counts, and its owner is shown as far as it can be read."""
    assert "runs `sre-agent-deploy`" in str(Owner.parse(content))


def test_a_lock_whose_owner_is_stopped(tmp_path: Path) -> None:
    """It is not free, and can be taken away; the owner learns that and who has it before its next change. One at work keeps it."""
    state = tmp_path / "state"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(state)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        refusal = take_away_lock(state)
        assert isinstance(refusal, Problem)
        assert (refusal.code, f"kill {holder.pid}" in refusal.do[0]) == ("UNLOCK-OWNER-ALIVE", True)
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(Refused, match="kill -CONT") as refused, hold_lock(state, "cleanup"):
            pass
        assert "unlock" in str(refused.value.problems[0].do)
        taken = take_away_lock(state)
        assert isinstance(taken, Owner)
        assert taken.pid == holder.pid
        with hold_lock(state, "cleanup") as lease:
            lease.require()
        holder.kill()


def test_a_lock_that_was_taken_over(tmp_path: Path) -> None:
    """Its first owner is refused from then on, with the new owner, and does not save either."""
    store = FileStore(tmp_path / "state")
    with store.lock("deploy") as first:
        first.require()
        store.save(STATE)
        (tmp_path / "state.lock").unlink()
        with hold_lock(tmp_path / "state", "cleanup"), pytest.raises(Refused) as refused:
            first.require()
        problem = refused.value.problems[0]
        assert (problem.code, "`cleanup`" in problem.why) == ("LOCK-LOST", True)
        with pytest.raises(Refused, match="LOCK-LOST"):
            store.save(STATE)
