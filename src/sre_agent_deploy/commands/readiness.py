"""`readiness`: ask the real deployment, this machine and AWS for what is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sre_agent_deploy.alarms import OUTSIDE
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.backup.contents import REPORT as BACKUP_REPORT
from sre_agent_deploy.backup.keep import list_backups
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import explain_missing_aws
from sre_agent_deploy.commands.cleanup import config_for_cleanup
from sre_agent_deploy.commands.status import require_state
from sre_agent_deploy.commands.user import UNATTENDED, User
from sre_agent_deploy.commands.workspace import use_account
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.later import require_known
from sre_agent_deploy.monitoring import TRAIL_LOG
from sre_agent_deploy.readiness import Answer, Facts, Lifetime
from sre_agent_deploy.report.render import read_last
from sre_agent_deploy.resource import BACKUP_TAG, DEPLOYMENT_TAG, tags_of
from sre_agent_deploy.resources.certificate import read_stored
from sre_agent_deploy.resources.cloudtrail_trail import describe_deliveries, find_trails
from sre_agent_deploy.resources.ec2_boot import Status, own_uri, read_report
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_agent_deploy.resources.route53_health_check import read_status
from sre_agent_deploy.resources.sns_topic import list_subscriptions
from sre_core import clock
from sre_core.problem import Refused


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
        trail=ask(find_trail_fault, _id(state, TRAIL_LOG)),
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
