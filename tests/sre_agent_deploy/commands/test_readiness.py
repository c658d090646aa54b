"""The checklist and the calendar follow from facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sre_agent_deploy.checks.verification.front_door import CertificateLasts, ServedCertificate
from sre_agent_deploy.commands.maintenance import plan_maintenance, render_calendar
from sre_agent_deploy.commands.readiness import find_traces
from sre_agent_deploy.journal.state import Record, Run, State
from sre_agent_deploy.readiness import Facts, Lifetime, judge, render_markdown, render_text
from sre_agent_deploy.resources.ec2_boot import Status
from sre_agent_deploy.tls.expiry import Source
from sre_core import clock
from sre_core.problem import Problem

NOW = datetime(2026, 11, 29, tzinfo=UTC)
REFUSED = Problem(code="AWS-ACCESS-DENIED", what="It was refused.", why="A permission is missing.", do=("Add it.",))


UPDATED = Status("updates", "ok", "nothing to update", time=clock.stamp(NOW))
BACKED_UP = Status("backup", "ok", "3 users and 2 objects", time=clock.stamp(NOW - timedelta(hours=20)))


def facts(**changes: Any) -> Facts:
    """A deployment of a hundred days, about which everything is known and well."""
    began = clock.stamp(NOW - timedelta(days=100))
    certificate = Record("certificate", "AWS::SecretsManager::Secret", 1, "", "ready", began, "c")
    topic = Record("alarm_topic", "AWS::SNS::Topic", 1, "", "ready", began, "arn:topic")
    budget = Record("budget", "AWS::Budgets::Budget", 1, "", "ready", began, "sre-1")
    state = State(
        "sre-1", "123456789012", "us-east-1", "production", "/config.yaml",
        records={record.key: record for record in (certificate, topic, budget)},
        runs=(Run("deploy", "ann", "host", began, began, "applied"),), verified_at=clock.stamp(NOW),
    )  # fmt: skip
    well = Facts(
        state=state, now=NOW, backups=("config-1.zip",), data_backup=NOW - timedelta(days=1),
        alarms={"sre-1-disk": False}, outside=(16, 16), trail="", receivers={"ann@example.com": True},
        mfa=True, patches=0, updates=UPDATED, software=Status("software", "ok", "Docker 25.0.8"), ssh_from=(),
        private_bucket=True, secrets={"backend_key": NOW - timedelta(days=10)},
        certificate=Lifetime(NOW - timedelta(days=30), NOW + timedelta(days=60)),
    )  # fmt: skip
    return replace(well, **changes)


def test_where_traces_were_seen() -> None:
    """X-Ray's answer counts before that of the agent, which accepts also what X-Ray then refuses; without traces nothing is asked for."""
    accepted, arrive = (
        {"check": "traces.accepted", "status": "passed", "what": "a"},
        {"check": "traces.arrive", "status": "failed", "what": "b"},
    )
    for findings, expected in (([accepted], ("passed", "T: a")), ([accepted, arrive], ("failed", "T: b")), ([], None)):
        assert find_traces({"timestamp": "T", "findings": findings}) == expected
    assert find_traces(None) is None
    assert [item.status for item in judge(facts(traces=("passed", "T: a"))) if item.id == "traces"] == ["done"]
    assert not [item for item in judge(facts()) if item.id == "traces"]


def test_all_is_well() -> None:
    """Only what leaves no trace in AWS stays open."""
    assert {item.id for item in judge(facts()) if item.status != "done"} == {"alarms-tested", "quotas", "recovery"}


@pytest.mark.parametrize(
    ("id", "changes"),
    [
        ("backups", {"backups": ()}),
        ("data-backup", {"data_backup": None}),
        ("data-backup", {"data_backup": NOW - timedelta(days=8)}),
        ("data-backup", {"scheduled": replace(BACKED_UP, state="failed", what="The bucket does not exist.")}),
        ("data-backup", {"scheduled": replace(BACKED_UP, time=clock.stamp(NOW - timedelta(days=2)))}),
        ("alarms", {"alarms": {}}),
        ("alarms", {"alarms": {"sre-1-disk": True, "sre-1-slow": False}}),
        ("budget", {"counted": False}),
        ("outside", {"outside": None}),
        ("outside", {"outside": (2, 16)}),
        ("trail", {"trail": None}),
        ("trail", {"trail": "it was stopped"}),
        ("traces", {"traces": ("failed", "2026-11-29T00:00:00Z: X-Ray has nothing of trace 1-2-3")}),
        ("subscriptions", {"receivers": {"ann@example.com": False}}),
        ("subscriptions", {"receivers": {}}),
        ("mfa", {"mfa": False}),
        ("patches", {"patches": 3}),
        ("patches", {"patches": None, "updates": None}),
        ("patches", {"patches": None, "updates": replace(UPDATED, reboot="waiting", next_window="2026-12-06T03:00:00Z")}),
        ("updates", {"updates": None}),
        ("updates", {"updates": replace(UPDATED, state="failed", what="`dnf` ended with exit code 1.")}),
        ("updates", {"now": NOW + timedelta(days=4)}),
        ("software", {"software": Status("software", "failed", "Docker is installed, Compose is not.")}),
        ("ssh", {"ssh_from": ("203.0.113.0/24",)}),
        ("ssh", {"ssh_from": None}),
        ("bucket", {"private_bucket": False}),
        ("bucket", {"private_bucket": None}),
        ("secrets", {"secrets": {"backend_key": NOW - timedelta(days=91)}}),
        ("certificate", {"now": NOW + timedelta(days=40)}),
        ("certificate", {"certificate": None}),
    ],
)
def test_what_is_open(id: str, changes: dict[str, Any]) -> None:
    """It says what was found and what to do."""
    [item] = [item for item in judge(facts(**changes)) if item.id == id]
    assert item.status == "open"
    assert item.do
    assert item.do in render_markdown("sre-1", [item])
    assert item.evidence in render_text([item])
    # Between backticks there are commands, and nothing else.
    prose, commands = item.do.split("`")[::2], item.do.split("`")[1::2]
    assert all(command.startswith(("sre-agent-deploy ", "sudo ")) for command in commands)
    assert "sre-agent-deploy" not in "".join(prose)


