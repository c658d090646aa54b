"""The exact permissions of the gateway and of the instance (requirement 3.2; pure).

Sources: "AgentCore Gateway permissions" and "Identity and access for AgentCore" in AWS's developer guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sre_agent_deploy.config.sources import ClusterSource, LogSource, MetricSource, RunbookSource, Source
from sre_agent_deploy.later import LaterText, Ref, text
from sre_agent_deploy.names import SESSION_TABLE, log_resource
from sre_agent_deploy.resources.policy_document import NO_CONDITIONS, Conditions, Statement
from sre_agent_deploy.tls.acme import challenge_record
from sre_core import bedrock, metrics
from sre_core.machine import STATUS_FOLDER


def gateway_trust(partition: str, region: str, account_id: str, gateway_name: str) -> Mapping[str, Mapping[str, LaterText]]:
    """Let only this account's gateway of this name assume the role (no confused deputy)."""
    arn = f"arn:{partition}:bedrock-agentcore:{region}:{account_id}:gateway/{gateway_name.lower()}-*"
    return {"StringEquals": {"aws:SourceAccount": account_id}, "ArnLike": {"aws:SourceArn": arn}}


def gateway_role_statements(partition: str, region: str, account_id: str, gateway_name: str, api_key_secret: Ref) -> tuple[Statement, ...]:
    """Allow the gateway to put the backends' API key on a request: its own identity, the provider, the one secret."""
    agentcore = f"arn:{partition}:bedrock-agentcore:{region}:{account_id}"
    directory = f"{agentcore}:workload-identity-directory/default"
    identity = f"{directory}/workload-identity/{gateway_name.lower()}-*"
    return (
        Statement("GetWorkloadAccessToken", ("bedrock-agentcore:GetWorkloadAccessToken",), (directory, identity)),
        Statement(
            "GetResourceApiKey",
            ("bedrock-agentcore:GetResourceApiKey",),
            (Ref("credential_provider", "provider_arn"), f"{agentcore}:token-vault/default", directory, identity),
        ),
        Statement("ReadApiKey", ("secretsmanager:GetSecretValue",), (api_key_secret,)),
    )


def model_statements(partition: str, region: str, account_id: str, models: Sequence[str]) -> tuple[Statement, ...]:
    """Allow exactly these models on Bedrock: each by its inference profile, and only through that in every region it routes to.

    Source: https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html
    """
    return tuple(
        statement for number, model in enumerate(models) for statement in _model_statements(partition, region, account_id, model, number)
    )


def _model_statements(partition: str, region: str, account_id: str, model: str, number: int) -> tuple[Statement, ...]:
    profile = bedrock.choose_profile(model, region)
    name, actions = bedrock.model_of(profile), ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")
    if model.startswith("arn:"):
        return (Statement(f"InvokeModel{number}", actions, (model,)),)
    arns = tuple(f"arn:{partition}:bedrock:{where}::foundation-model/{name}" for where in bedrock.list_destinations(profile, region))
    if profile == name:
        return (Statement(f"InvokeModel{number}", actions, arns),)
    through = f"arn:{partition}:bedrock:{region}:{account_id}:inference-profile/{profile}"
    return (
        Statement(f"InvokeProfile{number}", actions, (through,)),
        Statement(f"InvokeModel{number}", actions, arns, {"StringEquals": {"bedrock:InferenceProfileArn": through}}),
    )


def source_statements(partition: str, region: str, account_id: str, sources: Iterable[Source]) -> tuple[Statement, ...]:
    """Allow the instance to read the systems on AWS from which the services answer, and nothing else of their kind."""
    found = [
        statement
        for number, source in enumerate(sources)
        for statement in _source_statements(partition, source.plain_values().get("region") or region, account_id, source, number)
    ]
    # A statement that has no resource of its own is the same for several sources.
    return tuple({(each.actions, each.resources): each for each in found}.values())


