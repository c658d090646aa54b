"""List what a call must be allowed: IAM's actions, on which resources, with which condition keys.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/, the page of each service. A call of a service that has
no entry here needs the action of its name on any resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from embedded_aws.agentcore.workload_tokens import workload_in
from embedded_aws.authorization.call import Call
from embedded_aws.authorization.state import ResourceState
from sre_core import bedrock

ANY = "*"
_EC2_KINDS = {
    "i": "instance",
    "vol": "volume",
    "sg": "security-group",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "subnet": "subnet",
    "vpc": "vpc",
    "igw": "internet-gateway",
    "rtb": "route-table",
    "vpce": "vpc-endpoint",
}
# What one EC2 operation creates; its tags are those of the request.
_EC2_CREATES = {
    "RunInstances": ("instance", "volume", "network-interface"),
    "AllocateAddress": ("elastic-ip",),
    "CreateSecurityGroup": ("security-group",),
    "CreateVpc": ("vpc",),
    "CreateSubnet": ("subnet",),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateRouteTable": ("route-table",),
    "CreateVpcEndpoint": ("vpc-endpoint",),
}
_EC2_PASS_ROLE = ("RunInstances", "AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation")
_EC2_WITH_RESOURCE = ("DescribeInstanceAttribute",)
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
_S3_ACTIONS = {
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListBuckets": "ListAllMyBuckets",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "UploadPartCopy": "PutObject",
}
_S3_COPIES = ("CopyObject", "UploadPartCopy")
_S3_OF_VERSION = {"GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging"}
# Credential providers, as operations name them; in an ARN the kind is in lower case.
_PROVIDERS = ("ApiKeyCredentialProvider", "Oauth2CredentialProvider")
_IN_VAULT = ("GetTokenVault", "SetTokenVaultCMK")
_AGENT_READS = {"GetResourceApiKey": "apikeycredentialprovider", "GetResourceOauth2Token": "oauth2credentialprovider"}
_BUDGET_ACTIONS = {"Describe": "ViewBudget", "Create": "ModifyBudget", "Update": "ModifyBudget", "Delete": "ModifyBudget"}


@dataclass(frozen=True)
class Demand:
    """One action on one resource that the caller must be allowed."""

    action: str
    resource: str = ANY
    keys: Mapping[str, str] = field(default_factory=dict)


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


def read_tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Read the tags that a request sets, in any of the shapes that services have for them."""
    nested = parameters.get("CreateBucketConfiguration") or {}
    groups = [parameters.get(name) for name in ("Tags", "tags", "UserPoolTags", "ResourceTags", "AlarmTags")] + [nested.get("Tags")]
    groups += [specification.get("Tags") for specification in parameters.get("TagSpecifications") or ()]
    found: dict[str, str] = {}
    for group in groups:
        if isinstance(group, Mapping):
            found |= {str(key): str(value) for key, value in group.items()}
        elif isinstance(group, list):
            found |= {str(tag.get("Key", tag.get("key", ""))): str(tag.get("Value", tag.get("value", ""))) for tag in group}
    return found


def _by_name(call: Call, state: ResourceState) -> Iterator[Demand]:
    yield Demand(f"{call.service}:{call.operation}")


def _on(call: Call, *resources: str, **keys: str) -> Iterator[Demand]:
    for resource in resources or (ANY,):
        yield Demand(f"{call.service}:{call.operation}", resource, keys)


def _tagging(call: Call, action: str, resource: str) -> Iterator[Demand]:
    if read_tags(call.parameters):
        yield Demand(f"{call.service}:{action}", resource)


def _pass_role(role_arn: str, service: str) -> Demand:
    return Demand("iam:PassRole", role_arn, {"iam:PassedToService": service})


