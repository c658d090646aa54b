"""Judge if a deployment is ready for production, by what was found of it (pure).

A task that was not done, or left no trace, is open; what could not be read is unknown: a failed look proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from sre_agent_deploy.journal.state import State
from sre_agent_deploy.report.render import render_page
from sre_agent_deploy.resource import DEPLOYMENT_TAG
from sre_agent_deploy.resources.budgets_budget import Budget
from sre_agent_deploy.resources.ec2_boot import Status
from sre_agent_deploy.tls import expiry
from sre_core import clock
from sre_core.problem import Problem

type Answer[T] = T | Problem
type Judgement = Literal["done", "open", "unknown"]
_SIGNS = {"done": "[x]", "open": "[ ]", "unknown": "[?]"}
# What a local deployment has not: a machine to update, an account to protect, and costs.
_NOT_LOCAL = ("mfa", "updates", "patches", "software", "budget", "outside", "trail")
SECRET_DAYS = 90
_UPDATED_WITHIN = timedelta(days=3)
# One that was missed, and the next.
_BACKED_UP_WITHIN = timedelta(days=2)
EVERY_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Item:
    """One line of the checklist: its evidence, and what to do about what is open, with commands between backticks."""

    id: str
    title: str
    status: Judgement
    evidence: str
    do: str = ""


@dataclass(frozen=True)
class Lifetime:
    """The lifetime of a certificate, and its source where the machine orders it."""

    begins: datetime
    ends: datetime
    source: expiry.Source | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The facts of a deployment from the state, this machine and AWS; a Problem where AWS could not be read."""

    state: State
    now: datetime
    backups: tuple[str, ...]
    data_backup: Answer[datetime | None]
    """When the last data backup was made; None where the deployment has no record of one."""
    scheduled: Answer[Status | None] = None
    """What the instance reported of the last backup that it made by itself; None where it has reported none."""
    alarms: Answer[Mapping[str, bool]]
    """Whether each alarm is raised."""
    outside: Answer[tuple[int, int] | None] = None
    """How many places of the world got an answer of the front door, and how many asked; None where none asks."""
    trail: Answer[str | None] = None
    """Why the trail delivers nothing, empty where it does; None where the deployment has none."""
    receivers: Answer[Mapping[str, bool]]
    """Whether each receiver of the alarms has confirmed."""
    counted: Answer[bool] = True
    """Whether AWS counts costs by the deployment's tag: without that its budget counts nothing."""
    mfa: Answer[bool]
    patches: Answer[int | None]
    updates: Answer[Status | None] = None
    """What the instance reported of the updates that it installs by itself; None where it has reported none."""
    software: Answer[Status | None] = None
    """What the instance reported of Docker and Compose; None where it has reported none."""
    traces: tuple[str, str] | None = None
    """Status and evidence of the last verification on this machine that looked for traces; None where none did."""
    ssh_from: Answer[tuple[str, ...] | None]
    private_bucket: Answer[bool | None]
    secrets: Mapping[str, Answer[datetime]]
    certificate: Answer[Lifetime | None]
    """None where no authority has issued it yet."""


def judge(facts: Facts) -> tuple[Item, ...]:
    """Judge every item of the checklist (pure)."""
    local = facts.state.mode == "local"
    return tuple(item for item in _items(facts) if not (local and item.id in _NOT_LOCAL))


