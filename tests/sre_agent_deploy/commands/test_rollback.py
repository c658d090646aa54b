"""`--on-failure rollback`: back to what existed before the failed run, as far as AWS allows it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fixtures.cut import Cut, cut_at, refused
from fixtures.engine import Engine
from sre_agent_deploy.apply import Outcome
from sre_agent_deploy.commands.deploy import returns_to_previous
from sre_agent_deploy.commands.rollback import RolledBack, plan_return, roll_back, took_over
from sre_agent_deploy.commands.switch import find_longest_ttl
from sre_agent_deploy.journal.state import COMPLETE, Record, Result, Run, State
from sre_agent_deploy.plan import Action, Change, Plan, compare
from sre_agent_deploy.resources.route53_record import DnsRecord

# The machine and what it needs.
SERVING = ("address_association",)


def _failed(engine: Engine, service: str, operation: str) -> tuple[Outcome, RolledBack]:
    before, plan = engine.state, engine.plan()
    with refused(engine.aws, service, operation):
        outcome = engine.apply(plan)
    journal = engine.journal()
    journal.end_run("failed")
    return outcome, roll_back(engine.aws, engine.wanted, plan, before=before, journal=journal)


def test_a_first_deployment_that_fails(engine: Engine) -> None:
    """Everything is deleted, and the state says so."""
    outcome, rolled = _failed(engine, "ec2", "RunInstances")
    assert [problem.code for problem in outcome.problems] == ["AWS-ACCESS-DENIED"]
    assert len(rolled.deleted) > 10
    assert not rolled.problems
    assert engine.state
    assert engine.state.alive() == ()


@pytest.mark.parametrize("result", COMPLETE)
def test_an_update_that_fails(engine: Engine, result: Result) -> None:
    """The update's own resources are deleted; the running machine stays, verified or not; the earlier configuration has nothing to do."""
    engine.parts = SERVING
    engine.deploy()
    engine.journal().end_run(result)
    serving = engine.id_of("instance")
    engine.sections["deployment"] = {"volume_gb": 60}
    outcome, rolled = _failed(engine, "ec2", "AssociateAddress")
    assert outcome.problems
    assert (rolled.deleted, rolled.problems) == (("instance",), ())
    assert engine.id_of("instance") == serving
    engine.sections.clear()
    assert engine.changes() == {}


def test_an_update_that_had_changed_something_in_place(engine: Engine) -> None:
    """It is named, since AWS keeps no earlier version; deploying the configuration of before puts it back."""
    engine.parts = (*SERVING, "gateway")
    engine.deploy()
    engine.journal().end_run("applied")
    engine.sections["gateway"] = {"description": "another"}
    engine.sections["deployment"] = {"volume_gb": 60}
    _, rolled = _failed(engine, "ec2", "RunInstances")
    assert [problem.code for problem in rolled.problems] == ["ROLLBACK-PARTIAL"]
    assert "gateway" in rolled.problems[0].what
    engine.sections.clear()
    assert engine.changes() == {"gateway": Action.UPDATE}


def test_an_update_whose_state_was_lost(engine: Engine) -> None:
    """Without a state nothing says that this is a first deployment: what was there before the run stays, in the run after it too."""
    engine.parts = SERVING
    engine.deploy()
    serving, bucket = engine.id_of("instance"), engine.id_of("bucket")
    engine.forget()
    engine.sections["deployment"] = {"volume_gb": 60}
    for _ in range(2):
        outcome, rolled = _failed(engine, "ec2", "AssociateAddress")
        assert outcome.problems
        assert (rolled.deleted, rolled.problems) == (("instance",), ())
        assert engine.plan().change("instance").id == serving
        assert engine.id_of("bucket") == bucket
    engine.sections.clear()
    assert engine.changes() == {}


def test_a_first_deployment_that_was_killed_before(engine: Engine) -> None:
    """Resources of the killed run are recognised as this deployment's own, and are deleted with the rest."""
    engine.parts = SERVING
    with pytest.raises(Cut), cut_at(engine.aws, "CreateUserPool", "committed"):
        engine.apply()
    _, rolled = _failed(engine, "ec2", "RunInstances")
    assert not rolled.problems
    assert engine.state
    assert engine.state.alive() == ()


