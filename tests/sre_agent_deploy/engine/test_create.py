"""A birth whose end is not known is looked up before it is tried again: never two, and never one that nobody knows of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from fixtures.cut import Cut, cut_at
from fixtures.engine import Engine
from sre_agent_deploy.progress.events import ignore_event
from sre_agent_deploy.progress.interrupt import Stop

type Faults = Callable[..., None]


@dataclass(frozen=True)
class Kind:
    """What two of the same can be made of, and how somebody else would count them."""

    name: str
    birth: str
    reads: str

    def count(self, engine: Engine) -> int:
        if self.name == "user_pool":
            pools = engine.client("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]
            return sum(pool["Name"] == engine.id for pool in pools)
        named = [{"Name": "tag:sre-agent:deployment-id", "Values": [engine.id]}]
        return len(engine.client("ec2").describe_addresses(Filters=named)["Addresses"])


POOL = Kind("user_pool", "CreateUserPool", "ListUserPools")
ADDRESS = Kind("address", "AllocateAddress", "DescribeAddresses")


def codes(engine: Engine) -> list[str]:
    """What a run that failed says."""
    return [problem.code for problem in engine.apply().problems]


@pytest.mark.parametrize("kind", [POOL, ADDRESS], ids=lambda kind: kind.name)
@pytest.mark.parametrize("fault", ["cut", "server_error"])
def test_the_answer_was_lost(engine: Engine, faults: Faults, kind: Kind, fault: str) -> None:
    """What AWS made all the same, and does not show at once, is adopted."""
    engine.parts = (kind.name,)
    faults({"kind": fault, "operation": kind.birth, "nth": 1, "committed": True}, {"kind": "lag", "seconds": 1})
    assert codes(engine) == []
    faults()
    assert kind.count(engine) == 1
    assert engine.changes() == {}


def test_the_call_was_lost(engine: Engine, faults: Faults) -> None:
    """What AWS never heard of is made, once it can't be hiding it any more; meanwhile it is said what is waited for, and until when.

    Each time that it is sent begins the time in which AWS may hide it anew: here the second answer is lost, too.
    """
    engine.parts = ("address",)
    faults(
        {"kind": "cut", "operation": "AllocateAddress", "nth": 1},
        {"kind": "cut", "operation": "AllocateAddress", "nth": 2, "committed": True},
        {"kind": "lag", "seconds": 1},
    )
    assert codes(engine) == []
    faults()
    assert ADDRESS.count(engine) == 1
    waits = [event.wait.to_json() for event in engine.observed if event.wait and event.wait.why == "shown"]
    assert waits
    assert {wait["kind"] for wait in waits} == {"shown"}


@pytest.mark.parametrize("kind", [POOL, ADDRESS], ids=lambda kind: kind.name)
def test_nobody_can_look(engine: Engine, faults: Faults, kind: Kind) -> None:
    """Not to be able to look is not to find nothing: it is not made again, and stays on record until somebody can look."""
    engine.parts, engine.sections["retries"] = (kind.name,), {"transient": "1s"}
    plan = engine.plan()
    faults({"kind": "cut", "operation": kind.birth, "committed": True}, {"kind": "server_error", "operation": kind.reads})
    assert len(engine.apply(plan).problems) == 1
    faults()
    assert kind.count(engine) == 1
    engine.deploy()
    assert kind.count(engine) == 1


def test_a_stop_while_looking(engine: Engine, faults: Faults) -> None:
    """It ends the wait at once; the next run looks again, and adopts."""
    engine.parts = ("user_pool",)
    engine.watcher = lambda event: engine.stop.request() if event.step == "waiting" else None
    faults({"kind": "cut", "operation": "CreateUserPool", "committed": True}, {"kind": "lag", "seconds": 3600})
    assert codes(engine) == ["RUN-INTERRUPTED"]
    faults()
    engine.stop = Stop()
    engine.deploy()
    assert POOL.count(engine) == 1


def test_the_name_is_taken_by_ourselves(engine: Engine, faults: Faults) -> None:
    """A name that AWS refuses as taken is adopted where it is ours: the answer to its birth was lost."""
    engine.parts = ("bucket",)
    faults({"kind": "cut", "operation": "CreateBucket", "nth": 1, "committed": True})
    assert codes(engine) == []
    assert engine.changes() == {}


def test_a_refusal_after_an_answer_that_was_lost(engine: Engine, faults: Faults) -> None:
    """What AWS hides is not gone: a birth that may have happened stays looked for, whatever its second try is told."""
    engine.parts = ("security_group",)
    plan = engine.plan()
    faults(
        {"kind": "cut", "operation": "CreateSecurityGroup", "nth": 1, "committed": True},
        {"kind": "lag", "operation": "DescribeSecurityGroups", "seconds": 4},
    )
    assert [problem.code for problem in engine.apply(plan).problems] == []
    faults()
    assert engine.changes() == {}


def test_a_refusal(engine: Engine, faults: Faults) -> None:
    """A refused birth made nothing, and is not on record as if it might have."""
    engine.parts = ("gateway_role",)
    faults({"kind": "quota", "operation": "CreateRole"})
    assert len(codes(engine)) == 1
    assert engine.state
    assert not engine.state.generations("gateway_role")


def test_what_was_begun_is_wanted_no_more(engine: Engine, faults: Faults) -> None:
    """A birth whose end nobody wrote down is looked up and taken back, as soon as AWS shows it."""
    engine.parts = ("user_pool", "address")
    faults({"kind": "lag", "operation": "DescribeAddresses", "seconds": 2})
    with pytest.raises(Cut), cut_at(engine.aws, "AllocateAddress", "committed"):
        engine.apply()
    engine.parts = ("user_pool",)
    assert codes(engine) == []
    faults()
    assert ADDRESS.count(engine) == 0


def test_every_answer_was_lost(engine: Engine, faults: Faults) -> None:
    """After a few trials it is told; that a birth may have happened stays on record, and the next run finds out."""
    engine.parts = ("bucket",)
    faults({"kind": "cut", "operation": "CreateBucket"})
    assert codes(engine) == ["AWS-UNREACHABLE"]
    assert engine.state
    assert [record.phase for record in engine.state.alive()] == ["intended"]
    faults()
    engine.deploy()


def test_a_refusal_that_nobody_can_look_behind(engine: Engine, faults: Faults) -> None:
    """Where it can't be seen whose the taken name is, the birth stays on record; the next run sees that it was its own."""
    engine.parts, engine.sections["retries"] = ("bucket",), {"transient": "1s"}
    plan = engine.plan()
    faults(
        {"kind": "cut", "operation": "CreateBucket", "nth": 1, "committed": True},
        {"kind": "server_error", "service": "s3", "operation": "[!C]*"},
    )
    assert len(engine.apply(plan).problems) == 1
    faults()
    engine.deploy()
    assert engine.id_of("bucket").startswith(engine.id)


@pytest.mark.parametrize("stopped", [True, False])
def test_what_was_begun_and_nobody_can_look(engine: Engine, faults: Faults, *, stopped: bool) -> None:
    """What may have been made and is wanted no more stays on record until it can be looked up, and is then taken back."""
    engine.parts = ("user_pool", "address")
    faults({"kind": "lag", "operation": "DescribeAddresses", "seconds": 3600})
    with pytest.raises(Cut), cut_at(engine.aws, "AllocateAddress", "committed"):
        engine.apply()
    engine.parts, engine.sections["retries"] = ("user_pool",), {"transient": "1s"}
    plan = engine.plan()
    engine.watcher = lambda event: engine.stop.request() if event.step == "waiting" else None
    if not stopped:
        faults({"kind": "server_error", "operation": "DescribeAddresses"})
    assert [problem.code for problem in engine.apply(plan).problems] == ["RUN-INTERRUPTED" if stopped else "AWS-UNEXPECTED"]
    faults()
    engine.stop, engine.watcher = Stop(), ignore_event
    engine.deploy()
    assert ADDRESS.count(engine) == 0
