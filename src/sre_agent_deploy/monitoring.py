"""Declare what watches a deployment: the topic, log groups, metrics from lines of logs, CloudTrail's trail and one dashboard (pure).

`alarms.py` declares the alarms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.alarms import DAY, OUTSIDE, PERIOD, TOPIC, asks_model, declare_alarms, declare_outside_alarms
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Item
from sre_agent_deploy.later import LaterText, Ref, decode_refs, encode_ref, text
from sre_agent_deploy.names import address, log_resource, moves_by_name
from sre_agent_deploy.resources.cloudtrail_trail import Trail
from sre_agent_deploy.resources.cloudwatch_alarm import Alarm
from sre_agent_deploy.resources.cloudwatch_dashboard import Dashboard
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.logs_delivery import Delivery
from sre_agent_deploy.resources.logs_delivery_destination import DeliveryDestination
from sre_agent_deploy.resources.logs_delivery_source import DeliverySource
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_agent_deploy.resources.logs_metric_filter import MetricFilter
from sre_agent_deploy.resources.policy_document import Statement
from sre_agent_deploy.resources.route53_health_check import HealthCheck
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.sns_topic import SnsTopic
from sre_core import metrics, release


@dataclass(frozen=True)
class Count:
    """One metric from the lines of a log that match a pattern: `value` is a number or a field, `by` a dimension with its field.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html
    """

    metric: str
    pattern: str
    value: str = "1"
    by: tuple[str, str] | None = None

    @property
    def filter_name(self) -> str:
        return f"{self.metric}By{self.by[0]}" if self.by else self.metric


# nginx writes one JSON line for each request.
REQUESTS = (
    Count(metrics.REQUESTS, '{ $.status = "*" }'),
    Count(metrics.SERVER_ERRORS, '{ $.status = "5*" }'),
    Count(metrics.UNAUTHORIZED, '{ ($.status = "401") || ($.status = "403") || ($.status = "429") }'),
    Count(metrics.REQUEST_SECONDS, "{ $.seconds >= 0 }", "$.seconds"),
)
_FINISHED, _USED = (f'{{ $.event = "{event}" }}' for event in (metrics.FINISHED, metrics.MODEL_USED))
# The assistant writes one line for each question, and one for each model that it was put to.
QUESTIONS = (
    Count(metrics.INVESTIGATIONS, _FINISHED, by=("Outcome", "$.outcome")),
    Count(metrics.INVESTIGATION_SECONDS, _FINISHED, "$.seconds"),
    Count(metrics.WAITING, _FINISHED, "$.waiting"),
    Count(metrics.TOOL_CALLS, _FINISHED, "$.calls"),
    Count(metrics.TOOL_FAILURES, _FINISHED, "$.failed_calls"),
)
_MODEL = ("Model", "$.model")
MODELS = (
    Count(metrics.INPUT_TOKENS, _USED, "$.input_tokens", _MODEL),
    Count(metrics.OUTPUT_TOKENS, _USED, "$.output_tokens", _MODEL),
    Count(metrics.MODEL_USD, "{ $.dollars >= 0 }", "$.dollars", _MODEL),
    Count(metrics.MODEL_USD, "{ $.dollars >= 0 }", "$.dollars"),
)
_TRAIL_BUCKET, _TRAIL_ROLE = "trail_bucket", "trail_role"
TRAIL_LOG = log_resource(metrics.TRAIL)
_TRAIL_FILTER = "UnauthorizedInAws"
# https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/understanding-gateway-cloudtrail-log-entries.html
_OF_GATEWAY = (
    '(($.eventSource = "bedrock-agentcore.amazonaws.com") && ($.resources[0].ARN = "{gateway}") && '
    "(($.responseElements.statusCode = 401) || ($.responseElements.statusCode = 403) || ($.responseElements.statusCode = 429)))"
)
# https://docs.aws.amazon.com/cognito/latest/developerguide/understanding-amazon-cognito-entries.html
_OF_COGNITO = (
    '(($.eventName = "Token_POST") && ($.additionalEventData.userPoolId = "{pool}") && '
    "($.additionalEventData.responseParameters.status >= 400) && ($.additionalEventData.responseParameters.status < 500))"
)


def declare_monitoring(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    """Declare all of it, or nothing where the configuration does not ask for it."""
    if not config.is_monitored(config.mode):
        return ()
    watching = (*declare_alarms(config, facts, id), *declare_outside_alarms(config, id))
    return (
        Item(declare_topic(config, facts, id)),
        *(Item(group) for group in declare_log_groups(config, id)),
        *(Item(part) for part in declare_gateway_logs(config, id)),
        *(Item(each) for each in declare_metric_filters(config, id)),
        *declare_trail(config, facts, id),
        *declare_outside_check(config, facts),
        *(Item(alarm) for alarm in watching),
        Item(Dashboard(name="dashboard", dashboard_name=id, dashboard_body=render_dashboard(config, watching, facts.region, id))),
    )


def declare_topic(config: Config, facts: AccountFacts, id: str) -> SnsTopic:
    """Declare the topic with the recipients of the configuration."""
    return SnsTopic(
        name=TOPIC,
        topic_arn=f"arn:{facts.partition}:sns:{facts.region}:{facts.account_id}:{id}-alerts",
        display_name=f"SRE assistant {config.name}",
        kms_key=config.monitoring.kms_key_arn,
        recipients=tuple(filter(None, (config.alerts.email, config.alerts.url))),
        budgets=config.limits.monthly_usd is not None,
    )


def declare_log_groups(config: Config, id: str) -> tuple[LogGroup, ...]:
    of_gateway = {metrics.GATEWAY: metrics.gateway_log_group(id)} if config.monitoring.gateway_logs else {}
    of_trail = (metrics.TRAIL,) if config.monitoring.makes_trail else ()
    names = {name: metrics.log_group(id, name) for name in (*metrics.LOG_GROUPS, *of_trail)} | of_gateway
    return tuple(
        LogGroup(
            name=log_resource(name),
            log_group_name=group,
            retention_days=config.monitoring.log_retention_days,
            kms_key=config.monitoring.kms_key_arn,
        )
        for name, group in names.items()
    )


def declare_gateway_logs(config: Config, id: str) -> tuple[DeliverySource | DeliveryDestination | Delivery, ...]:
    """Declare the delivery of the gateway's own logs, which no machine sees, into their log group."""
    if not config.monitoring.gateway_logs:
        return ()
    source, destination = "gateway_log_source", "gateway_log_destination"
    return (
        DeliverySource(name=source, delivery_source_name=f"{id}-{metrics.GATEWAY}", resource_arn=Ref("gateway", "arn")),
        DeliveryDestination(
            name=destination,
            delivery_destination_name=f"{id}-{metrics.GATEWAY}",
            destination_arn=Ref(log_resource(metrics.GATEWAY), "arn"),
        ),
        Delivery(
            name="gateway_log_delivery",
            delivery_source_name=Ref(source, "delivery_source_name"),
            delivery_destination_arn=Ref(destination, "arn"),
        ),
    )


