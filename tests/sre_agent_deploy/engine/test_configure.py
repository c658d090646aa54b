"""After a creation the engine waits until the resource works and AWS shows it, no longer than configured, and until Ctrl-C."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fixtures.engine import Engine
from sre_agent_deploy.plan import Action
from sre_agent_deploy.progress import Stop
from sre_core.problem import Problem

type Faults = Callable[..., None]


def failed(engine: Engine) -> Problem:
    """The one problem that a run ends with."""
    [problem] = engine.apply().problems
    return problem


def continues(engine: Engine, faults: Faults) -> None:
    """Without faults the next run finishes what this one began."""
    faults()
    engine.stop, engine.sections = Stop(), {}
    engine.deploy()


def test_not_ready_in_time(engine: Engine, faults: Faults) -> None:
    """The problem says how long the run waited, and the last status."""
    engine.parts, engine.sections["retries"] = ("instance",), {"ready": "1s"}
    faults({"kind": "lag", "service": "ec2", "operation": "DescribeInstances", "seconds": 3600})
    problem = failed(engine)
    assert problem.code == "WAIT-TOO-LONG"
    assert "was not ready after 1s" in problem.what
    assert "instance is pending" in problem.why
    continues(engine, faults)


def test_a_stop_before_it_is_ready(engine: Engine, faults: Faults) -> None:
    """The events report what a resource waits for and the deadline; a stop request ends the wait."""
    engine.parts = ("instance",)
    engine.watcher = lambda event: engine.stop.request() if event.wait and event.wait.why == "ready" else None
    faults({"kind": "lag", "service": "ec2", "operation": "DescribeInstances", "seconds": 3600})
    assert failed(engine).code == "RUN-INTERRUPTED"
    # A slow machine may wait for more than this.
    waiting = [(event.name, event.what) for event in engine.observed if event.wait and event.wait.why == "ready"]
    assert waiting == [("instance", "instance is pending")]
    continues(engine, faults)


def test_shown_late(engine: Engine, faults: Faults) -> None:
    """A resource that AWS does not show yet is read again."""
    engine.parts = ("gateway_role", "address")
    faults({"kind": "lag", "seconds": 1})
    assert engine.apply().problems == ()
    faults()
    assert engine.changes() == {}


def test_not_shown_at_all(engine: Engine, faults: Faults) -> None:
    """A resource that AWS hides for too long is reported as vanished; it is recorded, so it is not created twice."""
    engine.parts, engine.sections["retries"] = ("address",), {"shown": "1s"}
    faults({"kind": "lag", "service": "ec2", "seconds": 3600})
    assert failed(engine).code == "AWS-VANISHED"
    continues(engine, faults)
    named = [{"Name": "tag:sre-agent:deployment-id", "Values": [engine.id]}]
    assert len(engine.client("ec2").describe_addresses(Filters=named)["Addresses"]) == 1


@pytest.mark.parametrize(
    ("fault", "retries", "code"),
    [
        ({"kind": "throttle", "operation": "CreateRole"}, {"throttled": "1s"}, "AWS-THROTTLED"),
        ({"kind": "throttle", "operation": "PutRolePolicy"}, {"throttled": "1s"}, "AWS-THROTTLED"),
        ({"kind": "server_error", "operation": "PutRolePolicy"}, {"transient": "1s"}, "AWS-UNEXPECTED"),
        ({"kind": "cut", "operation": "PutRolePolicy"}, {"transient": "1s"}, "AWS-UNREACHABLE"),
        ({"kind": "cut", "operation": "GetRole"}, {"transient": "1s"}, "AWS-UNREACHABLE"),
    ],
    ids=["creation throttled", "setting throttled", "setting broken", "setting unanswered", "reading unanswered"],
)
def test_retries_have_an_end(engine: Engine, faults: Faults, fault: dict[str, Any], retries: dict[str, str], code: str) -> None:
    """Each kind of error is retried for as long as the configuration says; the next run continues."""
    engine.parts, engine.sections["retries"] = ("gateway_role",), retries
    plan = engine.plan()
    faults(fault)
    [problem] = engine.apply(plan).problems
    assert problem.code == code
    continues(engine, faults)


def test_a_role_that_spreads(engine: Engine, faults: Faults) -> None:
    """A gateway whose role AgentCore does not know yet is created as soon as AgentCore knows it."""
    engine.parts = ("gateway",)
    faults({"kind": "propagation", "seconds": 1})
    assert engine.apply().problems == ()


def test_a_role_that_does_not_spread(engine: Engine, faults: Faults) -> None:
    """After the configured time the problem has AWS's message; nothing was created, and the next run creates it."""
    engine.parts, engine.sections["retries"] = ("gateway",), {"propagating": "1s"}
    faults({"kind": "propagation", "seconds": 3600})
    assert failed(engine).context["operation"] == "CreateGateway"
    faults()
    assert engine.changes()["gateway"] is Action.CREATE
    continues(engine, faults)
