"""A deleted resource is gone at the end, for every answer of AWS."""

from __future__ import annotations

from collections.abc import Callable
from threading import Timer
from typing import Any

from fixtures.cut import refused
from fixtures.engine import Engine

type Faults = Callable[..., None]


def deployed(engine: Engine, **retries: Any) -> None:
    engine.parts, engine.sections["retries"] = ("address",), retries
    engine.deploy()


def test_the_call_was_lost(engine: Engine, faults: Faults) -> None:
    """A deletion that never arrived is sent again; nothing waits for its result."""
    deployed(engine, transient="1s", ready="15s")
    faults({"kind": "cut", "operation": "ReleaseAddress"})
    better = Timer(3, faults)
    better.start()
    cleaned = engine.cleanup()
    better.join()
    assert cleaned.problems == ()
    assert [entry.name for entry in cleaned.deleted] == ["address"]


def test_the_answer_was_lost(engine: Engine, faults: Faults) -> None:
    """A resource that is gone counts as deleted, although the answer was lost."""
    deployed(engine, transient="1s", ready="15s")
    faults({"kind": "cut", "operation": "ReleaseAddress", "committed": True})
    assert engine.cleanup().problems == ()


def test_a_refused_deletion(engine: Engine) -> None:
    """It stays in the journal with its id, and the rest is recorded as gone; the next cleanup continues with it."""
    engine.parts = ("address", "gateway_role")
    engine.deploy()
    address = engine.id_of("address")
    with refused(engine.aws, "ec2", "ReleaseAddress"):
        assert [problem.code for problem in engine.cleanup().problems] == ["AWS-ACCESS-DENIED"]
    assert engine.state
    assert [(record.name, record.phase, record.id) for record in engine.state.alive()] == [("address", "dying", address)]
    assert engine.cleanup().problems == ()
    assert engine.state.alive() == ()


def test_an_aws_of_an_earlier_version(engine: Engine) -> None:
    """A local AWS that runs on after an upgrade may have no operation for a new kind: then it has none of it, with and without a state."""
    engine.parts = ("address",)
    engine.deploy()
    with refused(engine.aws, "bedrock-agentcore-control", "ListAgentRuntimes", "UnknownOperationException"):
        assert engine.cleanup(lost=True).problems == ()


def test_a_listing_that_is_refused(engine: Engine) -> None:
    """A refused listing does not prove absence: the journal keeps what was not deleted."""
    engine.parts = ("address",)
    engine.deploy()
    with refused(engine.aws, "ec2", "DescribeAddresses"):
        assert engine.cleanup().problems
    assert engine.state
    assert [record.name for record in engine.state.alive()] == ["address"]


def test_no_answer_at_all(engine: Engine, faults: Faults) -> None:
    """An AWS that can't be reached is given up after `retries.transient`, not after `retries.ready`."""
    deployed(engine, transient="1s", ready="1h")
    faults({"kind": "cut", "service": "ec2"})
    [problem, *_] = engine.cleanup().problems
    assert problem.code == "AWS-UNREACHABLE"
    faults()
    assert engine.cleanup().problems == ()
