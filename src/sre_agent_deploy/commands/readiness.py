"""`readiness`: ask the real deployment whether it is ready for production.

`read_facts` asks, `judge` decides (pure). What nobody did, or what left no trace, is open; what could not be asked is
unknown: a failed look proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal

from sre_agent_deploy.alarms import OUTSIDE
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.backup.contents import REPORT as BACKUP_REPORT
from sre_agent_deploy.backup.keep import list_backups
from sre_agent_deploy.cloudtrail import LOG
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import explain_missing_aws
from sre_agent_deploy.commands.cleanup import config_for_cleanup
from sre_agent_deploy.commands.status import require_state
from sre_agent_deploy.commands.user import UNATTENDED, User
from sre_agent_deploy.commands.workspace import use_account
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.later import require_known
from sre_agent_deploy.report.readiness import Item
from sre_agent_deploy.report.render import read_last
from sre_agent_deploy.resource import BACKUP_TAG, DEPLOYMENT_TAG, tags_of
from sre_agent_deploy.resources.budgets_budget import Budget
from sre_agent_deploy.resources.certificate import read_stored
from sre_agent_deploy.resources.cloudtrail_trail import describe_deliveries, find_trails
from sre_agent_deploy.resources.ec2_boot import Status, own_uri, read_report
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_agent_deploy.resources.route53_health_check import read_status
from sre_agent_deploy.resources.sns_topic import list_subscriptions
from sre_agent_deploy.tls import expiry
from sre_core import clock
from sre_core.problem import Problem, Refused

type Answer[T] = T | Problem
# What a local deployment has not: a machine to update, an account to protect, and costs.
_NOT_LOCAL = ("mfa", "updates", "patches", "software", "budget", "outside", "trail")
SECRET_DAYS = 90
_UPDATED_WITHIN = timedelta(days=3)
# One that was missed, and the next.
_BACKED_UP_WITHIN = timedelta(days=2)
EVERY_WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Lifetime:
    """The lifetime of a certificate, and its source where the machine orders it."""

    begins: datetime
    ends: datetime
    source: expiry.Source | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the state, this machine and AWS say of a deployment; a Problem where AWS could not be asked."""

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


def read_facts(request: Request, user: User = UNATTENDED) -> Facts:
    """Look at a deployment. Raises Refused if there is no state, or if its local AWS no longer runs."""
    located, state = require_state(request, "readiness")
    with use_account(config_for_cleanup(located, state), user, start=False) as account:
        if account is None:
            raise Refused(explain_missing_aws(state))
        return _look(account.aws, state)


def _look(aws: Aws, state: State) -> Facts:
    def ask[T](call: Callable[..., T], *arguments: Any) -> Answer[T]:
        answer = attempt(partial(call, aws, *arguments), progress=aws.progress)
        return answer.problem if isinstance(answer, Lost) else answer

    secrets = _of_kind(state, "AWS::SecretsManager::Secret")
    return Facts(
        state=state,
        now=clock.now(),
        backups=tuple(path.name for path in list_backups(Path(state.config_file))),
        data_backup=ask(_read_backup_time, _id(state, "security_group")),
        scheduled=ask(_read_own_report, _id(state, "instance"), BACKUP_REPORT),
        alarms=ask(_list_alarms, state.deployment),
        outside=ask(_ask_outside, _id(state, OUTSIDE)),
        trail=ask(find_trail_fault, _id(state, LOG)),
        receivers=ask(_list_receivers, _of_kind(state, "AWS::SNS::Topic")),
        counted=ask(_counts_costs) if state.current("budget") else True,
        mfa=ask(_has_mfa),
        patches=ask(_count_missing_patches, _id(state, "instance")),
        updates=ask(_read_own_report, _id(state, "instance"), "updates"),
        software=ask(_read_own_report, _id(state, "instance"), "software"),
        traces=find_traces(read_last(state.deployment)),
        ssh_from=ask(_list_ssh_ranges, _id(state, "security_group")),
        private_bucket=ask(_is_private, _id(state, "bucket")),
        secrets={record.name: ask(_read_age, record.id) for record in secrets if not record.named and record.name != "certificate"},
        certificate=ask(_read_certificate, _id(state, "certificate")),
    )


