"""However a deployment is cut short, resuming it ends where an uncut one would."""

from __future__ import annotations

import collections
import json
import random
import signal
from collections.abc import Callable

import pytest

from behaviours import lister
from behaviours.command_line import Desk
from behaviours.lanes import THOROUGH

MOMENTS = ("before", "committed", "answered")
# Three seeded points, RunInstances among them: the call whose repetition would cost most. Nine more where time is no matter.
_SEED = random.Random(20261122)
POINTS = [("RunInstances", "committed"), (str(_SEED.randrange(2, 12)), "answered"), (str(_SEED.randrange(12, 30)), "before")]
if THOROUGH:
    POINTS += [(str(_SEED.randrange(1, 40)), MOMENTS[number % 3]) for number in range(9)]


@pytest.mark.parametrize(("nth", "moment"), POINTS)
def test_resume_after_a_kill(desk: Desk, nth: str, moment: str, tried: Callable[[str, int], None]) -> None:
    """One of each resource, all ready, and the deployment is verified."""
    killed = desk.run("behaviours.killed_at", nth, moment, "deploy", PYTHONPATH="/".join(__file__.split("/")[:-2]))
    assert killed.code == -signal.SIGKILL, killed.text
    tried("kills at seeded points, with everything on", 1)

    resumed = desk.deploy("--resume", "--state-file", ".deployment_state")
    assert resumed.code == 0, resumed.text
    assert "is verified" in resumed.out

    records = json.loads(desk.state_file.read_text())["records"]
    assert {record["phase"] for record in records.values()} == {"ready"}
    there = lister.everything(desk.client)
    counted = {
        kind: len(there[kind]) for kind in ("buckets", "pools", "clients", "instances", "addresses", "gateways", "targets", "providers")
    }
    assert counted == {
        "buckets": 1,
        "pools": 1,
        "clients": 2,
        "instances": 1,
        "addresses": 1,
        "gateways": 1,
        "targets": 4,
        "providers": 1,
    }
    assert collections.Counter(len(there[kind]) for kind in ("roles", "profiles")) == {2: 1, 1: 1}

    cleaned = desk.deploy("cleanup", "--yes")
    assert cleaned.code == 0, cleaned.text