def _iam(call: Call, state: ResourceState) -> Iterator[Demand]:
    role, profile = call.text("RoleName"), call.text("InstanceProfileName")
    path = call.text("Path") or "/"
    keys = {"iam:PolicyARN": arn} if (arn := call.text("PolicyArn")) else {}
    if profile:
        resource = state.profile_arn(profile) or call.arn(f"instance-profile{path}{profile}", region="")
    elif role:
        resource = state.role_arn(role) or call.arn(f"role{path}{role}", region="")
    else:
        resource = arn or call.text("PolicySourceArn") or ANY
    yield Demand(f"iam:{call.operation}", resource, keys)
    if call.operation == "CreateRole":
        yield from _tagging(call, "TagRole", resource)
    if call.operation == "CreateInstanceProfile":
        yield from _tagging(call, "TagInstanceProfile", resource)
    if call.operation == "AddRoleToInstanceProfile":
        yield _pass_role(state.role_arn(role) or role, "ec2.amazonaws.com")


def _ec2(call: Call, state: ResourceState) -> Iterator[Demand]:
    if call.operation.startswith("Describe") and call.operation not in _EC2_WITH_RESOURCE:
        yield from _on(call)
        return
    created = tuple(call.arn(f"{kind}/*") for kind in _EC2_CREATES.get(call.operation, ()))
    yield from _on(call, *created, *(_ec2_arn(call, id) for id in _ec2_ids(call, state)))
    if call.operation == "RunInstances":
        yield from _on(call, call.arn(f"image/{call.text('ImageId')}", account=""))
        if key := call.text("KeyName"):
            yield from _on(call, call.arn(f"key-pair/{key}"))
    if call.operation in _EC2_PASS_ROLE:
        profile = call.parameters.get("IamInstanceProfile") or {}
        if role := state.role_of_profile(profile.get("Arn", "") or profile.get("Name", "")):
            yield _pass_role(role, "ec2.amazonaws.com")
    for specification in call.parameters.get("TagSpecifications") or ():
        resource = call.arn(f"{specification['ResourceType']}/*")
        yield Demand("ec2:CreateTags", resource, {"ec2:CreateAction": call.operation})


def _ec2_ids(call: Call, state: ResourceState) -> Iterator[str]:
    interfaces: Iterable[Mapping[str, Any]] = call.parameters.get("NetworkInterfaces") or ()
    for each in interfaces:
        yield from filter(None, (each.get("SubnetId"), *(each.get("Groups") or ())))
    for name in ("InstanceIds", "Resources", "SecurityGroupIds", "SubnetIds", "RouteTableIds", "VpcEndpointIds"):
        yield from call.texts(name)
    for name in (
        "InstanceId",
        "VolumeId",
        "GroupId",
        "AllocationId",
        "SubnetId",
        "VpcId",
        "InternetGatewayId",
        "RouteTableId",
        "GatewayId",
    ):
        if value := call.text(name):
            yield value
    if association := call.text("AssociationId"):
        yield state.associated(association) or association


def _ec2_arn(call: Call, id: str) -> str:
    return call.arn(f"{_EC2_KINDS.get(id.partition('-')[0], ANY)}/{id}")


def _s3(call: Call, state: ResourceState) -> Iterator[Demand]:
    bucket, key = call.text("Bucket"), call.text("Key")
    action = _S3_ACTIONS.get(call.operation, call.operation)
    if call.operation in _S3_OF_VERSION and call.text("VersionId"):
        action = action.replace("Object", "ObjectVersion", 1)
    whole = f"arn:aws:s3:::{bucket}"
    if call.operation == "DeleteObjects":
        # A request without objects is judged as one that deletes any.
        for each in call.parameters["Delete"].get("Objects") or ({"Key": ANY},):
            deletes = "DeleteObjectVersion" if each.get("VersionId") else "DeleteObject"
            yield Demand(f"s3:{deletes}", f"{whole}/{each['Key']}")
        return
    keys = {"s3:prefix": call.text("Prefix")} if action.startswith("ListBucket") else {}
    yield Demand(f"s3:{action}", f"{whole}/{key}" if key else whole if bucket else ANY, keys)
    if key:
        yield from _bucket_key(call, state, bucket, key)
    if call.operation == "CreateBucket":
        yield from _tagging(call, "TagResource", whole)
    if call.operation == "PutObject" and parse_qsl(call.text("Tagging")):
        yield Demand("s3:PutObjectTagging", f"{whole}/{key}")
    if call.operation in _S3_COPIES:
        source, _, version = call.text("CopySource").partition("?versionId=")
        yield Demand("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{unquote(source).removeprefix('/')}")


