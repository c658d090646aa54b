"""A deleted resource is gone at the end, whatever AWS answered."""

from __future__ import annotations

from collections.abc import Callable
from threading import Timer
from typing import Any

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


def test_no_answer_at_all(engine: Engine, faults: Faults) -> None:
    """An AWS that can't be reached is given up after `retries.transient`, not after `retries.ready`."""
    deployed(engine, transient="1s", ready="1h")
    faults({"kind": "cut", "service": "ec2"})
    [problem, *_] = engine.cleanup().problems
    assert problem.code == "AWS-UNREACHABLE"
    faults()
    assert engine.cleanup().problems == ()
