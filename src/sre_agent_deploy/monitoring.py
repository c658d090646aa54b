"""Declare what watches a deployment: the topic, log groups, metrics from the front door's log, alarms and one dashboard (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sre_agent_deploy.account.facts import AccountFacts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Item
from sre_agent_deploy.later import LaterText, Ref, decode_refs, encode_ref
from sre_agent_deploy.names import log_resource
from sre_agent_deploy.resources.cloudwatch_alarm import Alarm
from sre_agent_deploy.resources.cloudwatch_dashboard import Dashboard
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_agent_deploy.resources.logs_metric_filter import MetricFilter
from sre_agent_deploy.resources.sns_topic import SnsTopic
from sre_core import metrics
from sre_core.problem import Problem

TOPIC = "alerts_topic"
PERIOD = 300
CERTIFICATE_DAYS = 14
INSTANCE: tuple[tuple[str, LaterText], ...] = (("InstanceId", Ref("instance", "instance_id")),)
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
FILTERS = (
    (metrics.REQUESTS, '{ $.status = "*" }', "1"),
    (metrics.SERVER_ERRORS, '{ $.status = "5*" }', "1"),
    (metrics.UNAUTHORIZED, '{ ($.status = "401") || ($.status = "403") || ($.status = "429") }', "1"),
    (metrics.REQUEST_SECONDS, "{ $.seconds >= 0 }", "$.seconds"),
)


def declare_monitoring(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    """Declare all of it, or nothing where the configuration does not ask for it."""
    if not config.is_monitored(config.mode):
        return ()
    watching = alarms(config, facts, id)
    return (
        Item(topic(config, facts, id)),
        *(Item(group) for group in log_groups(config, id)),
        *(Item(each) for each in metric_filters(id)),
        *(Item(alarm) for alarm in watching),
        Item(Dashboard(name="dashboard", dashboard_name=id, dashboard_body=dashboard_body(watching, facts.region, id))),
    )


def topic(config: Config, facts: AccountFacts, id: str) -> SnsTopic:
    """Declare the topic with the recipients of the configuration."""
    return SnsTopic(
        name=TOPIC,
        topic_arn=f"arn:{facts.partition}:sns:{facts.region}:{facts.account_id}:{id}-alerts",
        display_name=f"SRE assistant {config.name}",
        kms_key=config.monitoring.kms_key_arn,
        recipients=tuple(filter(None, (config.alerts.email, config.alerts.url))),
        budgets=config.limits.monthly_usd is not None,
    )


def log_groups(config: Config, id: str) -> tuple[LogGroup, ...]:
    return tuple(
        LogGroup(
            name=log_resource(name),
            log_group_name=metrics.log_group(id, name),
            retention_days=config.monitoring.log_retention_days,
            kms_key=config.monitoring.kms_key_arn,
        )
        for name in metrics.LOG_GROUPS
    )


def metric_filters(id: str) -> tuple[MetricFilter, ...]:
    """Declare the metrics of requests. nginx writes one JSON line for each, so the machine needs no program that counts."""
    return tuple(
        MetricFilter(
            name=f"metric_{metric.lower()}",
            log_group_name=Ref(log_resource(metrics.FRONT_DOOR), "log_group_name"),
            filter_name=metric,
            filter_pattern=pattern,
            metric_namespace=metrics.namespace(id),
            metric_name=metric,
            metric_value=value,
        )
        for metric, pattern, value in FILTERS
    )


def alarms(config: Config, facts: AccountFacts, id: str) -> tuple[Alarm, ...]:
    """Declare every alarm, the worst first."""
    seconds, refusals = config.monitoring.p95_seconds, float(config.monitoring.refusals)
    recover = f"arn:{facts.partition}:automate:{facts.region}:ec2:recover"
    ours, aws = metrics.namespace(id), "AWS/EC2"
    return (
        _alarm(id, "system", aws, "StatusCheckFailed_System", 1, statistic="Maximum", period=60, evaluation_periods=2, also=(recover,)),
        _alarm(id, "instance", aws, "StatusCheckFailed_Instance", 1, statistic="Maximum", period=60, evaluation_periods=3),
        _alarm(id, "errors", ours, metrics.SERVER_ERRORS, 5),
        _alarm(id, "slow", ours, metrics.REQUEST_SECONDS, seconds, statistic="p95", evaluation_periods=3),
        _alarm(id, "disk", ours, metrics.DISK_USED, 85, statistic="Average", evaluation_periods=3, dimensions=(*INSTANCE, ("path", "/"))),
        # Without data nothing else of the machine could be alarmed on, so that sends a message as well; a new alarm begins without data.
        _alarm(id, "memory", ours, metrics.MEMORY_USED, 90, statistic="Average", evaluation_periods=3, missing_data="missing", silent=True),
        _alarm(id, "refusals", ours, metrics.UNAUTHORIZED, refusals),
        _alarm(
            id,
            "certificate",
            ours,
            metrics.CERTIFICATE_DAYS,
            CERTIFICATE_DAYS,
            statistic="Minimum",
            period=86400,
            comparison="LessThanThreshold",
            missing_data="ignore",
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


def dashboard_body(watching: tuple[Alarm, ...], region: str, id: str) -> LaterText:
    """Render the widgets: the alarms above, requests, times and the machine below them."""
    ours, instance = metrics.namespace(id), encode_ref(Ref("instance", "instance_id"))
    arns = [encode_ref(Ref(alarm.name, "alarm_arn")) for alarm in watching]
    counted = [[ours, metric, {"stat": "Sum"}] for metric in (metrics.REQUESTS, metrics.SERVER_ERRORS, metrics.UNAUTHORIZED)]
    times = [[ours, metrics.REQUEST_SECONDS, {"stat": stat}] for stat in ("p50", "p95", "p99")]
    used = [[ours, metrics.MEMORY_USED, "InstanceId", instance], [ours, metrics.DISK_USED, "InstanceId", instance, "path", "/"]]
    days = [[ours, metrics.CERTIFICATE_DAYS, {"stat": "Minimum", "period": 86400}]]
    graphs: tuple[tuple[str, Sequence[object]], ...] = (
        ("Requests", counted),
        ("Seconds per request", times),
        ("Memory and disk, %", used),
        ("Days of the certificate", days),
    )
    places = [(0, 4), (12, 4), (0, 10), (12, 10)]
    widgets = [
        {"type": "alarm", "x": 0, "y": 0, "width": 24, "height": 4, "properties": {"title": f"Alarms of {id}", "alarms": arns}},
        *(_graph(title, lines, region, *place) for (title, lines), place in zip(graphs, places, strict=True)),
    ]
    return decode_refs(json.dumps({"widgets": widgets}, sort_keys=True, ensure_ascii=False))


def _graph(title: str, lines: Sequence[object], region: str, x: int, y: int) -> dict[str, object]:
    properties = {"title": title, "metrics": lines, "region": region, "period": PERIOD, "view": "timeSeries"}
    return {"type": "metric", "x": x, "y": y, "width": 12, "height": 6, "properties": properties}


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
            "See who: the `client` addresses in the log group ending in -front-door.",
            "If it is none of yours, block the address (VPC > Network ACLs). Give a client of yours the present secret.",
        ),
    ),
    "certificate": Problem(
        code="ALARM-CERTIFICATE",
        what=f"The front door's certificate expires in less than {CERTIFICATE_DAYS} days.",
        why="It was not renewed in time. Once it has expired, every client refuses the connection.",
        do=("Renew it, then `sre-agent-deploy deploy`.", "`sre-agent-deploy explain TLS-EXPIRES-SOON` says how."),
    ),
}
"""What each alarm means, and what to do first, by the last part of its name."""