def _items(facts: Facts) -> Iterator[Item]:
    state = facts.state
    yield _item("verified", "Verified since the last change", state.valid_verified_at, "`sre-agent-deploy verify`", "no verification")
    yield _item(
        "backups", "Configuration backed up", ", ".join(facts.backups[-1:]), "`sre-agent-deploy backup`", "no backup on this machine"
    )
    yield _data_backup(facts)
    yield _certificate(facts)
    yield _alarms(facts.alarms)
    yield _answered(facts.outside, "outside", "It is asked from outside, and answers", _judge_outside, ASK_OUTSIDE)
    yield _answered(facts.trail, "trail", "Refusals inside AWS are recorded", _judge_trail, SET_TRAIL)
    if facts.traces is not None:
        yield _traces(*facts.traces)
    yield _answered(facts.receivers, "subscriptions", "Alarm receivers confirmed", _judge_receivers, _CONFIRM)
    yield Item("alarms-tested", "An alarm's message has arrived", "open", "nothing proves that a person read one", _TEST_ALARM)
    yield _answered(facts.mfa, "mfa", "The account's root user has MFA", lambda on: (on, f"AccountMFAEnabled is {int(on)}"), _SET_MFA)
    yield _answered(facts.updates, "updates", "Security updates install themselves", partial(_judge_updates, facts.now), _UPDATE)
    yield _patches(facts)
    if facts.software is not None:
        yield _answered(facts.software, "software", "Docker and Compose are installed", _judge_software, _INSTALL)
    yield Item(
        "quotas", "Quotas leave room", "open", "asked by preflight; its answer is not recorded", "`sre-agent-deploy validate --account`"
    )
    yield _budget(facts)
    yield _answered(facts.ssh_from, "ssh", "SSH is closed", _judge_ssh, _CLOSE_SSH)
    yield _answered(facts.private_bucket, "bucket", "The bucket refuses public access", _judge_bucket, "`sre-agent-deploy deploy`")
    yield _secrets(facts)
    yield Item("recovery", "Recovery was practised", "open", "no drill is recorded", PRACTISE)


PRACTISE = "`sre-agent-deploy restore BACKUP --data`, in an account for tests"
BACK_UP = "`sre-agent-deploy backup --data`"
_REPAIR_BACKUP = "`sre-agent-deploy exec journalctl -u sre-agent-backup`, which says why; `sre-agent-deploy explain ALARM-BACKUP`"
_SET_EMAIL = "`sre-agent-deploy set alerts.email you@example.com`, then `sre-agent-deploy deploy`"
_SEE_ALARMS = "`sre-agent-deploy alarms`, which says of each what it means and what to do first"
_TEST_ALARM = "`sre-agent-deploy alarms test`"
ASK_OUTSIDE = (
    "`sre-agent-deploy set monitoring.outside_check true`, then `sre-agent-deploy deploy`; outside of us-east-1, a check of your own"
)
SET_TRAIL = "`sre-agent-deploy set monitoring.cloudtrail true`, then `sre-agent-deploy deploy`, which repairs a trail as well"
_LOOK_FOR_TRACES = "`sre-agent-deploy verify`, which says why and what to do"
_CONFIRM = "open the mail of AWS Notifications at that address, and confirm it"
_SET_BUDGET = "`sre-agent-deploy set limits.monthly_usd 100`"
_SET_MFA = "sign in as the root user: IAM > Security recommendations > Add MFA"
RESTART = "nothing, or earlier: `sre-agent-deploy exec sudo systemctl reboot`"
# Without the newest release named, Amazon Linux 2023 finds no update.
PATCH = "`sre-agent-deploy exec 'sudo dnf upgrade --security --releasever=latest --assumeyes'`; on Ubuntu `sudo unattended-upgrade`"
_UPDATE = "`sre-agent-deploy exec journalctl -u sre-agent-updates`; if updates.automatic is false, set it and `sre-agent-deploy deploy`"
_INSTALL = "without internet: `sre-agent-deploy set deployment.software none`; else a new instance tries again"
_CLOSE_SSH = "`sre-agent-deploy set deployment.ssh_cidrs '[]'`, then `sre-agent-deploy deploy`"


def _item(id: str, title: str, evidence: str, do: str, missing: str) -> Item:
    return Item(id, title, "done", evidence) if evidence else Item(id, title, "open", missing, do)


def _answered[T](answer: Answer[T], id: str, title: str, judge_answer: Callable[[T], tuple[bool, str]], do: str) -> Item:
    if isinstance(answer, Problem):
        return Item(id, title, "unknown", f"AWS was asked and did not say: {answer.what} {answer.why}", answer.do[0])
    good, evidence = judge_answer(answer)
    return Item(id, title, "done", evidence) if good else Item(id, title, "open", evidence, do)


