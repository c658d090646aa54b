"""Declare the alarms of a deployment, each with what it means and what to do first (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.later import LaterText, Ref
from sre_agent_deploy.resources.cloudwatch_alarm import Alarm
from sre_core import metrics
from sre_core.problem import Problem

TOPIC = "alerts_topic"
OUTSIDE = "outside_check"
PERIOD, DAY = 300, 86_400
CERTIFICATE_DAYS = 14
INSTANCE: tuple[tuple[str, LaterText], ...] = (("InstanceId", Ref("instance", "instance_id")),)


def asks_model(config: Config) -> bool:
    """Say if a language model costs money that metrics of the deployment can see."""
    return config.assistant.reasoner != "rules"


def declare_alarms(config: Config, facts: AccountFacts, id: str) -> tuple[Alarm, ...]:
    """Declare every alarm, the worst first."""
    seconds, refusals = config.monitoring.p95_seconds, float(config.monitoring.refusals)
    recover = f"arn:{facts.partition}:automate:{facts.region}:ec2:recover"
    ours, aws = metrics.namespace(id), "AWS/EC2"
    # CloudTrail reports within about five minutes, seldom within fifteen: a value of an earlier period still counts.
    late = 4 if config.monitoring.cloudtrail else 1
    return (
        _alarm(id, "system", aws, "StatusCheckFailed_System", 1, statistic="Maximum", period=60, evaluation_periods=2, also=(recover,)),
        _alarm(id, "instance", aws, "StatusCheckFailed_Instance", 1, statistic="Maximum", period=60, evaluation_periods=3),
        _alarm(id, "errors", ours, metrics.SERVER_ERRORS, 5),
        _alarm(id, "slow", ours, metrics.REQUEST_SECONDS, seconds, statistic="p95", evaluation_periods=3),
        _alarm(id, "disk", ours, metrics.DISK_USED, 85, statistic="Average", evaluation_periods=3, dimensions=(*INSTANCE, ("path", "/"))),
        # Without data nothing else of the machine could be alarmed on, so that sends a message as well; a new alarm begins without data.
        _alarm(id, "memory", ours, metrics.MEMORY_USED, 90, statistic="Average", evaluation_periods=3, missing_data="missing", silent=True),
        _alarm(id, "refusals", ours, metrics.UNAUTHORIZED, refusals, evaluation_periods=late, datapoints_to_alarm=1),
        _alarm(
            id,
            "certificate",
            ours,
            metrics.CERTIFICATE_DAYS,
            CERTIFICATE_DAYS,
            statistic="Minimum",
            period=DAY,
            comparison="LessThanThreshold",
            missing_data="ignore",
        ),
        *((_alarm(id, "money", ours, metrics.MODEL_USD, config.monitoring.model_usd_per_day, period=DAY),) if asks_model(config) else ()),
        *((_declare_backup_alarm(id),) if config.backups.at else ()),
    )


def _declare_backup_alarm(id: str) -> Alarm:
    """Declare the alarm of two days without a backup. Two days without any word of one send a message as well; a new alarm begins so."""
    return _alarm(
        id,
        "backup",
        metrics.namespace(id),
        metrics.BACKUPS,
        1,
        statistic="Maximum",
        period=DAY,
        evaluation_periods=2,
        comparison="LessThanThreshold",
        missing_data="missing",
        silent=True,
    )


def declare_outside_alarms(config: Config, id: str) -> tuple[Alarm, ...]:
    """Declare the alarm of no answer from outside. The health check has waited for several failures already, so one minute is enough."""
    if not config.monitoring.outside_check:
        return ()
    return (
        _alarm(
            id,
            "outside",
            "AWS/Route53",
            metrics.HEALTH_CHECK_STATUS,
            1,
            silent=True,
            dimensions=(("HealthCheckId", Ref(OUTSIDE, "health_check_id")),),
            statistic="Minimum",
            period=60,
            comparison="LessThanThreshold",
            missing_data="missing",
        ),
    )


def _alarm(
    id: str,
    name: str,
    namespace: str,
    metric: str,
    threshold: float,
    *,
    also: tuple[LaterText, ...] = (),
    silent: bool = False,
    **settings: object,
) -> Alarm:
    on_machine = namespace.startswith("AWS/") or metric == metrics.MEMORY_USED
    receivers: tuple[LaterText, ...] = (Ref(TOPIC, "topic_arn"),)
    chosen: dict[str, object] = {"dimensions": INSTANCE if on_machine else (), "period": PERIOD} | settings
    return Alarm(
        name=f"alarm_{name}",
        alarm_name=f"{id}-{name}",
        alarm_description=describe_alarm(ALARMS[name]),
        metric_namespace=namespace,
        metric_name=metric,
        alarm_threshold=float(threshold),
        alarm_actions=(*also, *receivers),
        ok_actions=receivers,
        insufficient_data_actions=receivers if silent else (),
        **chosen,  # type: ignore[arg-type]  # fields of Alarm, each of the type that it has there
    )


def describe_alarm(problem: Problem) -> str:
    """Write what an alarm means, what to do first, and where more is said: the text that its recipients get."""
    return f"{problem.what} {problem.why} First: {problem.do[0]} More: sre-agent-deploy explain {problem.code}"


def problem_of(alarm_name: str) -> Problem | None:
    """Return what the alarm of this name means, and what to do; None for an alarm that is not from this tool."""
    return ALARMS.get(alarm_name.rpartition("-")[2])


ALARMS: Mapping[str, Problem] = {
    "system": Problem(
        code="ALARM-SYSTEM",
        what="The hardware below the machine failed EC2's system status check.",
        why="EC2 now moves the machine to other hardware by itself: it reboots, with the same address and disk.",
        do=("Wait 15 minutes, then `sre-agent-deploy verify`.", "If it still fails, stop and start the instance."),
    ),
    "instance": Problem(
        code="ALARM-INSTANCE",
        what="The machine failed EC2's instance status check.",
        why="Its system does not answer: it has no memory left, a full disk, or a broken network or kernel.",
        do=("Reboot it: `aws ec2 reboot-instances --instance-ids INSTANCE-ID`.", "If it fails again, terminate it, and deploy."),
    ),
    "errors": Problem(
        code="ALARM-ERRORS",
        what="At least 5 requests within 5 minutes were answered with a server error (5xx).",
        why="A service does not answer, or fails.",
        do=("See which one: `sre-agent-deploy verify`.", "Read its log: `sre-agent-deploy logs SERVICE`."),
    ),
    "slow": Problem(
        code="ALARM-SLOW",
        what="For 15 minutes, 5 % of the requests have taken longer than monitoring.p95_seconds.",
        why="The machine is too small for its load, or a system that a service asks (a model, a cluster, Prometheus) is slow.",
        do=("See which requests are slow: the field `seconds` in the log group ending in -front-door.", "Compare with the dashboard."),
    ),
    "disk": Problem(
        code="ALARM-DISK",
        what="The machine's disk is more than 85 % full.",
        why="Logs, old releases or container images fill it; a full disk stops every service.",
        do=(
            "Open a shell (`sre-agent-deploy ssh`) and see what fills it: `sudo du -xh --max-depth=2 /`.",
            "Raise deployment.volume_gb.",
        ),
    ),
    "memory": Problem(
        code="ALARM-MEMORY",
        what="The machine's memory is more than 90 % used, or the machine has reported nothing for 15 minutes.",
        why="A service uses too much; or the CloudWatch agent does not run, so no other alarm of the machine could be raised.",
        do=(
            "See which: `sre-agent-deploy exec systemctl status amazon-cloudwatch-agent`.",
            "See what uses it: `sre-agent-deploy exec systemctl status`; a larger deployment.instance_type has more.",
        ),
    ),
    "refusals": Problem(
        code="ALARM-REFUSALS",
        what="Many requests were refused within 5 minutes, because their token was missing or wrong (401, 403, 429).",
        why="A stranger tries to get in, or a client has an old secret.",
        do=(
            "See who: `sre-agent-deploy audit`, or the `client` addresses in the log group ending in -front-door.",
            "If it is none of yours, block the address (VPC > Network ACLs). Give a client of yours the present secret.",
        ),
    ),
    "outside": Problem(
        code="ALARM-OUTSIDE",
        what="The front door does not answer from outside, or Route 53 no longer checks it.",
        why="The machine, its front door or its security group refuses connections; or the domain's DNS no longer leads to it.",
        do=(
            "See it as clients do: `sre-agent-deploy verify`.",
            "If it passes, see Route 53 > Health checks > outside_check: its Health checkers tab says what each place got.",
        ),
    ),
    "certificate": Problem(
        code="ALARM-CERTIFICATE",
        what=f"The front door's certificate expires in less than {CERTIFICATE_DAYS} days.",
        why="It was not renewed in time. Once it has expired, every client refuses the connection.",
        do=("Renew it, then `sre-agent-deploy deploy`.", "`sre-agent-deploy explain TLS-EXPIRES-SOON` says how."),
    ),
    "backup": Problem(
        code="ALARM-BACKUP",
        what="The machine has not backed up the data for two days.",
        why="The backup failed, or the machine does not run: what was changed since would be lost.",
        do=(
            "See why: `sre-agent-deploy readiness` shows the last report.",
            "Make one now: `sre-agent-deploy backup --data`.",
        ),
    ),
    "money": Problem(
        code="ALARM-MONEY",
        what="The language model has cost monitoring.model_usd_per_day or more since midnight (UTC).",
        why="More was asked than usual, questions need more tokens, or a stranger asks with a client's secret.",
        do=(
            "See which questions: `input_tokens` and `dollars` in the log group ending in -usage; on AgentCore Runtime in the runtime's.",
            "Lower assistant.usd_per_question, or raise monitoring.model_usd_per_day.",
        ),
    ),
}
"""What each alarm means, and what to do first, by the last part of its name."""
