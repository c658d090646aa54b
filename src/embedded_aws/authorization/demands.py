"""List what a call must be allowed: IAM's actions, on which resources, with which condition keys.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/, the page of each service. A call of a service that has
no entry here needs the action of its name on any resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from embedded_aws.authorization.agentcore_demands import list_agentcore, list_bedrock
from embedded_aws.authorization.call import Call
from embedded_aws.authorization.demand import ANY, Demand, demand_on, demand_role, demand_tagging, read_tags
from embedded_aws.authorization.ec2_demands import list_ec2, list_iam
from embedded_aws.authorization.s3_demands import list_s3
from embedded_aws.authorization.state import ResourceState

_BUDGET_ACTIONS = {"Describe": "ViewBudget", "Create": "ModifyBudget", "Update": "ModifyBudget", "Delete": "ModifyBudget"}


def list_demands(call: Call, state: ResourceState) -> Iterator[Demand]:
    """List everything that this call must be allowed; one that is missing refuses it."""
    for demand in _LISTS.get(call.service, _by_name)(call, state):
        sets = {f"aws:RequestTag/{key}": value for key, value in _read_tags_for(call, demand.resource).items()}
        present = {f"aws:ResourceTag/{key}": value for key, value in state.tags(demand.resource).items()}
        yield Demand(demand.action, demand.resource, {**sets, **present, **demand.keys})


def _read_tags_for(call: Call, resource: str) -> dict[str, str]:
    """Read the tags that a request sets on a resource: one call of EC2 creates several kinds, and each has the tags that it is given."""
    if call.service != "ec2" or call.operation == "CreateTags":
        return read_tags(call.parameters)
    ours = (each for each in call.parameters.get("TagSpecifications") or () if resource.endswith(f":{each['ResourceType']}/*"))
    return read_tags({"TagSpecifications": list(ours)})


def _by_name(call: Call, state: ResourceState) -> Iterator[Demand]:
    yield Demand(f"{call.service}:{call.operation}")


def _secretsmanager(call: Call, state: ResourceState) -> Iterator[Demand]:
    if call.operation == "BatchGetSecretValue":
        # AWS lists those that the caller may not read as errors; here one refuses the call.
        found = [state.secret_arn(id) or id for id in call.texts("SecretIdList")]
        yield from demand_on(call)
        yield from (Demand("secretsmanager:GetSecretValue", each) for each in (found or (ANY,)))
        return
    if name := call.text("Name"):
        resource = call.arn(f"secret:{name}-AbCdEf")
        yield from demand_on(call, resource)
        yield from demand_tagging(call, "TagResource", resource)
    elif id := call.text("SecretId"):
        yield from demand_on(call, state.secret_arn(id) or (id if id.startswith("arn:") else call.arn(f"secret:{id}")))
    else:
        yield from demand_on(call)


def _cognito(call: Call, state: ResourceState) -> Iterator[Demand]:
    pool = call.text("UserPoolId")
    yield from demand_on(call, call.arn(f"userpool/{pool}") if pool else call.text("ResourceArn") or ANY)
    if call.operation == "CreateUserPool":
        yield from demand_tagging(call, "TagResource", call.arn("userpool/*"))


def _log_delivery(call: Call) -> Iterator[Demand]:
    """List what a delivery of logs must be allowed: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-vended-logs-permissions-V2.html."""
    if call.operation.startswith("Describe"):
        yield from demand_on(call)
    elif call.operation == "CreateDelivery":
        source, created = call.arn(f"delivery-source:{call.text('deliverySourceName')}"), call.arn("delivery:*")
        yield from demand_on(call, source, call.text("deliveryDestinationArn"), created)
        yield from demand_tagging(call, "TagResource", created)
        # CloudWatch Logs lets itself write into the group, as the caller.
        yield Demand("logs:DescribeResourcePolicies")
        yield Demand("logs:PutResourcePolicy", call.arn("log-group:*"))
    elif id := call.text("id"):
        yield from demand_on(call, call.arn(f"delivery:{id}"))
    else:
        part = "delivery-source" if "Source" in call.operation else "delivery-destination"
        resource = call.arn(f"{part}:{call.text('name')}")
        yield from demand_on(call, resource)
        yield from demand_tagging(call, "TagResource", resource)
        if ":bedrock-agentcore:" in (arn := call.text("resourceArn")):
            yield Demand("bedrock-agentcore:AllowVendedLogDeliveryForResource", arn)


def _logs(call: Call, state: ResourceState) -> Iterator[Demand]:
    if "Deliver" in call.operation:
        yield from _log_delivery(call)
        return
    group, stream = call.text("logGroupName"), call.text("logStreamName")
    # A log group is authorized as all of its streams: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    groups = [
        name
        for parameter in ("logGroupName", "logGroupIdentifier", "logGroupNames", "logGroupIdentifiers")
        for name in call.texts(parameter)
    ]
    # An identifier is a name or an ARN.
    arns = (name if name.startswith("arn:") else call.arn(f"log-group:{name}") for name in groups)
    yield from demand_on(call, *([f"{arn}:log-stream:{stream}" for arn in arns] or [call.text("resourceArn") or ANY]))
    if call.operation == "CreateLogGroup":
        yield from demand_tagging(call, "TagResource", call.arn(f"log-group:{group}"))


def _sns(call: Call, state: ResourceState) -> Iterator[Demand]:
    resource = call.text("TopicArn", "ResourceArn") or (call.arn(name) if (name := call.text("Name")) else ANY)
    yield from demand_on(call, resource)
    if call.operation == "CreateTopic":
        yield from demand_tagging(call, "TagResource", resource)


def _cloudwatch(call: Call, state: ResourceState) -> Iterator[Demand]:
    if call.operation == "PutMetricData":
        yield from demand_on(call, **{"cloudwatch:namespace": call.text("Namespace")})
        return
    alarms = [call.arn(f"alarm:{name}") for name in (*call.texts("AlarmNames"), *call.texts("AlarmName"))]
    boards = [call.arn(f"dashboard/{name}", region="") for name in (*call.texts("DashboardNames"), *call.texts("DashboardName"))]
    if call.operation == "DescribeAlarms":
        alarms = [call.arn("alarm:*")]
    resources = [*alarms, *boards] or [call.text("ResourceARN") or ANY]
    yield from demand_on(call, *resources)
    if call.operation in ("PutMetricAlarm", "PutDashboard"):
        yield from demand_tagging(call, "TagResource", resources[0])


def _budgets(call: Call, state: ResourceState) -> Iterator[Demand]:
    if resource := call.text("ResourceARN"):
        yield from demand_on(call, resource)
        return
    name = call.text("BudgetName") or (call.parameters.get("Budget") or call.parameters.get("NewBudget") or {}).get("BudgetName", ANY)
    action = next((action for verb, action in _BUDGET_ACTIONS.items() if call.operation.startswith(verb)), call.operation)
    yield Demand(f"budgets:{action}", call.arn(f"budget/{name}", region=""))
    if call.operation == "CreateBudget":
        yield from demand_tagging(call, "TagResource", call.arn(f"budget/{name}", region=""))


def _route53(call: Call, state: ResourceState) -> Iterator[Demand]:
    if "HealthCheck" in call.operation or call.text("ResourceType") == "healthcheck":
        checks = (*call.texts("HealthCheckId"), *call.texts("ResourceId"), *call.texts("ResourceIds"))
        yield from demand_on(call, *(f"arn:aws:route53:::healthcheck/{check}" for check in checks))
        return
    id = call.text("HostedZoneId", "Id").rpartition("/")[2]
    kind = "change" if call.operation == "GetChange" else "hostedzone"
    resource = f"arn:aws:route53:::{kind}/{id}" if id else ANY
    changes: Iterable[Mapping[str, Any]] = (call.parameters.get("ChangeBatch") or {}).get("Changes") or ({},)
    # Each change is authorized by itself, which is what ForAllValues means for keys of several values.
    for change in changes:
        yield from demand_on(call, resource, **_route53_keys(change))


def _route53_keys(change: Mapping[str, Any]) -> dict[str, str]:
    """Name the condition keys of one change: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html."""
    if not change:
        return {}
    record, key = change["ResourceRecordSet"], "route53:ChangeResourceRecordSets"
    name = record["Name"].rstrip(".").lower()
    return {f"{key}NormalizedRecordNames": name, f"{key}RecordTypes": record["Type"], f"{key}Actions": change["Action"]}


def _kms(call: Call, state: ResourceState) -> Iterator[Demand]:
    key = call.text("KeyId")
    # By its alias, too, a key is authorized as its ARN.
    known = (state.kms_key_arn(key) if key else "") or key
    if known and not known.startswith("arn:"):
        known = call.arn(known if known.startswith("alias/") else f"key/{known}")
    yield from demand_on(call, known or ANY)


def _eks(call: Call, state: ResourceState) -> Iterator[Demand]:
    cluster, principal = call.text("clusterName", "name"), call.text("principalArn")
    if call.operation == "CreateAccessEntry":
        # Each group is authorized by itself, which is what ForAllValues means for keys of several values.
        for group in call.texts("kubernetesGroups") or ("",):
            yield from demand_on(call, call.arn(f"cluster/{cluster}"), **_eks_keys(call, group))
        yield from demand_tagging(call, "TagResource", call.arn(f"access-entry/{cluster}/{_eks_identity(principal)}"))
    elif principal:
        # For one that does not exist AWS has no ARN to authorize.
        entry = state.access_entry_arn(cluster, principal) or call.arn(f"access-entry/{cluster}/{_eks_identity(principal)}")
        yield from demand_on(call, entry)
    elif cluster:
        yield from demand_on(call, call.arn(f"cluster/{cluster}"))
    else:
        yield from demand_on(call, call.text("resourceArn") or ANY)


def _eks_identity(principal: str) -> str:
    """Write a principal as the ARN of its entry has it: kind, account and name, without the path."""
    parts = principal.split(":")
    return f"{parts[-1].partition('/')[0]}/{parts[4]}/{principal.rpartition('/')[2]}/AbCdEfGh" if len(parts) == 6 else ANY


def _eks_keys(call: Call, group: str) -> dict[str, str]:
    keys = {"eks:principalArn": call.text("principalArn"), "eks:kubernetesGroups": group, "eks:accessEntryType": call.text("type")}
    return {key: value for key, value in keys.items() if value}


def _sts(call: Call, state: ResourceState) -> Iterator[Demand]:
    yield from demand_on(call, call.text("RoleArn") or ANY)


def _sqs(call: Call, state: ResourceState) -> Iterator[Demand]:
    name = call.text("QueueName") or call.text("QueueUrl").rpartition("/")[2]
    yield from demand_on(call, call.arn(name) if name else ANY)


def _ssm(call: Call, state: ResourceState) -> Iterator[Demand]:
    name = call.text("Name")
    public = name.startswith("/aws/service/")
    yield from demand_on(call, call.arn(f"parameter/{name.lstrip('/')}", account="" if public else None) if name else ANY)


def _dynamodb(call: Call, state: ResourceState) -> Iterator[Demand]:
    """Demand it on the table that the call names, by its name or ARN; a new one that gets tags demands those too."""
    table = call.text("TableName", "ResourceArn")
    resource = table if table.startswith("arn:") else call.arn(f"table/{table}") if table else ANY
    yield from demand_on(call, resource)
    if call.operation == "CreateTable":
        yield from demand_tagging(call, "TagResource", resource)


def _cloudtrail(call: Call, state: ResourceState) -> Iterator[Demand]:
    """Demand it on the trail that the call names: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudtrail.html."""
    named = (*call.texts("Name"), *call.texts("TrailName"), *call.texts("ResourceId"), *call.texts("ResourceIdList"))
    trails = [each if each.startswith("arn:") else call.arn(f"trail/{each}") for each in named]
    yield from demand_on(call, *(trails or [ANY]))
    if call.operation == "CreateTrail":
        yield from demand_tagging(call, "AddTags", trails[0])
    if role := call.text("CloudWatchLogsRoleArn"):
        yield demand_role(role, "cloudtrail.amazonaws.com")


_LISTS: Mapping[str, Callable[[Call, ResourceState], Iterator[Demand]]] = {
    "iam": list_iam,
    "ec2": list_ec2,
    "s3": list_s3,
    "secretsmanager": _secretsmanager,
    "cognito-idp": _cognito,
    "dynamodb": _dynamodb,
    "logs": _logs,
    "sns": _sns,
    "cloudwatch": _cloudwatch,
    "cloudtrail": _cloudtrail,
    "budgets": _budgets,
    "route53": _route53,
    "ssm": _ssm,
    "kms": _kms,
    "eks": _eks,
    "sts": _sts,
    "sqs": _sqs,
    "bedrock-agentcore": list_agentcore,
    "bedrock": list_bedrock,
}