def list_counts(config: Config) -> Mapping[str, tuple[Count, ...]]:
    """Return the metrics by the log that they are made from. On AgentCore Runtime the assistant writes into that of its endpoint."""
    usage = metrics.RUNTIME if config.assistant.on_runtime else metrics.USAGE
    return {metrics.FRONT_DOOR: REQUESTS, usage: (*QUESTIONS, *(MODELS if asks_model(config) else ()))}


def declare_metric_filters(config: Config, id: str) -> tuple[MetricFilter, ...]:
    """Declare the metrics that are made from lines of logs, so that the machine needs no program that counts."""
    return tuple(
        MetricFilter(
            name=f"metric_{count.filter_name.lower()}",
            log_group_name=Ref(log_resource(log), "log_group_name"),
            filter_name=count.filter_name,
            filter_pattern=count.pattern,
            metric_namespace=metrics.namespace(id),
            metric_name=count.metric,
            metric_value=count.value,
            dimensions=(count.by,) if count.by else (),
        )
        for log, made in list_counts(config).items()
        for count in made
    )


def declare_trail(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    """Declare the trail of what AWS itself refuses, with its bucket, role and metric; its log group is declared with the others.

    The gateway and Cognito refuse inside AWS, where no machine of the deployment sees it: CloudTrail alone reports who asked.
    A team that has a trail names its log group: then only the metric is the deployment's.
    """
    if config.monitoring.names_trail:
        return Item(_named_trail_log(config), named=config.monitoring.trail_log_group), Item(_trail_metric(f"{id}-{_TRAIL_FILTER}", id))
    if not config.monitoring.cloudtrail:
        return ()
    name = f"{id}-{metrics.TRAIL}"
    arn = f"arn:{facts.partition}:cloudtrail:{facts.region}:{facts.account_id}:trail/{name}"
    days = config.monitoring.log_retention_days
    trail = Trail(
        name="trail",
        trail_name=name,
        bucket_name=Ref(_TRAIL_BUCKET, "bucket_name"),
        log_group_arn=Ref(TRAIL_LOG, "arn"),
        role_arn=Ref(_TRAIL_ROLE, "role_arn"),
        gateway_arn=Ref("gateway", "arn"),
        kms_key=config.monitoring.kms_key_arn,
    )
    return (
        Item(S3Bucket(name=_TRAIL_BUCKET, bucket_name=name, trail_arn=arn, expire_days=days)),
        Item(_trail_role(config, facts, id)),
        Item(trail),
        Item(_trail_metric(_TRAIL_FILTER, id)),
    )


def _named_trail_log(config: Config) -> LogGroup:
    """Declare the log group of a trail of the user's."""
    return LogGroup(name=TRAIL_LOG, log_group_name=config.monitoring.trail_log_group, retention_days=config.monitoring.log_retention_days)


def _trail_metric(filter_name: str, id: str) -> MetricFilter:
    """Declare the metric of refusals inside AWS. In a log group that others use as well, its name begins with the deployment's id."""
    return MetricFilter(
        name="metric_unauthorizedinaws",
        log_group_name=Ref(TRAIL_LOG, "log_group_name"),
        filter_name=filter_name,
        filter_pattern=match_refusals(Ref("gateway", "arn"), Ref("user_pool", "user_pool_id")),
        metric_namespace=metrics.namespace(id),
        metric_name=metrics.UNAUTHORIZED,
    )


def _trail_role(config: Config, facts: AccountFacts, id: str) -> IamRole:
    """Declare the role by which CloudTrail writes into the log group, into streams of its own alone.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
    """
    group = f"arn:{facts.partition}:logs:{facts.region}:{facts.account_id}:log-group:{metrics.log_group(id, metrics.TRAIL)}"
    streams = f"{group}:log-stream:{facts.account_id}_CloudTrail_{facts.region}*"
    return IamRole(
        name=_TRAIL_ROLE,
        role_name=f"{id}-{metrics.TRAIL}",
        path=f"/sre-agent/{id}/",
        service="cloudtrail.amazonaws.com",
        permissions_boundary=config.aws.permissions_boundary,
        statements=(Statement("WriteTrail", ("logs:CreateLogStream", "logs:PutLogEvents"), (streams,)),),
    )


def match_refusals(gateway_arn: LaterText, pool_id: LaterText) -> LaterText:
    """Build the pattern of the events by which CloudTrail reports a refusal of this gateway, or of this user pool's token endpoint."""
    return text(f"{{ {_OF_GATEWAY} || {_OF_COGNITO} }}", gateway=gateway_arn, pool=pool_id)


def declare_outside_check(config: Config, facts: AccountFacts) -> tuple[Item, ...]:
    """Declare what asks the front door from outside: by its name, so that DNS is asked too, or by its address where it has none."""
    if not config.monitoring.outside_check:
        return ()
    asked = release.backends()[0] if config.assistant.on_runtime else next(each for each in release.services() if each.route == "/")
    domain = config.deployment.domain_name
    declared = HealthCheck(
        name=OUTSIDE,
        domain=domain,
        address="" if domain else address("public_ip"),
        port=int(facts.https_suffix.removeprefix(":") or 443),
        # The health paths need no key.
        resource_path=asked.route.rstrip("/") + asked.health_path,
        enable_sni=bool(domain),
    )
    # Asked earlier, it would raise the alarm while the machine boots.
    return (Item(declared, after=("instance", "dns_record" if moves_by_name(config) else "address_association")),)


def render_dashboard(config: Config, watching: tuple[Alarm, ...], region: str, id: str) -> LaterText:
    """Render the widgets: the alarms above; requests, times and the machine below them; then services, questions and models."""
    ours, instance = metrics.namespace(id), encode_ref(Ref("instance", "instance_id"))
    arns = [encode_ref(Ref(alarm.name, "alarm_arn")) for alarm in watching]
    counted = [[ours, metric, {"stat": "Sum"}] for metric in (metrics.REQUESTS, metrics.SERVER_ERRORS, metrics.UNAUTHORIZED)]
    times = [[ours, metrics.REQUEST_SECONDS, {"stat": stat}] for stat in ("p50", "p95", "p99")]
    used = [[ours, metrics.MEMORY_USED, "InstanceId", instance], [ours, metrics.DISK_USED, "InstanceId", instance, "path", "/"]]
    days = [[ours, metrics.CERTIFICATE_DAYS, {"stat": "Minimum", "period": DAY}]]
    graphs: tuple[tuple[str, Sequence[object]], ...] = (
        ("Requests", counted),
        ("Seconds per request", times),
        ("Memory and disk, %", used),
        ("Days of the certificate", days),
        *_usage_graphs(config, ours),
    )
    below = 4 + 6 * ((len(graphs) + 1) // 2)
    widgets = [
        {"type": "alarm", "x": 0, "y": 0, "width": 24, "height": 4, "properties": {"title": f"Alarms of {id}", "alarms": arns}},
        *(_graph(title, lines, region, 12 * (number % 2), 4 + 6 * (number // 2)) for number, (title, lines) in enumerate(graphs)),
        *(_table(title, query, region, 12 * number, below) for number, (title, query) in enumerate(_service_tables(id))),
    ]
    return decode_refs(json.dumps({"widgets": widgets}, sort_keys=True, ensure_ascii=False))


def _usage_graphs(config: Config, ours: str) -> Iterator[tuple[str, Sequence[object]]]:
    """Yield the graphs of questions and models. Which outcomes and models there are is known only when they are shown."""
    calls = [[ours, metric, {"stat": "Sum"}] for metric in (metrics.TOOL_CALLS, metrics.TOOL_FAILURES)]
    seconds = [[ours, metrics.INVESTIGATION_SECONDS, {"stat": stat}] for stat in ("p50", "p95")]
    yield "Questions by outcome", [_search(ours, "Outcome", metrics.INVESTIGATIONS)]
    yield "Seconds of a question, and questions that waited", [*seconds, [ours, metrics.WAITING, {"stat": "Maximum"}]]
    yield "Calls of tools", calls
    if asks_model(config):
        yield "Tokens by model", [_search(ours, "Model", metric) for metric in (metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS)]
        yield "US dollars a day, by model", [_search(ours, "Model", metrics.MODEL_USD, DAY)]


def _search(namespace: str, dimension: str, metric: str, period: int = PERIOD) -> list[dict[str, str]]:
    return [{"expression": f"SEARCH('{{\"{namespace}\",{dimension}}} MetricName=\"{metric}\"', 'Sum', {period})", "id": metric.lower()}]


def _service_tables(id: str) -> Iterator[tuple[str, str]]:
    """Yield the tables of services, as queries of the front door's log: as metrics they would cost four US dollars a month."""
    lines = f"SOURCE '{metrics.log_group(id, metrics.FRONT_DOOR)}' | filter service != \"\""
    yield "Requests by service", f"{lines} | stats count(*) as requests, pct(seconds, 95) as p95_seconds by service"
    yield "Server errors by service", f"{lines} and status like /^5/ | stats count(*) as errors by service"


def _graph(title: str, lines: Sequence[object], region: str, x: int, y: int) -> dict[str, object]:
    properties = {"title": title, "metrics": lines, "region": region, "period": PERIOD, "view": "timeSeries"}
    return {"type": "metric", "x": x, "y": y, "width": 12, "height": 6, "properties": properties}


def _table(title: str, query: str, region: str, x: int, y: int) -> dict[str, object]:
    properties = {"title": title, "query": query, "region": region, "view": "table"}
    return {"type": "log", "x": x, "y": y, "width": 12, "height": 6, "properties": properties}
