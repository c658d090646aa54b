"""`maintenance`: when what is due, derived from what is deployed, as a list and as a calendar (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sre_agent_deploy.readiness import (
    ASK_OUTSIDE,
    BACK_UP,
    EVERY_WEEK,
    PATCH,
    PRACTISE,
    RENEW,
    RESTART,
    SECRET_DAYS,
    Facts,
    Lifetime,
)
from sre_agent_deploy.resources.ec2_boot import Status
from sre_agent_deploy.tls import expiry
from sre_core import clock

_EVERY_MONTH, _EVERY_QUARTER = timedelta(days=30), timedelta(days=90)
_ROTATED_BY = {
    "backend_key": "`sre-agent-deploy rotate api-key`",
    **dict.fromkeys(("gateway_client_secret", "caller_client_secret"), "`sre-agent-deploy rotate client-secret`"),
}


@dataclass(frozen=True)
class Task:
    """Something that is due at a time, and again after `every_days`."""

    id: str
    title: str
    due: datetime
    every_days: int
    do: str

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "due": clock.stamp(self.due)}


def plan_maintenance(facts: Facts) -> tuple[Task, ...]:
    """Derive what is due when from what is deployed (pure). Nothing is due before now: what is late is due now."""
    runs = facts.state.runs
    begun = clock.parse(runs[0].started) if runs else facts.now
    monthly, quarterly = (_next(begun, every, facts.now) for every in (_EVERY_MONTH, _EVERY_QUARTER))
    tasks = [
        Task("backup", "Restore a backup on trial", quarterly, 90, PRACTISE),
        _plan_backup(facts),
        Task(
            "access",
            "Review who has access and who was refused",
            quarterly,
            90,
            "`sre-agent-deploy audit --since 90d`",
        ),
        Task("verify", "Prove that it works", monthly, 30, "`sre-agent-deploy verify`"),
    ]
    if facts.state.mode != "local":
        tasks += (*_plan_updates(facts, monthly), _plan_outside(facts, quarterly))
    if isinstance(found := facts.certificate, Lifetime):
        due = max(facts.now, expiry.warning_begins(found.begins, found.ends, found.source))
        tasks.append(Task("certificate", "Renew the certificate", due, 0, RENEW))
    for name, changed in facts.secrets.items():
        if isinstance(changed, datetime) and name != "certificate":
            due = max(facts.now, changed + timedelta(days=SECRET_DAYS))
            tasks.append(
                Task(
                    f"secret-{name}",
                    f"Replace the secret {name}",
                    due,
                    SECRET_DAYS,
                    _ROTATED_BY.get(name, "docs/how-to/rotate.md says how"),
                )
            )
    return tuple(sorted(tasks, key=lambda task: task.due))


def _plan_updates(facts: Facts, monthly: datetime) -> Iterator[Task]:
    """Plan to install updates by hand, or, where the instance does, to look that it did and to expect its restart."""
    if not isinstance(facts.updates, Status):
        yield Task("updates", "Install security updates on the instance", monthly, 30, PATCH)
        return
    yield Task("updates", "See that security updates were installed", monthly, 30, "`sre-agent-deploy readiness`")
    if facts.updates.reboot and facts.updates.next_window:
        due = max(facts.now, clock.parse(facts.updates.next_window))
        yield Task("reboot", "The instance restarts after security updates", due, 0, RESTART)


def _plan_backup(facts: Facts) -> Task:
    """Plan a backup by hand, or, where the instance makes them, to look that it does."""
    made_at, last = facts.data_backup, facts.scheduled
    if isinstance(last, Status):
        looked = clock.parse(last.time) if last.state == "ok" else facts.now - EVERY_WEEK
        due = max(facts.now, looked + EVERY_WEEK)
        return Task("data-backup", "See that the data was backed up", due, EVERY_WEEK.days, "`sre-agent-deploy readiness`")
    due = max(facts.now, made_at + EVERY_WEEK) if isinstance(made_at, datetime) else facts.now
    return Task("data-backup", "Back up the data", due, EVERY_WEEK.days, BACK_UP)


def _plan_outside(facts: Facts, quarterly: datetime) -> Task:
    """Plan to look that something asks from outside and that its alarm arrives, or to let something ask."""
    if facts.outside is None:
        return Task("outside", "Let something ask it from outside", facts.now, 90, ASK_OUTSIDE)
    do = "`sre-agent-deploy readiness`, then `sre-agent-deploy alarms test`"
    return Task("outside", "See that it is asked from outside, and that an alarm arrives", quarterly, 90, do)


def _next(begun: datetime, every: timedelta, now: datetime) -> datetime:
    """Return the first time after now at which something that began then is due again."""
    return begun + every * ((now - begun) // every + 1)


def render_calendar(deployment: str, tasks: Sequence[Task], now: datetime) -> str:
    """Render the calendar (RFC 5545): an all-day event for each task, which repeats as the task does."""
    events = [line for task in tasks for line in _event(deployment, task, now)]
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//sre-agent//maintenance//EN", *events, "END:VCALENDAR", ""]
    return "\r\n".join(folded for line in lines for folded in _fold(line))


def _event(deployment: str, task: Task, now: datetime) -> tuple[str, ...]:
    repeat = (f"RRULE:FREQ=DAILY;INTERVAL={task.every_days}",) if task.every_days else ()
    return (
        "BEGIN:VEVENT",
        f"UID:{task.id}@{deployment}",
        f"DTSTAMP:{now:%Y%m%dT%H%M%SZ}",
        f"DTSTART;VALUE=DATE:{task.due:%Y%m%d}",
        *repeat,
        f"SUMMARY:{_escape(f'{deployment}: {task.title}')}",
        f"DESCRIPTION:{_escape(task.do)}",
        "END:VEVENT",
    )


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _fold(line: str) -> list[str]:
    """Cut a line into pieces of at most 75 bytes, each but the first behind a space. The texts are ASCII."""
    return [line[:74], *(f" {line[at : at + 73]}" for at in range(74, len(line), 73))]