def _bucket_key(call: Call, state: ResourceState, bucket: str, key: str) -> Iterator[Demand]:
    """List what S3 does with a KMS key as the caller: https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html."""
    action = {"GetObject": "Decrypt", "PutObject": "GenerateDataKey", "CopyObject": "GenerateDataKey"}.get(call.operation)
    if action and (arn := state.bucket_key(bucket, key if action == "Decrypt" else "")):
        yield Demand(f"kms:{action}", arn, {"kms:ViaService": f"s3.{call.region}.amazonaws.com"})


def _secretsmanager(call: Call, state: ResourceState) -> Iterator[Demand]:
    if call.operation == "BatchGetSecretValue":
        # AWS lists those that the caller may not read as errors; here one refuses the call.
        found = [state.secret_arn(id) or id for id in call.texts("SecretIdList")]
        yield from _on(call)
        yield from (Demand("secretsmanager:GetSecretValue", each) for each in (found or (ANY,)))
        return
    if name := call.text("Name"):
        resource = call.arn(f"secret:{name}-AbCdEf")
        yield from _on(call, resource)
        yield from _tagging(call, "TagResource", resource)
    elif id := call.text("SecretId"):
        yield from _on(call, state.secret_arn(id) or (id if id.startswith("arn:") else call.arn(f"secret:{id}")))
    else:
        yield from _on(call)


def _cognito(call: Call, state: ResourceState) -> Iterator[Demand]:
    pool = call.text("UserPoolId")
    yield from _on(call, call.arn(f"userpool/{pool}") if pool else call.text("ResourceArn") or ANY)
    if call.operation == "CreateUserPool":
        yield from _tagging(call, "TagResource", call.arn("userpool/*"))


def _logs(call: Call, state: ResourceState) -> Iterator[Demand]:
    group, stream = call.text("logGroupName"), call.text("logStreamName")
    # A log group is authorized as all of its streams: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/iam-access-control-overview-cwl.html
    groups = [
        name
        for parameter in ("logGroupName", "logGroupIdentifier", "logGroupNames", "logGroupIdentifiers")
        for name in call.texts(parameter)
    ]
    # An identifier is a name or an ARN.
    arns = (name if name.startswith("arn:") else call.arn(f"log-group:{name}") for name in groups)
    yield from _on(call, *([f"{arn}:log-stream:{stream}" for arn in arns] or [call.text("resourceArn") or ANY]))
    if call.operation == "CreateLogGroup":
        yield from _tagging(call, "TagResource", call.arn(f"log-group:{group}"))


def _sns(call: Call, state: ResourceState) -> Iterator[Demand]:
    resource = call.text("TopicArn", "ResourceArn") or (call.arn(name) if (name := call.text("Name")) else ANY)
    yield from _on(call, resource)
    if call.operation == "CreateTopic":
        yield from _tagging(call, "TagResource", resource)


def _cloudwatch(call: Call, state: ResourceState) -> Iterator[Demand]:
    if call.operation == "PutMetricData":
        yield from _on(call, **{"cloudwatch:namespace": call.text("Namespace")})
        return
    alarms = [call.arn(f"alarm:{name}") for name in (*call.texts("AlarmNames"), *call.texts("AlarmName"))]
    boards = [call.arn(f"dashboard/{name}", region="") for name in (*call.texts("DashboardNames"), *call.texts("DashboardName"))]
    if call.operation == "DescribeAlarms":
        alarms = [call.arn("alarm:*")]
    resources = [*alarms, *boards] or [call.text("ResourceARN") or ANY]
    yield from _on(call, *resources)
    if call.operation in ("PutMetricAlarm", "PutDashboard"):
        yield from _tagging(call, "TagResource", resources[0])