def _data_backup(facts: Facts) -> Item:
    """Judge by what the instance reported, if it makes backups; else by the last one that a person made."""
    if facts.scheduled is not None:
        return _answered(facts.scheduled, "data-backup", "Data backed up every day", partial(_judge_scheduled, facts.now), _REPAIR_BACKUP)
    return _answered(facts.data_backup, "data-backup", "Data backed up this week", partial(_judge_backup, facts.now), BACK_UP)


def _judge_scheduled(now: datetime, last: Status) -> tuple[bool, str]:
    fresh = bool(last.time) and now - clock.parse(last.time) < _BACKED_UP_WITHIN
    return fresh and last.state == "ok", f"{last.time}: {last.what or last.state}"


def _judge_backup(now: datetime, made_at: datetime | None) -> tuple[bool, str]:
    if made_at is None:
        return False, "the deployment has no record of a data backup"
    return now - made_at <= EVERY_WEEK, f"the last one was made {clock.stamp(made_at)}"


def _alarms(found: Answer[Mapping[str, bool]]) -> Item:
    title = "Alarms exist, and none is raised"
    raised = [] if isinstance(found, Problem) else [name for name, is_raised in found.items() if is_raised]
    if raised:
        return Item("alarms", title, "open", f"raised now: {', '.join(raised)}", _SEE_ALARMS)
    return _answered(found, "alarms", title, lambda names: (bool(names), f"{len(names)} alarms"), _SET_EMAIL)


def _budget(facts: Facts) -> Item:
    title, budget = "A budget reports the cost", facts.state.current("budget")
    if budget is None or not budget.id:
        return Item("budget", title, "open", "no budget", _SET_BUDGET)
    if isinstance(facts.counted, Problem):
        evidence = f"{budget.id}; whether it counts anything is not known: {facts.counted.what}"
        return Item("budget", title, "unknown", evidence, Budget.COUNTS_ONCE)
    if not facts.counted:
        return Item("budget", title, "open", f"{budget.id} counts nothing: the tag {DEPLOYMENT_TAG} is not active", Budget.COUNTS_ONCE)
    return Item("budget", title, "done", budget.id)


def _judge_receivers(receivers: Mapping[str, bool]) -> tuple[bool, str]:
    waiting = [endpoint for endpoint, confirmed in receivers.items() if not confirmed]
    if waiting:
        return False, f"not confirmed: {', '.join(waiting)}"
    return bool(receivers), f"{len(receivers)} confirmed" if receivers else "no receivers"


def _judge_outside(places: tuple[int, int] | None) -> tuple[bool, str]:
    if places is None:
        return False, "nothing of this deployment asks from outside"
    answered, asked = places
    # The share below which Route 53 calls an endpoint unhealthy.
    return bool(asked) and answered / asked > 0.18, f"{answered} of {asked} places got an answer"


def _judge_trail(fault: str | None) -> tuple[bool, str]:
    if fault is None:
        return False, "no trail records whom the gateway and Cognito refuse"
    return not fault, fault or "its trail delivers"


def _traces(status: str, evidence: str) -> Item:
    judged: Judgement = "done" if status == "passed" else "open" if status == "failed" else "unknown"
    return Item("traces", "The traces of questions arrive", judged, evidence, "" if judged == "done" else _LOOK_FOR_TRACES)


def _judge_ssh(ranges: tuple[str, ...] | None) -> tuple[bool, str]:
    if ranges is None:
        return False, "the state has no security group"
    return not ranges, f"port 22 is open to {', '.join(ranges)}" if ranges else "port 22 is closed"


