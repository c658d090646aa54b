"""After a kill at any call of a complete deployment, `resume` ends with the same result as without the kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from behaviours.assertions import ONE_OF_EACH, assert_killed, assert_resumed, phases
from behaviours.command_line import Desk
from behaviours.lanes import Lane, lane
from fixtures.sample import THOROUGH, sample

MOMENTS = ("before", "committed", "answered")
# The call whose repetition would cost most is always among them. A deployment makes some forty calls.
BY_COMMAND = [("RunInstances", "committed"), *sample([("7", "answered"), ("21", "before")], 0)]
BY_ENGINE = sample([(str(nth), moment) for nth in range(1, 40) for moment in MOMENTS], 1)


@pytest.mark.parametrize(("nth", "moment"), BY_COMMAND)
def test_resume_after_a_kill(desk: Desk, nth: str, moment: str, tried: Callable[[str, int], None]) -> None:
    """One of each resource, all ready, and the deployment is verified."""
    killed = desk.run("behaviours.killed_at", nth, moment, "deploy", PYTHONPATH="/".join(__file__.split("/")[:-2]))
    assert_killed(killed)
    tried("kills of a deployment with machines", 1)

    assert_resumed(desk, desk.deploy("--resume", "--state-file", ".deployment_state"))

    cleaned = desk.deploy("cleanup", "--yes")
    assert cleaned.code == 0, cleaned.text


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lane]:
    with lane(tmp_path_factory.mktemp("whole") / "lane", boots=True) as opened:
        yield opened


@pytest.mark.skipif(
    not THOROUGH,
    reason="`make test` has one such kill above, and test_killed_anywhere.py some ten of a deployment that is verified after them",
)
@pytest.mark.parametrize(("nth", "moment"), BY_ENGINE)
def test_resume_of_a_killed_engine(whole: Lane, nth: str, moment: str, tried: Callable[[str, int], None]) -> None:
    """The same at more points, one after the other in one account: the next would find what one leaves."""
    before, folder = whole.counted(), whole.fresh()
    assert whole.engine.deploy(folder, nth=nth, moment=moment).killed
    tried("kills of a deployment with machines", 1)

    state = folder / ".deployment_state"
    resumed = whole.desk.deploy("resume", "--config", str(folder / "config.yaml"), "--state-file", str(state))
    assert resumed.code == 0, resumed.text
    assert "is verified" in resumed.out
    assert phases(state) == {"ready"}
    there, wanted = whole.counted(), ONE_OF_EACH | {"roles": 3}  # the runtime of a lane's assistant has one, too
    assert {kind: there[kind] for kind in ONE_OF_EACH} == wanted

    cleaned = whole.engine.cleanup(folder)
    assert cleaned.code == 0, cleaned.said
    assert whole.counted() == before