def _source_statements(partition: str, region: str, account_id: str, source: Source, number: int) -> tuple[Statement, ...]:
    match source:
        case LogSource(source="cloudwatch", log_groups=groups):
            names = [f"arn:{partition}:logs:{region}:{account_id}:log-group:{group}" for group in groups]
            return (
                Statement(f"QueryLogs{number}", ("logs:StartQuery",), tuple(arn for name in names for arn in (name, f"{name}:*"))),
                Statement(
                    "ReadQueryResults",
                    ("logs:GetQueryResults", "logs:StopQuery"),
                    ("*",),
                    any_resource_because="a query has no ARN; only what StartQuery may read has results",
                ),
            )
        case MetricSource(source="cloudwatch"):
            because = "metrics have no resources, and no condition names a namespace for reading"
            return (Statement("ReadMetrics", ("cloudwatch:GetMetricData", "cloudwatch:ListMetrics"), ("*",), any_resource_because=because),)
        case MetricSource(source="amp", url=url):
            workspace = f"arn:{partition}:aps:{region}:{account_id}:workspace/{url.rstrip('/').rpartition('/')[2]}"
            return (Statement(f"QueryWorkspace{number}", ("aps:GetSeries", "aps:QueryMetrics"), (workspace,)),)
        case RunbookSource(source="s3", bucket=bucket, prefix=prefix):
            arn = f"arn:{partition}:s3:::{bucket}"
            within: Conditions = {"StringLike": {"s3:prefix": f"{prefix}*"}} if prefix else NO_CONDITIONS
            return (
                Statement(f"ListRunbooks{number}", ("s3:ListBucket",), (arn,), within),
                Statement(f"ReadRunbooks{number}", ("s3:GetObject",), (f"{arn}/{prefix}*",)),
            )
        case ClusterSource(source="eks", cluster=name) | LogSource(source="eks", cluster=name):
            cluster = f"arn:{partition}:eks:{region}:{account_id}:cluster/{name}"
            return (Statement(f"DescribeCluster{number}", ("eks:DescribeCluster",), (cluster,)),)
        case _:
            return ()


def instance_role_statements(prefix: str, api_key_secret: Ref, own_secrets: Sequence[str]) -> tuple[Statement, ...]:
    """Allow the instance to read its release and the secrets of what it runs, and to write its reports."""
    bucket = Ref("bucket", "arn")
    secrets = (api_key_secret, *(Ref(name, "secret_arn") for name in own_secrets))
    return (
        Statement("ReadRelease", ("s3:GetObject",), (text(f"{{bucket}}/{prefix}/releases/*", bucket=bucket),)),
        Statement("ReportProgress", ("s3:PutObject",), (text(f"{{bucket}}/{prefix}/{STATUS_FOLDER}/*", bucket=bucket),)),
        Statement("ReadOwnSecrets", ("secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"), secrets),
    )


def backup_statements(within: str, pool_arn: Ref | None, target: LaterText, folder: str) -> tuple[Statement, ...]:
    """Allow the instance to read users and objects, and to keep backups in `folder` of the bucket `target`, and nowhere else.

    Of the bucket it reads what is below `within`; without a pool there are no users of ours.
    """
    own, below = Ref("bucket", "arn"), f"{within}*"
    people = ("DescribeUserPool", "ListGroups", "ListUsers", "ListUsersInGroup")
    only: Conditions = {"StringLike": {"s3:prefix": below}} if within else NO_CONDITIONS
    return (
        *((Statement("SaveUsers", tuple(f"cognito-idp:{each}" for each in people), (pool_arn,)),) if pool_arn else ()),
        Statement("ListObjects", ("s3:ListBucket",), (own,), only),
        Statement("SaveObjects", ("s3:GetObject", "s3:GetObjectTagging"), (text(f"{{own}}/{below}", own=own),)),
        Statement("ListBackups", ("s3:ListBucket",), (target,), {"StringLike": {"s3:prefix": f"{folder}*"}}),
        Statement("KeepBackups", ("s3:DeleteObject", "s3:PutObject"), (text(f"{{target}}/{folder}*", target=target),)),
    )