def _patches(facts: Facts) -> Item:
    """Judge by Patch Manager; where it has never looked, by what the instance says that it installed."""
    title = "No security update is missing"
    if facts.patches is not None:
        return _answered(facts.patches, "patches", title, lambda missing: (missing == 0, f"{missing} missing"), PATCH)
    if isinstance(facts.updates, Status) and _judge_updates(facts.now, facts.updates)[0]:
        waits = f"; the restart for them waits until {facts.updates.next_window or 'you do it'}" if facts.updates.reboot else ""
        return Item("patches", title, "open" if waits else "done", f"the instance installed all{waits}", RESTART if waits else "")
    return Item("patches", title, "open", "Patch Manager has never looked at the instance, and it reported no update", PATCH)


def _judge_updates(now: datetime, last: Status | None) -> tuple[bool, str]:
    """Require that the last look succeeded, and that it is no older than two missed ones."""
    if last is None:
        return False, "the instance has reported none"
    evidence = f"{last.time}: {last.what or last.state}"
    fresh = bool(last.time) and now - clock.parse(last.time) < _UPDATED_WITHIN
    return fresh and last.state == "ok", evidence


def _judge_software(report: Status | None) -> tuple[bool, str]:
    state, what = (report.state, report.what) if report else ("", "")
    return state == "ok", what or state


def _judge_bucket(private: bool | None) -> tuple[bool, str]:
    if private is None:
        return False, "the state has no bucket"
    return private, "all four blocks of public access are on" if private else "a block of public access is off"


def _certificate(facts: Facts) -> Item:
    title, found = "The certificate is valid for long enough", facts.certificate
    if not isinstance(found, Lifetime):
        evidence = f"not read: {found.what}" if found else "no authority has issued one yet"
        return Item("certificate", title, "unknown" if found else "open", evidence, "`sre-agent-deploy deploy`")
    evidence = f"{expiry.days_left(found.ends, facts.now)} days, until {clock.stamp(found.ends)}"
    if expiry.judge_expiry("", found.begins, found.ends, facts.now, found.source) is None:
        return Item("certificate", title, "done", evidence)
    return Item("certificate", title, "open", evidence, RENEW)


RENEW = "`sre-agent-deploy certs`, which says who renews it and how"


def _secrets(facts: Facts) -> Item:
    unread = [name for name, answer in facts.secrets.items() if isinstance(answer, Problem)]
    ages = {name: (facts.now - answer).days for name, answer in facts.secrets.items() if not isinstance(answer, Problem)}
    old = [f"{name} ({days} days)" for name, days in ages.items() if days > SECRET_DAYS]
    title = f"No secret is older than {SECRET_DAYS} days"
    if old:
        return Item("secrets", title, "open", f"too old: {', '.join(old)}", "docs/how-to/readiness.md says how to replace each")
    if unread or not ages:
        return Item("secrets", title, "unknown", f"not read: {', '.join(unread) or 'the state has none'}", "`sre-agent-deploy status`")
    return Item("secrets", title, "done", f"the oldest of {len(ages)} is {max(ages.values())} days old")


def count_items(items: Sequence[Item]) -> str:
    """Say in one line how many items are done, open and unknown."""
    return ", ".join(f"{sum(item.status == status for item in items)} {status}" for status in ("done", "open", "unknown"))


def render_text(items: Sequence[Item]) -> str:
    """Render the checklist for a terminal."""
    lines = [f"  {item.status:8} {item.title}: {item.evidence}" + (f"\n{'':11}do: {item.do}" if item.do else "") for item in items]
    return "\n".join((*lines, count_items(items)))


def render_markdown(deployment: str, items: Sequence[Item]) -> str:
    """Render the checklist as a list of tasks."""
    lines = [f"- {_SIGNS[item.status]} **{item.title}**: {item.evidence}" + (f"\n  Do: {item.do}" if item.do else "") for item in items]
    return "\n".join((f"# Is {deployment} ready for production?", "", f"{count_items(items)}.", "", *lines, ""))


def render_html(deployment: str, items: Sequence[Item], when: str) -> str:
    """Render the checklist as one self-contained page."""
    return render_page(
        "readiness.html", title=f"Readiness of {deployment}", deployment=deployment, items=items, counts=count_items(items), when=when
    )
