"""However a deployment with everything on is cut short, resuming it ends where an uncut one would."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from behaviours import lister
from behaviours.command_line import Desk
from behaviours.lanes import Lane, lane

MOMENTS = ("before", "committed", "answered")
# RunInstances among them: the call whose repetition would cost most. Deployments make some forty calls.
_SEED = random.Random(20261122)
BY_COMMAND = [("RunInstances", "committed"), (str(_SEED.randrange(2, 12)), "answered"), (str(_SEED.randrange(12, 30)), "before")]
BY_ENGINE = [(str(nth), MOMENTS[number % 3]) for number, nth in enumerate(_SEED.sample(range(1, 40), 9))]
ONE_OF_EACH = {"buckets": 1, "pools": 1, "clients": 2, "instances": 1, "addresses": 1, "gateways": 1, "targets": 4, "providers": 1}
ONE_OF_EACH |= {"roles": 2, "profiles": 1}


@pytest.mark.parametrize(("nth", "moment"), BY_COMMAND)
def test_resume_after_a_kill(desk: Desk, nth: str, moment: str, tried: Callable[[str, int], None]) -> None:
    """One of each resource, all ready, and the deployment is verified."""
    killed = desk.run("behaviours.killed_at", nth, moment, "deploy", PYTHONPATH="/".join(__file__.split("/")[:-2]))
    assert killed.code == -signal.SIGKILL, killed.text
    tried("kills at seeded points, with everything on", 1)

    resumed = desk.deploy("--resume", "--state-file", ".deployment_state")
    assert resumed.code == 0, resumed.text
    assert "is verified" in resumed.out
    assert phases(desk.state_file) == {"ready"}
    there = lister.everything(desk.client)
    assert {kind: len(there[kind]) for kind in ONE_OF_EACH} == ONE_OF_EACH

    cleaned = desk.deploy("cleanup", "--yes")
    assert cleaned.code == 0, cleaned.text


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    with lane(tmp_path_factory.mktemp("whole") / "lane", boots=True) as opened:
        yield opened


@pytest.mark.parametrize(("nth", "moment"), BY_ENGINE)
def test_resume_of_a_killed_engine(whole: Lane, nth: str, moment: str, tried: Callable[[str, int], None]) -> None:
    """The same at nine more points, one after the other in one account: what one leaves, the next would find."""
    before, folder = whole.counted(), whole.fresh()
    assert whole.engine.deploy(folder, nth=nth, moment=moment).killed
    tried("kills at seeded points, with everything on", 1)

    state = folder / ".deployment_state"
    resumed = whole.desk.deploy("resume", "--config", str(folder / "config.yaml"), "--state-file", str(state))
    assert resumed.code == 0, resumed.text
    assert "is verified" in resumed.out
    assert phases(state) == {"ready"}
    there = whole.counted()
    assert {kind: there[kind] for kind in ONE_OF_EACH} == ONE_OF_EACH

    cleaned = whole.engine.cleanup(folder)
    assert cleaned.code == 0, cleaned.said
    assert whole.counted() == before


def phases(state_file: Path) -> set[str]:
    return {record["phase"] for record in json.loads(state_file.read_text())["records"].values()}