# What the machine calls by its role, by IAM's prefix: the names of the endpoints. Route 53 has none in a region, and KMS is called by S3.
# Cognito's endpoint would also get what has no credentials, the keys of tokens, and a policy for the role alone would refuse it.
_ENDPOINTS = {
    "secretsmanager": "secretsmanager",
    "cloudwatch": "monitoring",
    "logs": "logs",
    "bedrock": "bedrock-runtime",
    "eks": "eks",
    "aps": "aps-workspaces",
    "xray": "xray",
}
SESSION_ACTIONS = (
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)
"""What a shell by Session Manager needs of the managed policy AmazonSSMManagedInstanceCore.

https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
"""
# Of the managed policy AmazonSSMManagedInstanceCore: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AmazonSSMManagedInstanceCore.html
_SESSION_MANAGER = {
    "ssm": (
        "DescribeAssociation", "DescribeDocument", "GetDeployablePatchSnapshotForInstance", "GetDocument", "GetManifest", "GetParameter",
        "GetParameters", "ListAssociations", "ListInstanceAssociations", "PutComplianceItems", "PutConfigurePackageResult", "PutInventory",
        "UpdateAssociationStatus", "UpdateInstanceAssociationStatus", "UpdateInstanceInformation",
    ),
    "ssmmessages": ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel", "OpenDataChannel"),
    "ec2messages": ("AcknowledgeMessage", "DeleteMessage", "FailMessage", "GetEndpoint", "GetMessages", "SendReply"),
}  # fmt: skip


def endpoint_statements(of_role: Iterable[Statement], role_arn: LaterText) -> Mapping[str, tuple[Statement, ...]]:
    """Map each service that has an interface endpoint and is called with the role to what the role may do there, and no other identity."""
    statements = [*of_role]
    called = {
        name: tuple(_only_role(each, role_arn) for each in statements if each.actions[0].startswith(f"{prefix}:"))
        for prefix, name in _ENDPOINTS.items()
    }
    because = "the managed policy AmazonSSMManagedInstanceCore names no resource either"
    sessions = {
        name: (
            _only_role(Statement("Session", tuple(f"{name}:{each}" for each in actions), ("*",), any_resource_because=because), role_arn),
        )
        for name, actions in _SESSION_MANAGER.items()
    }
    return {name: allowed for name, allowed in called.items() if allowed} | sessions


def bucket_endpoint_statements(of_role: Iterable[Statement], role_arn: LaterText, partition: str, region: str) -> tuple[Statement, ...]:
    """Allow through the endpoint of S3 what the role may do there, and to read AWS's own packages, which is done without credentials.

    Source: https://docs.aws.amazon.com/linux/al2023/ug/managing-repos-os-updates.html, and `instance/logs.py`
    """
    own = tuple(_only_role(each, role_arn) for each in of_role if each.actions[0].startswith("s3:"))
    packages = (f"al2023-repos-{region}-de612dc2", f"amazoncloudwatch-agent-{region}")
    return (*own, Statement("ReadPackages", ("s3:GetObject",), tuple(f"arn:{partition}:s3:::{bucket}/*" for bucket in packages)))


def table_endpoint_statements(of_role: Iterable[Statement], role_arn: LaterText) -> tuple[Statement, ...]:
    """Allow through the endpoint of DynamoDB what the role may do there; nothing where it uses no table."""
    return tuple(_only_role(each, role_arn) for each in of_role if each.actions[0].startswith("dynamodb:"))


def _only_role(statement: Statement, role_arn: LaterText) -> Statement:
    return replace(statement, conditions={**statement.conditions, "ArnEquals": {"aws:PrincipalArn": role_arn}})


def order_statements(partition: str, hosted_zone_id: str, domain: str) -> tuple[Statement, ...]:
    """Allow the instance to store the certificate that it has ordered. With a zone, it proves the domain by one record of it, and no other.

    Source: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html
    """
    store = Statement("StoreCertificate", ("secretsmanager:PutSecretValue",), (Ref("certificate", "secret_arn"),))
    if not hosted_zone_id:
        return (store,)
    names, types = (f"route53:ChangeResourceRecordSets{key}" for key in ("NormalizedRecordNames", "RecordTypes"))
    # ForAllValues alone would also allow a request without these keys.
    record = {"ForAllValues:StringEquals": {names: challenge_record(domain), types: "TXT"}, "Null": {names: "false", types: "false"}}
    zone, change = f"arn:{partition}:route53:::hostedzone/{hosted_zone_id}", f"arn:{partition}:route53:::change/*"
    return (
        store,
        Statement("ProveDomain", ("route53:ChangeResourceRecordSets",), (zone,), record),
        Statement("SeeProof", ("route53:GetChange",), (change,)),
    )