def _budgets(call: Call, state: ResourceState) -> Iterator[Demand]:
    if resource := call.text("ResourceARN"):
        yield from _on(call, resource)
        return
    name = call.text("BudgetName") or (call.parameters.get("Budget") or call.parameters.get("NewBudget") or {}).get("BudgetName", ANY)
    action = next((action for verb, action in _BUDGET_ACTIONS.items() if call.operation.startswith(verb)), call.operation)
    yield Demand(f"budgets:{action}", call.arn(f"budget/{name}", region=""))
    if call.operation == "CreateBudget":
        yield from _tagging(call, "TagResource", call.arn(f"budget/{name}", region=""))


def _route53(call: Call, state: ResourceState) -> Iterator[Demand]:
    id = call.text("HostedZoneId", "Id").rpartition("/")[2]
    kind = "change" if call.operation == "GetChange" else "hostedzone"
    resource = f"arn:aws:route53:::{kind}/{id}" if id else ANY
    changes: Iterable[Mapping[str, Any]] = (call.parameters.get("ChangeBatch") or {}).get("Changes") or ({},)
    # Each change is authorized by itself, which is what ForAllValues means for keys of several values.
    for change in changes:
        yield from _on(call, resource, **_route53_keys(change))


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
    yield from _on(call, known or ANY)


def _sts(call: Call, state: ResourceState) -> Iterator[Demand]:
    yield from _on(call, call.text("RoleArn") or ANY)


def _sqs(call: Call, state: ResourceState) -> Iterator[Demand]:
    name = call.text("QueueName") or call.text("QueueUrl").rpartition("/")[2]
    yield from _on(call, call.arn(name) if name else ANY)


def _ssm(call: Call, state: ResourceState) -> Iterator[Demand]:
    name = call.text("Name")
    public = name.startswith("/aws/service/")
    yield from _on(call, call.arn(f"parameter/{name.lstrip('/')}", account="" if public else None) if name else ANY)


def _agentcore(call: Call, state: ResourceState) -> Iterator[Demand]:
    vault = call.arn("token-vault/default")
    if gateway := call.text("gatewayIdentifier"):
        yield from _on(call, call.arn(f"gateway/{gateway.rpartition('/')[2]}"))
    elif runtime := call.text("agentRuntimeId"):
        endpoint = call.text("endpointName", "name")
        yield from _on(
            call, call.arn(f"runtime/{runtime}"), *((call.arn(f"runtime/{runtime}/runtime-endpoint/{endpoint}"),) if endpoint else ())
        )
    elif kind := next((kind for kind in _PROVIDERS if kind in call.operation), ""):
        yield from _on(call, vault, f"{vault}/{kind.lower()}/{call.text('name') or ANY}")
    elif call.operation in _IN_VAULT:
        yield from _on(call, call.arn(f"token-vault/{call.text('tokenVaultId') or 'default'}"))
    elif "Workload" in call.operation:
        yield from _on(call, *_workload(call, call.text("name", "workloadName") or ANY))
    elif provider := _AGENT_READS.get(call.operation):
        name = call.text("resourceCredentialProviderName")
        yield from _on(call, vault, f"{vault}/{provider}/{name}", *_workload(call, workload_in(call.text("workloadIdentityToken")) or ANY))
    else:
        yield from _on(call, call.text("resourceArn") or ANY)
    yield from _agentcore_besides(call, state)


def _workload(call: Call, name: str) -> tuple[str, str]:
    """Return the directory of workload identities, and one in it."""
    directory = call.arn("workload-identity-directory/default")
    return directory, f"{directory}/workload-identity/{name}"


