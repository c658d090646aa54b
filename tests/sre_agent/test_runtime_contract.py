"""The contract of AgentCore Runtime, in a network namespace of its own: nothing else may listen on every address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
UNSHARE = ("unshare", "--map-root-user", "--net")


@cache
def find_obstacle() -> str:
    """Say why this machine makes no network namespace; empty where it does."""
    tried = subprocess.run([*UNSHARE, "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False)
    return f"no network namespace here: {tried.stderr.strip()}" if tried.returncode else ""


@pytest.mark.needs("unshare")
@pytest.mark.needs("ip")
def test_the_contract_on_every_address() -> None:
    """On port 8080 of an address that is not of the loopback, `GET /ping` is Healthy and `POST /invocations` answers who has a token."""
    if obstacle := find_obstacle():
        pytest.skip(obstacle)
    path = os.pathsep.join((str(ROOT / "src"), str(HERE), str(ROOT / "tests")))
    command = [*UNSHARE, sys.executable, str(HERE / "runtime_contract.py")]
    ended = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=300, check=False, cwd=ROOT
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    answers = json.loads(ended.stdout.splitlines()[-1])
    status, ping = answers["ping"]
    assert (status, ping["status"]) == (200, "Healthy")
    assert isinstance(ping["time_of_last_update"], int)
    assert answers["no token"][0] == 401
    status, answer = answers["question"]
    assert status == 200
    assert answer["output"]["message"].startswith("# 3 nodes, all ready")
