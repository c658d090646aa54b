"""There is one writer at a time, and no run waits for a dead owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sre_agent_deploy.journal.lock import Owner, hold_lock
from sre_core.problem import Refused

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


@pytest.mark.parametrize("told", [b"", b"[]", b"7", b"{", b'{"pid": "one", "host": 7, "who": "ada"}'])
def test_a_lock_that_tells_odd_things(told: bytes) -> None:
    """It is held all the same, and its owner is shown as far as it can be read."""
    assert "runs `sre-agent-deploy`" in str(Owner.parse(told))