def runtime_trust(partition: str, region: str, account_id: str) -> Mapping[str, Mapping[str, LaterText]]:
    """Let only AgentCore of this account and region assume the role (no confused deputy)."""
    arn = f"arn:{partition}:bedrock-agentcore:{region}:{account_id}:*"
    return {"StringEquals": {"aws:SourceAccount": account_id}, "ArnLike": {"aws:SourceArn": arn}}


def runtime_role_statements(partition: str, region: str, account_id: str, runtime_name: str) -> tuple[Statement, ...]:
    """Allow the assistant on AgentCore Runtime to read the one secret that it needs, and to write its own log.

    Source: https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-permissions.html
    """
    groups = f"arn:{partition}:logs:{region}:{account_id}:log-group"
    own = f"{groups}:/aws/bedrock-agentcore/runtimes/{runtime_name}-*"
    return (
        Statement("ReadOwnSecrets", ("secretsmanager:GetSecretValue",), (Ref("gateway_client_secret", "secret_arn"),)),
        Statement("FindLogGroups", ("logs:DescribeLogGroups",), (f"{groups}:*",)),
        Statement("CreateLogGroup", ("logs:CreateLogGroup", "logs:DescribeLogStreams"), (own,)),
        Statement("WriteLog", ("logs:CreateLogStream", "logs:PutLogEvents"), (f"{own}:log-stream:*",)),
    )


def session_statements() -> tuple[Statement, ...]:
    """Allow the assistant to keep questions in the one table of its sessions, and to read them; none is ever changed or deleted by it."""
    return (Statement("KeepSessions", ("dynamodb:PutItem", "dynamodb:Query"), (Ref(SESSION_TABLE, "arn"),)),)


def package_statements(package_key: LaterText) -> tuple[Statement, ...]:
    """Allow AgentCore to read the package of the assistant."""
    key = text("{bucket}/{key}", bucket=Ref("bucket", "arn"), key=package_key)
    return (Statement("ReadPackage", ("s3:GetObject",), (key,)),)


def image_statements(partition: str, image: str) -> tuple[Statement, ...]:
    """Allow AgentCore to pull the assistant's image from its repository in Amazon ECR."""
    host, _, path = image.partition("/")
    account_id, _, _, region, *_ = host.split(".")
    repository = path.partition("@")[0].partition(":")[0]
    because = "GetAuthorizationToken has no resources"
    return (
        Statement(
            "PullImage",
            ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
            (f"arn:{partition}:ecr:{region}:{account_id}:repository/{repository}",),
        ),
        Statement("LogInToRegistry", ("ecr:GetAuthorizationToken",), ("*",), any_resource_because=because),
    )


def bucket_key_statements(region: str, key_arn: str, *actions: str) -> tuple[Statement, ...]:
    """Allow to read objects that the bucket encrypts with this KMS key (with GenerateDataKey: to write), through S3 alone.

    Without a key there is nothing to allow.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    # In China the name of the service ends with .cn.
    through = {"StringLike": {"kms:ViaService": f"s3.{region}.amazonaws.com*"}}
    return (Statement("UseBucketKey", ("kms:Decrypt", *actions), (key_arn,), through),) if key_arn else ()


def metric_statements(id: str) -> tuple[Statement, ...]:
    """Allow the instance to write metrics of its own namespace."""
    because = "PutMetricData has no resources; the condition names the namespace"
    namespace = {"StringEquals": {"cloudwatch:namespace": metrics.namespace(id)}}
    return (Statement("PutMetrics", ("cloudwatch:PutMetricData",), ("*",), namespace, any_resource_because=because),)


def trace_statements() -> tuple[Statement, ...]:
    """Allow the instance's agent to send traces to X-Ray.

    Source: https://docs.aws.amazon.com/xray/latest/devguide/security_iam_id-based-policy-examples.html
    """
    because = "these actions of X-Ray have no resources"
    return (Statement("SendTraces", ("xray:PutTelemetryRecords", "xray:PutTraceSegments"), ("*",), any_resource_because=because),)


def log_statements() -> tuple[Statement, ...]:
    """Allow the instance to write into its own log groups."""
    groups = tuple(Ref(log_resource(name), "arn") for name in metrics.LOG_GROUPS)
    return (Statement("WriteLogs", ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"), groups),)