def find_traces(report: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """Find what a verification saw of the traces: in X-Ray if it looked there, else at their receiver (pure)."""
    if report is None:
        return None
    seen = {finding["check"]: finding for finding in report["findings"]}
    found = seen.get("traces.arrive") or seen.get("traces.accepted")
    return (found["status"], f"{report['timestamp']}: {found['what']}") if found else None


def _read_certificate(aws: Aws, id: str) -> Lifetime | None:
    """Read the certificate in Secrets Manager. The state does not know of one that the machine has renewed."""
    stored = read_stored(aws, id) if id else None
    return Lifetime(stored[0].not_before, stored[0].not_after, stored[1]) if stored else None


def _of_kind(state: State, kind: str) -> tuple[Record, ...]:
    return tuple(record for record in state.alive() if record.kind == kind and record.id)


def _id(state: State, name: str) -> str:
    record = state.current(name)
    return record.id if record else ""


def _list_alarms(aws: Aws, deployment: str) -> Mapping[str, bool]:
    pages = aws.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=deployment, AlarmTypes=["MetricAlarm"])
    return {alarm["AlarmName"]: alarm["StateValue"] == "ALARM" for page in pages for alarm in page["MetricAlarms"]}


def _counts_costs(aws: Aws) -> bool:
    """Return whether the tag of deployments is active. Only the account that pays may ask."""
    found: Any = aws.client("ce").list_cost_allocation_tags(TagKeys=[DEPLOYMENT_TAG])["CostAllocationTags"]
    return any(tag["Status"] == "Active" for tag in found)


def _list_receivers(aws: Aws, topics: tuple[Record, ...]) -> Mapping[str, bool]:
    return {endpoint: bool(arn) for topic in topics for endpoint, arn in list_subscriptions(aws, topic.id)}


def _ask_outside(aws: Aws, check: str) -> tuple[int, int] | None:
    return read_status(aws, check) if check else None


def find_trail_fault(aws: Aws, log_group: str) -> str | None:
    """Say why the trail of a log group delivers nothing; empty where one delivers, None where no log group is for a trail."""
    if not log_group:
        return None
    faults = [describe_deliveries(aws, trail) for trail in find_trails(aws, log_group)]
    return min(faults, default=f"no trail delivers into the log group {log_group}")


def _has_mfa(aws: Aws) -> bool:
    summary: Mapping[str, int] = aws.client("iam").get_account_summary()["SummaryMap"]  # type: ignore[assignment]  # its keys are an enum
    return bool(summary.get("AccountMFAEnabled"))


def _count_missing_patches(aws: Aws, instance: str) -> int | None:
    """Count what Patch Manager misses on the instance; None where it has never looked."""
    states = aws.client("ssm").describe_instance_patch_states(InstanceIds=[instance])["InstancePatchStates"] if instance else []
    return sum(each.get("MissingCount", 0) + each.get("FailedCount", 0) for each in states) if states else None


def _read_own_report(aws: Aws, instance: str, name: str) -> Status | None:
    """Read what an instance reported last of what it does by itself."""
    found = Ec2Instance.read(aws, instance, "instance") if instance else None
    return read_report(aws, own_uri(require_known(found.seen.status_uri), instance), name) if found else None


def _read_backup_time(aws: Aws, group: str) -> datetime | None:
    found = aws.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"] if group else []
    made_at = next((tag for each in found if (tag := tags_of(each.get("Tags")).get(BACKUP_TAG))), "")
    return clock.parse(made_at) if made_at else None


def _list_ssh_ranges(aws: Aws, group: str) -> tuple[str, ...] | None:
    """List from where port 22 can be reached; None where the state has no security group."""
    if not group:
        return None
    found = aws.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"]
    rules: list[Mapping[str, Any]] = [rule for each in found for rule in each["IpPermissions"] if _reaches_ssh(rule)]
    sources = [(entry, key) for rule in rules for kind, key in _SOURCES.items() for entry in rule.get(kind, ())]
    return tuple(str(entry[key]) for entry, key in sources)


# What a rule may allow (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html), and what names it.
_SOURCES = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "PrefixListIds": "PrefixListId", "UserIdGroupPairs": "GroupId"}


def _reaches_ssh(rule: Any) -> bool:
    protocol, first, last = rule["IpProtocol"], rule.get("FromPort", 0), rule.get("ToPort", 65535)
    return bool(protocol == "-1" or (protocol == "tcp" and first <= 22 <= last))


def _is_private(aws: Aws, bucket: str) -> bool | None:
    """Return whether all public access is blocked; None where the state has no bucket."""
    if not bucket:
        return None
    blocked = aws.client("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    return all(bool(blocked.get(name)) for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"))


def _read_age(aws: Aws, secret: str) -> datetime:
    found = aws.client("secretsmanager").describe_secret(SecretId=secret)
    return found.get("LastChangedDate") or found["CreatedDate"]