def _agentcore_besides(call: Call, state: ResourceState) -> Iterator[Demand]:
    """List what AgentCore does as the caller, and not as the gateway's role."""
    if role := call.text("roleArn"):
        yield _pass_role(role, "bedrock-agentcore.amazonaws.com")
    if call.operation == "CreateGateway":
        yield from _creates_identity(call, call.text("name").lower())
        yield from _tagging(call, "TagResource", call.arn(f"gateway/{call.text('name').lower()}-AbCdEfGhIj"))
    if call.operation == "CreateAgentRuntime":
        yield from _creates_identity(call, call.text("agentRuntimeName"))
        yield from _tagging(call, "TagResource", call.arn(f"runtime/{call.text('agentRuntimeName')}-AbCdEfGhIj"))
    if call.operation == "CreateAgentRuntimeEndpoint":
        yield from _tagging(call, "TagResource", call.arn(f"runtime/{call.text('agentRuntimeId')}/runtime-endpoint/{call.text('name')}"))
    if call.operation.startswith("Create") and (kind := next((kind for kind in _PROVIDERS if kind in call.operation), "")):
        yield from _tagging(call, "TagResource", call.arn(f"token-vault/default/{kind.lower()}/{call.text('name')}"))
    if call.operation == "CreateWorkloadIdentity":
        yield from _tagging(call, "TagResource", _workload(call, call.text("name"))[1])
    for named in (call.parameters, *(call.parameters.get("oauth2ProviderConfigInput") or {}).values()):
        for member in ("apiKeySecretConfig", "clientSecretConfig"):
            if secret := (named.get(member) or {}).get("secretId"):
                yield Demand("secretsmanager:GetSecretValue", state.secret_arn(secret) or secret)
    target = (call.parameters.get("targetConfiguration") or {}).get("mcp") or {}
    if uri := ((target.get("openApiSchema") or {}).get("s3") or {}).get("uri"):
        yield Demand("s3:GetObject", f"arn:aws:s3:::{uri.removeprefix('s3://')}")
    code = ((call.parameters.get("agentRuntimeArtifact") or {}).get("codeConfiguration") or {}).get("code") or {}
    if package := code.get("s3"):
        action = "s3:GetObjectVersion" if package.get("versionId") else "s3:GetObject"
        yield Demand(action, f"arn:aws:s3:::{package['bucket']}/{package['prefix']}")


def _creates_identity(call: Call, name: str) -> Iterator[Demand]:
    for resource in _workload(call, f"{name}-AbCdEfGhIj"):
        yield Demand("bedrock-agentcore:CreateWorkloadIdentity", resource)


def _bedrock(call: Call, state: ResourceState) -> Iterator[Demand]:
    actions = {"Converse": "InvokeModel", "ConverseStream": "InvokeModelWithResponseStream"}
    model = call.text("modelId")
    if call.operation not in (*actions, *actions.values()):
        yield from _on(call)
        return
    action, name = f"bedrock:{actions.get(call.operation, call.operation)}", bedrock.model_of(model)
    if model.startswith("arn:"):
        yield Demand(action, model)
        return
    through: dict[str, str] = {}
    if name != model:
        through = {"bedrock:InferenceProfileArn": call.arn(f"inference-profile/{model}")}
        yield from (Demand(action, profile) for profile in through.values())
    # https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-prereq.html: the model in every region of the profile.
    for region in bedrock.list_destinations(model, call.region):
        yield Demand(action, call.arn(f"foundation-model/{name}", region=region, account=""), through)


_LISTS: Mapping[str, Callable[[Call, ResourceState], Iterator[Demand]]] = {
    "iam": _iam,
    "ec2": _ec2,
    "s3": _s3,
    "secretsmanager": _secretsmanager,
    "cognito-idp": _cognito,
    "logs": _logs,
    "sns": _sns,
    "cloudwatch": _cloudwatch,
    "budgets": _budgets,
    "route53": _route53,
    "ssm": _ssm,
    "kms": _kms,
    "sts": _sts,
    "sqs": _sqs,
    "bedrock-agentcore": _agentcore,
    "bedrock": _bedrock,
}
