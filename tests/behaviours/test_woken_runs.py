"""A run that slept while another one took its lock over changes nothing when it wakes, and says who took it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from behaviours.engine import LEASE, Ran
from behaviours.lanes import Lane, every, lane
from fixtures.sample import THOROUGH, sample

type Tried = Callable[[str, int], None]

_CREATES = ("Create", "Allocate", "Run", "Associate", "Put")
_TAKEN = re.compile(r"LOCK-LOST.*taken over while this run slept or was cut off: \w+ on .* began `deploy` at 20", re.DOTALL)


@dataclass(frozen=True)
class Sleep:
    """The creation before which a run is stopped, and how another run gets its lock."""

    create: str
    store: str
    takeover: str

    def where(self, folder: Path) -> dict[str, str]:
        return {"bucket": "states"} if self.store == "s3" else {}


TAKEOVERS = (("file", "unlock"), ("file", "deleted"), ("s3", "unlock"), ("s3", "expiry"))
# One of each store: of the file the one that the state machine has not (there the lock's file is deleted), and of S3 another one with
# each commit.
CHOSEN = TAKEOVERS if THOROUGH else (TAKEOVERS[0], *sample(TAKEOVERS[2:], 1))


@dataclass(frozen=True)
class Awake:
    """The resources of a deployment that never sleeps, and its creations."""

    everything: dict[str, int]
    creates: tuple[str, ...]


@pytest.fixture(scope="module")
def awake(tmp_path_factory: pytest.TempPathFactory) -> Awake:
    with lane(tmp_path_factory.mktemp("awake") / "lane") as here:
        deployed = here.engine.deploy(here.fresh())
        assert deployed.code == 0, deployed.said
        operations = [label.split()[0] for label in deployed.calls if label.startswith(_CREATES)]
        counted = [f"{operation}#{operations[: place + 1].count(operation)}" for place, operation in enumerate(operations)]
        return Awake(here.counted(), tuple(counted))


@pytest.mark.timeout(3600)
def test_a_run_that_is_stopped_before_a_creation_and_woken(awake: Awake, tmp_path: Path, tried: Tried) -> None:
    """Another takes over and finishes, with a file by `unlock` and with S3 by `unlock` or by expiry: there is one of each, and the
    first ends without a further change and says which run it was. `make test-thorough` deletes the file of the lock, too.
    """
    trials = [Sleep(create, *takeover) for takeover in TAKEOVERS for create in awake.creates]
    chosen = [trial for takeover in CHOSEN for trial in sample([one for one in trials if (one.store, one.takeover) == takeover], 1)]
    faults = every(chosen, lambda here, trial: _slept(here, trial, awake), tmp_path)
    tried(f"runs that slept, of {len(trials)} that there are", len(chosen))
    assert not faults, "\n\n".join(faults)


def _slept(here: Lane, trial: Sleep, awake: Awake) -> str:
    if trial.store == "s3":
        here.client("s3").create_bucket(Bucket="states")
    folder = here.fresh()
    where = trial.where(folder)
    slept = here.engine.deploy(folder, nth=trial.create, moment="asleep", **where)
    if not slept.asleep:
        return f"never slept: {slept.said}"
    taken = _take_over(here, trial, folder)
    if taken.code:
        return f"the lock was not taken: {taken.said}"
    second = here.engine.deploy(folder, **where)
    if second.code:
        return f"the second run failed: {second.said}"
    woken = here.engine.wake(folder, slept.asleep)
    if woken.code != 1 or not _TAKEN.search(woken.said):
        return f"woke and ended with {woken.code}: {woken.said}"
    counted, states = here.counted(), ("buckets", "objects")
    different = [kind for kind, number in awake.everything.items() if counted[kind] != number and not (where and kind in states)]
    if different:
        return f"there are {[(kind, counted[kind], awake.everything[kind]) for kind in different]}"
    # Otherwise there are as many lanes as trials, and no other deployment follows.
    cleaned = here.engine.cleanup(folder, **where) if THOROUGH else Ran(0, (), "")
    return f"not cleaned up: {cleaned.said}" if cleaned.code else ""


def _take_over(here: Lane, trial: Sleep, folder: Path) -> Ran:
    if trial.takeover == "expiry":
        time.sleep(LEASE.total_seconds() + 1)
    if trial.takeover == "deleted":
        (folder / ".deployment_state.lock").unlink()
    if trial.takeover == "unlock":
        return here.engine.unlock(folder, **trial.where(folder))
    return Ran(0, (), "")