def judge(facts: Facts) -> tuple[Item, ...]:
    """Judge every item of the checklist (pure)."""
    local = facts.state.mode == "local"
    return tuple(item for item in _items(facts) if not (local and item.id in _NOT_LOCAL))


def _items(facts: Facts) -> Iterator[Item]:
    state = facts.state
    yield _item("verified", "Verified since the last change", state.valid_verified_at, "sre-agent-deploy verify", "no verification")
    yield _item("backups", "Configuration backed up", ", ".join(facts.backups[-1:]), "sre-agent-deploy backup", "no backup on this machine")
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
        "quotas", "Quotas leave room", "open", "asked by preflight; its answer is not recorded", "sre-agent-deploy validate --account"
    )
    yield _budget(facts)
    yield _answered(facts.ssh_from, "ssh", "SSH is closed", _judge_ssh, _CLOSE_SSH)
    yield _answered(facts.private_bucket, "bucket", "The bucket refuses public access", _judge_bucket, "sre-agent-deploy deploy")
    yield _secrets(facts)
    yield Item("recovery", "Recovery was practised", "open", "no drill is recorded", PRACTISE)


PRACTISE = "sre-agent-deploy restore BACKUP --data, in an account for tests"
BACK_UP = "sre-agent-deploy backup --data"
_REPAIR_BACKUP = "sre-agent-deploy exec journalctl -u sre-agent-backup, which says why; sre-agent-deploy explain ALARM-BACKUP"
_SET_EMAIL = "sre-agent-deploy set alerts.email you@example.com, then sre-agent-deploy deploy"
_SEE_ALARMS = "sre-agent-deploy alarms, which says of each what it means and what to do first"
_TEST_ALARM = "sre-agent-deploy alarms test"
ASK_OUTSIDE = "sre-agent-deploy set monitoring.outside_check true, then sre-agent-deploy deploy; in other regions than us-east-1 your own"
SET_TRAIL = "sre-agent-deploy set monitoring.cloudtrail true, then sre-agent-deploy deploy, which repairs a trail as well"
_LOOK_FOR_TRACES = "sre-agent-deploy verify, which says why and what to do"
_CONFIRM = "open the mail of AWS Notifications at that address, and confirm it"
_SET_BUDGET = "sre-agent-deploy set limits.monthly_usd 100"
_SET_MFA = "sign in as the root user: IAM > Security recommendations > Add MFA"
RESTART = "nothing, or earlier: sre-agent-deploy exec sudo systemctl reboot"
# Without the newest release named, Amazon Linux 2023 finds no update.
PATCH = "sre-agent-deploy exec 'sudo dnf upgrade --security --releasever=latest --assumeyes'; on Ubuntu 'sudo unattended-upgrade'"
_UPDATE = "sre-agent-deploy exec journalctl -u sre-agent-updates; if updates.automatic is false, set it and sre-agent-deploy deploy"
_INSTALL = "without internet: sre-agent-deploy set deployment.software none; else a new instance tries again"
_CLOSE_SSH = "sre-agent-deploy set deployment.ssh_cidrs '[]', then sre-agent-deploy deploy"


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
    judged: Literal["done", "open", "unknown"] = "done" if status == "passed" else "open" if status == "failed" else "unknown"
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
        return Item("certificate", title, "unknown" if found else "open", evidence, "sre-agent-deploy deploy")
    evidence = f"{expiry.days_left(found.ends, facts.now)} days, until {clock.stamp(found.ends)}"
    if expiry.judge_expiry("", found.begins, found.ends, facts.now, found.source) is None:
        return Item("certificate", title, "done", evidence)
    return Item("certificate", title, "open", evidence, RENEW)


RENEW = "sre-agent-deploy certs, which says who renews it and how"


def _secrets(facts: Facts) -> Item:
    unread = [name for name, answer in facts.secrets.items() if isinstance(answer, Problem)]
    ages = {name: (facts.now - answer).days for name, answer in facts.secrets.items() if not isinstance(answer, Problem)}
    old = [f"{name} ({days} days)" for name, days in ages.items() if days > SECRET_DAYS]
    title = f"No secret is older than {SECRET_DAYS} days"
    if old:
        return Item("secrets", title, "open", f"too old: {', '.join(old)}", "docs/how-to/readiness.md says how to replace each")
    if unread or not ages:
        return Item("secrets", title, "unknown", f"not read: {', '.join(unread) or 'the state has none'}", "sre-agent-deploy status")
    return Item("secrets", title, "done", f"the oldest of {len(ages)} is {max(ages.values())} days old")