def test_a_deployment_anew_that_fails(engine: Engine) -> None:
    """A state that was complete before a cleanup proves nothing about what was created since: that is deleted."""
    engine.parts = ("gateway_role", "bucket")
    engine.deploy()
    engine.journal().end_run("applied")
    assert not engine.cleanup().problems
    engine.journal().end_run("cleaned up")
    _, rolled = _failed(engine, "iam", "PutRolePolicy")
    assert not rolled.problems
    assert engine.state
    assert engine.state.alive() == ()


def test_a_return_to_a_machine_that_was_stopped(engine: Engine) -> None:
    """It is started, serves again, and is watched again; no third machine is created."""
    watching = ("alarm_system", "alarm_instance", "alarm_disk", "alarm_memory", "dashboard")
    engine.parts = ("address_association", *watching)
    engine.sections = {"monitoring": {"enabled": "always"}, "alerts": {"email": "team@example.com"}, "deployment": {"keep_previous": "1h"}}
    engine.deploy()
    before = engine.id_of("instance")
    engine.sections["deployment"] = {"keep_previous": "1h", "volume_gb": 60}
    engine.deploy()
    assert engine.id_of("instance") != before
    engine.client("ec2").stop_instances(InstanceIds=[before])
    assert engine.state
    returning = plan_return(engine.aws, engine.wanted, engine.state)
    assert returning
    changes = {change.name: change for change in returning[1].changes if not change.previous and change.action is not Action.KEEP}
    assert {name: change.action for name, change in changes.items()} == dict.fromkeys(
        ("instance", "address_association", *watching), Action.UPDATE
    )
    assert changes["instance"].id == before


def _machines(*ids: str, verified_at: str = "") -> State:
    """A state with machines, oldest first; each was begun an hour after the one before, from 10:00 on."""
    times = (f"2026-11-29T{10 + number}:00:00Z" for number in range(len(ids)))
    records = [
        Record("instance", "AWS::EC2::Instance", number, "token", "ready", time, id=id)
        for number, (id, time) in enumerate(zip(ids, times, strict=True), start=1)
    ]
    return State("sre-1", "123456789012", "us-east-1", "local", "", records={each.key: each for each in records}, verified_at=verified_at)


@pytest.mark.parametrize(
    ("action", "found", "after", "returns"),
    [
        (Action.REPLACE, "i-2", _machines("i-1", "i-2", "i-3", verified_at="2026-11-29T11:30:00Z"), True),
        # The third was never created: the second serves, verified, and the first is kept for a rollback on request.
        (Action.REPLACE, "i-2", _machines("i-1", "i-2", verified_at="2026-11-29T11:30:00Z"), False),
        # No machine was replaced.
        (Action.KEEP, "i-2", _machines("i-1", "i-2", verified_at="2026-11-29T11:30:00Z"), False),
        # A resumed update, whose machine was created by the run before and never verified.
        (Action.KEEP, "i-2", _machines("i-1", "i-2", verified_at="2026-11-29T10:30:00Z"), True),
        (Action.CREATE, "", State("sre-1", "123456789012", "us-east-1", "local", ""), False),
    ],
)
def test_the_machine_to_return_to(action: Action, found: str, after: State, returns: bool) -> None:
    """Only an update's own machine, which was not verified, gives way to the one before; a verified one is never deleted."""
    change = Change("instance", "AWS::EC2::Instance", action, "test", id=found)
    assert took_over(Plan("sre-1", (change,)), after) == returns


@pytest.mark.parametrize(
    ("command", "result", "returns"),
    [("rollback", "interrupted", True), ("rollback", "", True), ("rollback", "rolled back", False), ("deploy", "interrupted", False)],
)
def test_what_a_resume_would_undo(command: str, result: Any, returns: bool) -> None:
    """A rollback that has not finished is not resumed: a deployment would repeat the update."""
    state = replace(_machines("i-1", "i-2"), runs=(Run(command, "me", "here", "2026-11-29T12:00:00Z", result=result),))
    assert returns_to_previous(state) == returns


def test_the_time_in_which_clients_leave() -> None:
    """A resolver keeps a record for the TTL of its own query: a TTL that is lowered takes effect only after the old one."""
    had, gets = (DnsRecord(name="dns_record", hosted_zone_id="Z1", domain="a.example", address="192.0.2.7", ttl=ttl) for ttl in (3600, 10))
    change = Change("dns_record", DnsRecord.KIND, Action.UPDATE, "test", compare(gets, had))
    assert find_longest_ttl(Plan("sre-1", (change,)), 10) == 3600
    assert find_longest_ttl(Plan("sre-1", ()), 60) == 60
