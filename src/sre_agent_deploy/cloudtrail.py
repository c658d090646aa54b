"""Declare the trail that records what AWS itself refuses, and count those refusals with the others (pure).

A team that has a trail names its log group: then only the metric is the deployment's.

The gateway and Cognito refuse inside AWS, where no machine of the deployment sees it: CloudTrail alone reports who asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Item
from sre_agent_deploy.later import LaterText, Ref, text
from sre_agent_deploy.names import log_resource
from sre_agent_deploy.resources.cloudtrail_trail import Trail
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.logs_log_group import LogGroup
from sre_agent_deploy.resources.logs_metric_filter import MetricFilter
from sre_agent_deploy.resources.policy_document import Statement
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_core import clock, metrics
from sre_core.security_event import describe_denial

_REASONS = {401: "invalid_token", 429: "throttled"}
BUCKET, ROLE = "trail_bucket", "trail_role"
LOG = log_resource(metrics.TRAIL)
FILTER = "UnauthorizedInAws"
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


def declare_trail(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    """Declare the trail with its bucket, role and metric; its log group is declared with the others. A named one gets the metric alone."""
    if config.monitoring.names_trail:
        return Item(declare_named_log(config), named=config.monitoring.trail_log_group), Item(declare_metric(f"{id}-{FILTER}", id))
    if not config.monitoring.cloudtrail:
        return ()
    name = f"{id}-{metrics.TRAIL}"
    arn = f"arn:{facts.partition}:cloudtrail:{facts.region}:{facts.account_id}:trail/{name}"
    days = config.monitoring.log_retention_days
    trail = Trail(
        name="trail",
        trail_name=name,
        bucket_name=Ref(BUCKET, "bucket_name"),
        log_group_arn=Ref(LOG, "arn"),
        role_arn=Ref(ROLE, "role_arn"),
        gateway_arn=Ref("gateway", "arn"),
        kms_key=config.monitoring.kms_key_arn,
    )
    return (
        Item(S3Bucket(name=BUCKET, bucket_name=name, trail_arn=arn, expire_days=days)),
        Item(declare_role(config, facts, id)),
        Item(trail),
        Item(declare_metric(FILTER, id)),
    )


def declare_named_log(config: Config) -> LogGroup:
    """Declare the log group of a trail of the user's."""
    return LogGroup(name=LOG, log_group_name=config.monitoring.trail_log_group, retention_days=config.monitoring.log_retention_days)


def declare_metric(filter_name: str, id: str) -> MetricFilter:
    """Declare the metric of refusals inside AWS. In a log group that others use as well, its name begins with the deployment's id."""
    return MetricFilter(
        name="metric_unauthorizedinaws",
        log_group_name=Ref(LOG, "log_group_name"),
        filter_name=filter_name,
        filter_pattern=match_refusals(Ref("gateway", "arn"), Ref("user_pool", "user_pool_id")),
        metric_namespace=metrics.namespace(id),
        metric_name=metrics.UNAUTHORIZED,
    )


def declare_role(config: Config, facts: AccountFacts, id: str) -> IamRole:
    """Declare the role by which CloudTrail writes into the log group, into streams of its own alone.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html
    """
    group = f"arn:{facts.partition}:logs:{facts.region}:{facts.account_id}:log-group:{metrics.log_group(id, metrics.TRAIL)}"
    streams = f"{group}:log-stream:{facts.account_id}_CloudTrail_{facts.region}*"
    return IamRole(
        name=ROLE,
        role_name=f"{id}-{metrics.TRAIL}",
        path=f"/sre-agent/{id}/",
        service="cloudtrail.amazonaws.com",
        permissions_boundary=config.aws.permissions_boundary,
        statements=(Statement("WriteTrail", ("logs:CreateLogStream", "logs:PutLogEvents"), (streams,)),),
    )


def match_refusals(gateway_arn: LaterText, pool_id: LaterText) -> LaterText:
    """Build the pattern of the events by which CloudTrail reports a refusal of this gateway, or of this user pool's token endpoint."""
    return text(f"{{ {_OF_GATEWAY} || {_OF_COGNITO} }}", gateway=gateway_arn, pool=pool_id)


def describe_refusal(event: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an event of CloudTrail that reports a refusal as every other door does. It names neither caller nor reason exactly."""
    of_cognito = event["eventName"] == "Token_POST"
    answer = event["additionalEventData"]["responseParameters"] if of_cognito else event["responseElements"]
    status = int(answer["status" if of_cognito else "statusCode"])
    return describe_denial(
        service="cognito-oauth2" if of_cognito else "gateway",
        reason="token_refused" if of_cognito else _REASONS.get(status, "not_authorized"),
        method="POST",
        path="/oauth2/token" if of_cognito else "/mcp",
        client=str(event.get("sourceIPAddress", "")),
        status=str(status),
        request_id=str(event.get("requestID", "")),
        subject="",
        time=int(clock.parse(event["eventTime"]).timestamp() * 1000),
        activity=None,
        facts={"cloudtrail_event_id": str(event["eventID"])},
    )