@pytest.mark.parametrize(
    ("id", "changes"),
    [
        ("mfa", {"mfa": REFUSED}),
        ("budget", {"counted": REFUSED}),
        ("alarms", {"alarms": REFUSED}),
        ("secrets", {"secrets": {"backend_key": REFUSED}}),
    ],
)
def test_what_could_not_be_asked(id: str, changes: dict[str, Any]) -> None:
    """It is neither done nor open."""
    [item] = [item for item in judge(facts(**changes)) if item.id == id]
    assert item.status == "unknown"


@pytest.mark.parametrize(("days", "source", "left"), [(90, None, 30), (90, "letsencrypt", 20), (45, None, 15), (6, None, 2)])
def test_when_a_certificate_is_due(days: int, source: Source | None, left: int) -> None:
    """Checklist and calendar name the day from which `certs` and `verify` warn."""
    ends = NOW + timedelta(days=days)
    known = facts(certificate=Lifetime(NOW, ends, source))
    [due] = [task.due for task in plan_maintenance(known) if task.id == "certificate"]
    assert due == ends - timedelta(days=left)
    for moment, status in ((due - timedelta(seconds=1), "done"), (due, "open")):
        assert [item.status for item in judge(replace(known, now=moment)) if item.id == "certificate"] == [status]


def test_a_local_deployment() -> None:
    """The checklist has nothing that it does not have: a machine, an account of Amazon's, costs."""
    everywhere = facts()
    here = replace(everywhere, state=replace(everywhere.state, mode="local"))
    only_there = {item.id for item in judge(everywhere)} - {item.id for item in judge(here)}
    assert only_there == {"mfa", "updates", "patches", "software", "budget", "outside", "trail"}
    assert {task.id for task in plan_maintenance(everywhere)} - {task.id for task in plan_maintenance(here)} == {"updates", "outside"}


def test_a_machine_that_updates_itself() -> None:
    """Its own report counts where Patch Manager has never looked, and the calendar expects the restart that it waits for."""
    known = facts(patches=None)
    assert [item.status for item in judge(known) if item.id in ("patches", "updates")] == ["done", "done"]
    waiting = replace(UPDATED, reboot="waiting", next_window="2026-12-06T03:00:00Z")
    tasks = {task.id: task for task in plan_maintenance(facts(updates=waiting))}
    assert tasks["reboot"].due == datetime(2026, 12, 6, 3, tzinfo=UTC)
    missed = replace(waiting, next_window="2020-01-05T03:00:00Z")
    assert {task.due for task in plan_maintenance(facts(updates=missed)) if task.id == "reboot"} == {NOW}
    assert [task.title for task in plan_maintenance(facts(updates=None)) if task.id == "updates"] == [
        "Install security updates on the instance"
    ]


def test_a_machine_that_backs_itself_up() -> None:
    """Its report counts for checklist and calendar; one that failed is looked at now."""
    for known, due in ((BACKED_UP, NOW - timedelta(hours=20) + timedelta(days=7)), (replace(BACKED_UP, state="failed"), NOW)):
        [task] = [task for task in plan_maintenance(facts(scheduled=known, data_backup=None)) if task.id == "data-backup"]
        assert (task.due, task.do) == (due, "`sre-agent-deploy readiness`")
    [item] = [item for item in judge(facts(scheduled=BACKED_UP, data_backup=None)) if item.id == "data-backup"]
    assert (item.status, "3 users" in item.evidence) == ("done", True)


@pytest.mark.parametrize(("outside", "due"), [((16, 16), NOW + timedelta(days=80)), (REFUSED, NOW + timedelta(days=80)), (None, NOW)])
def test_the_question_from_outside_is_in_the_calendar(outside: Any, due: datetime) -> None:
    """Every 90 days where Route 53 asks; where nothing does, now."""
    [task] = [task for task in plan_maintenance(facts(outside=outside)) if task.id == "outside"]
    assert (task.due, "alarms test" in task.do) == (due, outside is not None)


def test_the_calendar() -> None:
    """Overdue tasks are due now, repeated ones are due next, and no line is longer than calendar programs read."""
    tasks = {task.id: task for task in plan_maintenance(facts(secrets={"backend_key": NOW - timedelta(days=200)}))}
    assert tasks["secret-backend_key"].due == NOW
    assert tasks["certificate"].due == NOW + timedelta(days=60 - 30)
    assert tasks["updates"].due == NOW + timedelta(days=20)
    assert tasks["data-backup"].due == NOW + timedelta(days=6)
    calendar = render_calendar("sre-1", tuple(tasks.values()), NOW)
    assert all(len(line) <= 75 for line in calendar.split("\r\n"))
    assert "DTSTART;VALUE=DATE:20261129" in calendar
    assert "RRULE:FREQ=DAILY;INTERVAL=90" in calendar


@pytest.mark.parametrize(("source", "holds"), [(None, False), ("letsencrypt", True)])
def test_a_served_certificate_in_its_renewal_window(source: Source | None, holds: bool) -> None:
    """The machine has a third of the window to renew what it orders; of any other certificate the owner is warned at once."""
    served = ServedCertificate("d", NOW - timedelta(days=65), NOW + timedelta(days=25), NOW, source)
    assert CertificateLasts().judge(served).holds is holds
