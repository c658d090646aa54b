"""Each call is authorized by the policies of its sender, as IAM does it."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from embedded_aws.authorization.call import read_call
from embedded_aws.http_messages import Request
from fixtures.embedded import EmbeddedAws

type Statement = Mapping[str, Any]
TRUST = {"Version": "2012-10-17", "Statement": []}


def allow(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> Statement:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def document(*statements: Statement) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def role(embedded: EmbeddedAws) -> Iterator[tuple[str, Callable[..., Any]]]:
    """A role, and a way to get clients that sign with its session."""
    iam, name = embedded.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    arn = iam.create_role(RoleName=name, Path="/team/", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]

    def client(service: str, *statements: Statement, **session: Any) -> Any:
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
        given = embedded.client("sts").assume_role(RoleArn=arn, RoleSessionName="i-1", **session)["Credentials"]
        keys = {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"]}
        return embedded.client(service, **keys, aws_session_token=given["SessionToken"])

    yield name, client
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def denied(call: Callable[..., Any], **parameters: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as refused:
        call(**parameters)
    answer = refused.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


CALLS: Mapping[str, tuple[str, Mapping[str, Any], str, str, int]] = {
    "secretsmanager": ("list_secrets", {}, "secretsmanager:ListSecrets", "AccessDeniedException", 400),
    "s3": ("list_buckets", {}, "s3:ListAllMyBuckets", "AccessDenied", 403),
    "ec2": ("describe_instances", {}, "ec2:DescribeInstances", "UnauthorizedOperation", 403),
    "iam": ("list_roles", {}, "iam:ListRoles", "AccessDenied", 403),
    "sns": ("list_topics", {}, "sns:ListTopics", "AuthorizationError", 403),
    "cloudwatch": ("put_metric_data", {"Namespace": "N", "MetricData": []}, "cloudwatch:PutMetricData", "AccessDeniedException", 400),
    "logs": ("describe_log_groups", {}, "logs:DescribeLogGroups", "AccessDeniedException", 400),
    "route53": ("list_hosted_zones", {}, "route53:ListHostedZones", "AccessDenied", 403),
    "cognito-idp": ("list_user_pools", {"MaxResults": 1}, "cognito-idp:ListUserPools", "AccessDeniedException", 400),
    "bedrock-agentcore-control": ("list_gateways", {}, "bedrock-agentcore:ListGateways", "AccessDeniedException", 403),
    "bedrock-runtime": ("converse", {"modelId": "m", "messages": []}, "bedrock:InvokeModel", "AccessDeniedException", 403),
    "xray": ("put_trace_segments", {"TraceSegmentDocuments": []}, "xray:PutTraceSegments", "AccessDeniedException", 403),
    "resourcegroupstaggingapi": ("get_resources", {}, "tag:GetResources", "AccessDeniedException", 400),
}


def test_a_role_without_policies_may_do_nothing(role: Any) -> None:
    """Each service refuses with its own message, which names identity, action, resource and reason; every caller may read its own
    identity."""
    name, client = role
    for service, (call, parameters, action, code, status) in CALLS.items():
        got, message, http = denied(getattr(client(service), call), **parameters)
        assert (got, http) == (code, status), service
        assert f"assumed-role/{name}/i-1 is not authorized to perform: {action} on resource: " in message
        assert message.endswith(f"because no identity-based policy allows the {action} action")
    assert client("sts").get_caller_identity()["Arn"].endswith(f"assumed-role/{name}/i-1")


def test_a_role_may_do_what_its_policy_says_and_no_more(embedded: EmbeddedAws, role: Any) -> None:
    """An action on one resource is not the action on another, nor another action on the same."""
    name, client = role
    secrets = embedded.client("secretsmanager")
    mine, other = (secrets.create_secret(Name=f"{name}-{each}", SecretString="x")["ARN"] for each in ("mine", "other"))
    opened = client("secretsmanager", allow("secretsmanager:GetSecretValue", mine))
    assert opened.get_secret_value(SecretId=mine)["SecretString"] == "x"
    # By its name a secret is authorized as its ARN.
    assert opened.get_secret_value(SecretId=f"{name}-mine")["ARN"] == mine
    assert f"on resource: {other} because" in denied(opened.get_secret_value, SecretId=other)[1]
    assert denied(opened.put_secret_value, SecretId=mine, SecretString="y")[0] == "AccessDeniedException"
    several = client("secretsmanager", allow("secretsmanager:GetSecretValue", mine), allow("secretsmanager:BatchGetSecretValue"))
    assert [each["ARN"] for each in several.batch_get_secret_value(SecretIdList=[f"{name}-mine"])["SecretValues"]] == [mine]
    assert f"on resource: {other} because" in denied(several.batch_get_secret_value, SecretIdList=[mine, f"{name}-other"])[1]
    assert "on resource: * because" in denied(several.batch_get_secret_value, Filters=[{"Key": "name", "Values": [name]}])[1]

    bucket = f"{name}-bucket"
    embedded.client("s3").create_bucket(Bucket=bucket)
    writer = client("s3", allow("s3:PutObject", f"arn:aws:s3:::{bucket}/status/*"))
    writer.put_object(Bucket=bucket, Key="status/a", Body=b"x")
    assert denied(writer.put_object, Bucket=bucket, Key="releases/a", Body=b"x")[0] == "AccessDenied"
    assert denied(writer.put_object, Bucket=bucket, Key="status/a", Body=b"x", Tagging="a=b")[0] == "AccessDenied"
    assert denied(writer.get_object, Bucket=bucket, Key="status/a")[0] == "AccessDenied"
    assert denied(writer.head_object, Bucket=bucket, Key="status/a")[2] == 403

    key = embedded.client("kms").create_key()["KeyMetadata"]["Arn"]
    by_key: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}]}
    embedded.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=by_key)
    embedded.client("s3").put_object(Bucket=bucket, Key="b", Body=b"x")
    objects = allow(["s3:GetObject", "s3:PutObject"])
    through = {"StringLike": {"kms:ViaService": "s3.us-east-1.amazonaws.com*"}}
    keyless = client("s3", objects)
    assert f"kms:Decrypt on resource: {key} because" in denied(keyless.get_object, Bucket=bucket, Key="b")[1]
    assert f"kms:GenerateDataKey on resource: {key} because" in denied(keyless.put_object, Bucket=bucket, Key="b", Body=b"y")[1]
    assert keyless.get_object(Bucket=bucket, Key="status/a")["Body"].read() == b"x"
    with_key = client("s3", objects, allow(["kms:Decrypt", "kms:GenerateDataKey"], key, Condition=through))
    with_key.put_object(Bucket=bucket, Key="b", Body=b"y")
    assert with_key.get_object(Bucket=bucket, Key="b")["Body"].read() == b"y"
    embedded.client("kms").create_alias(AliasName=f"alias/{name}", TargetKeyId=key.rpartition("/")[2])
    assert client("kms", allow("kms:DescribeKey", key)).describe_key(KeyId=f"alias/{name}")["KeyMetadata"]["Arn"] == key

    metrics = client("cloudwatch", allow("cloudwatch:PutMetricData", Condition={"StringEquals": {"cloudwatch:namespace": "Mine"}}))
    metrics.put_metric_data(Namespace="Mine", MetricData=[{"MetricName": "m", "Value": 1}])
    assert denied(metrics.put_metric_data, Namespace="Theirs", MetricData=[{"MetricName": "m", "Value": 1}])[0] == "AccessDeniedException"


ARN = "arn:aws:{}:us-east-1:123456789012:{}"
GROUPS = [allow("logs:StartQuery", ARN.format("logs", "log-group:/mine:*"))]
SINCE = {"startTime": 1, "endTime": 2, "queryString": "limit 1"}
RUNTIME = {
    "agentRuntimeArtifact": {
        "codeConfiguration": {"code": {"s3": {"bucket": "b", "prefix": "p.zip"}}, "runtime": "PYTHON_3_12", "entryPoint": ["main.py"]}
    },
    "roleArn": "arn:aws:iam::123456789012:role/absent",
    "networkConfiguration": {"networkMode": "PUBLIC"},
}
NETWORK = "network.bedrock-agentcore.amazonaws.com"
VPC = {"subnets": ["subnet-0123456789abcdef0"], "securityGroups": ["sg-0123456789abcdef0"]}
IN_VPC = {"networkConfiguration": {"networkMode": "VPC", "networkModeConfig": VPC}}
RUNTIMES = [allow(["bedrock-agentcore:CreateAgentRuntime", "bedrock-agentcore:UpdateAgentRuntime", "iam:PassRole"])]
AGENTCORE = "bedrock-agentcore-control"
VAULT = ARN.format("bedrock-agentcore", "token-vault/default")
CLIENT = {
    "credentialProviderVendor": "GithubOauth2",
    "oauth2ProviderConfigInput": {
        "githubOauth2ProviderConfig": {
            "clientId": "c",
            "clientSecretSource": "EXTERNAL",
            "clientSecretConfig": {"secretId": "s", "jsonKey": "k"},
        }
    },
}
CREATE_CLIENT = allow("bedrock-agentcore:CreateOauth2CredentialProvider")
DIRECTORY = ARN.format("bedrock-agentcore", "workload-identity-directory/default")
IDENTITY = "bedrock-agentcore:CreateWorkloadIdentity"
PUT = [allow("s3:PutObject")]
LAUNCH = {
    "ImageId": "ami-1", "MinCount": 1, "MaxCount": 1,
    "TagSpecifications": [{"ResourceType": kind, "Tags": [{"Key": "a", "Value": "b"}]} for kind in ("instance", "volume")],
}  # fmt: skip
TAGGED = {"Condition": {"StringEquals": {"aws:RequestTag/a": "b"}}}
PART = {"UploadId": "u", "PartNumber": 1}


@pytest.mark.parametrize(
    ("service", "call", "parameters", "statements", "missing"),
    [
        ("s3", "copy_object", {"CopySource": "from/a b"}, PUT, "s3:GetObject on resource: arn:aws:s3:::from/a b"),
        (
            "s3", "copy_object", {"CopySource": {"Bucket": "from", "Key": "k", "VersionId": "v"}}, [*PUT, allow("s3:GetObject")],
            "s3:GetObjectVersion on resource: arn:aws:s3:::from/k",
        ),
        ("s3", "upload_part_copy", {"CopySource": "from/k", **PART}, PUT, "s3:GetObject on resource: arn:aws:s3:::from/k"),
        (
            "s3", "upload_part_copy", {"CopySource": "from/k", **PART}, [allow("s3:GetObject")],
            "s3:PutObject on resource: arn:aws:s3:::to/k",
        ),
        ("s3", "delete_objects", {"Delete": {"Objects": []}}, PUT, "s3:DeleteObject on resource: arn:aws:s3:::to/*"),
        ("ec2", "run_instances", LAUNCH, [allow("ec2:*", **TAGGED)], ARN.format("ec2", "network-interface/*")),
        ("logs", "start_query", {"logGroupName": "/other", **SINCE}, GROUPS, ARN.format("logs", "log-group:/other:")),
        (
            "logs", "get_log_events", {"logGroupName": "/mine", "logGroupIdentifier": "/other", "logStreamName": "s"},
            [allow("logs:GetLogEvents", ARN.format("logs", "log-group:/mine:*"))], ARN.format("logs", "log-group:/other:"),
        ),
        ("logs", "start_query", {"logGroupNames": ["/mine", "/other"], **SINCE}, GROUPS, ARN.format("logs", "log-group:/other:")),
        (
            "logs", "start_query", {"logGroupIdentifiers": [ARN.format("logs", "log-group:/mine"), "/other"], **SINCE}, GROUPS,
            ARN.format("logs", "log-group:/other:"),
        ),
        (
            "bedrock-agentcore-control", "create_agent_runtime", {"agentRuntimeName": "r", **RUNTIME}, RUNTIMES,
            f"{IDENTITY} on resource: {DIRECTORY} ",
        ),
        (
            "bedrock-agentcore-control", "create_agent_runtime", {"agentRuntimeName": "r", **RUNTIME},
            [*RUNTIMES, allow(IDENTITY, DIRECTORY)], f"{DIRECTORY}/workload-identity/r-",
        ),
        (
            "bedrock-agentcore-control", "create_agent_runtime", {"agentRuntimeName": "r", **RUNTIME}, [*RUNTIMES, allow(IDENTITY)],
            "s3:GetObject on resource: arn:aws:s3:::b/p.zip",
        ),
        (
            "bedrock-agentcore-control", "create_agent_runtime", {"agentRuntimeName": "r", **RUNTIME, **IN_VPC},
            [*RUNTIMES, allow(IDENTITY)],
            f"iam:CreateServiceLinkedRole on resource: arn:aws:iam::123456789012:role/aws-service-role/{NETWORK}/AWSServiceRoleForBedrock",
        ),
        (
            "bedrock-agentcore-control", "update_agent_runtime", {"agentRuntimeId": "r-0123456789", **RUNTIME}, RUNTIMES,
            "s3:GetObject on resource: arn:aws:s3:::b/p.zip",
        ),
        (AGENTCORE, "create_oauth2_credential_provider", {"name": "o", **CLIENT}, [], f"{VAULT} because"),
        (
            AGENTCORE, "create_oauth2_credential_provider", {"name": "o", **CLIENT},
            [allow("bedrock-agentcore:CreateOauth2CredentialProvider", VAULT)], f"{VAULT}/oauth2credentialprovider/o because",
        ),
        (
            AGENTCORE, "create_oauth2_credential_provider", {"name": "o", **CLIENT, "tags": {"a": "b"}}, [CREATE_CLIENT],
            f"bedrock-agentcore:TagResource on resource: {VAULT}/oauth2credentialprovider/o",
        ),
        (
            AGENTCORE, "create_oauth2_credential_provider", {"name": "o", **CLIENT}, [CREATE_CLIENT],
            "secretsmanager:GetSecretValue on resource: s",
        ),
        (
            AGENTCORE, "create_workload_identity", {"name": "mine"}, [allow(IDENTITY, DIRECTORY)],
            f"{DIRECTORY}/workload-identity/mine because",
        ),
        (AGENTCORE, "set_token_vault_cmk", {"kmsConfiguration": {"keyType": "ServiceManagedKey"}}, [], f"{VAULT} because"),
        (
            AGENTCORE, "put_resource_policy", {"resourceArn": ARN.format("bedrock-agentcore", "gateway/g-0123456789"), "policy": "{}"}, [],
            "bedrock-agentcore:PutResourcePolicy on resource: arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/g-0123456789",
        ),
    ],
)  # fmt: skip
def test_what_a_call_needs_besides_its_own_action(
    role: Any, service: str, call: str, parameters: Mapping[str, Any], statements: list[Statement], missing: str
) -> None:
    """Each resource that a call reads, changes or creates is authorized, and not the call as a whole."""
    _, client = role
    place = {"Bucket": "to"} | ({} if call == "delete_objects" else {"Key": "k"}) if service == "s3" else {}
    assert missing in denied(getattr(client(service, *statements), call), **place, **parameters)[1]


def test_a_log_group_that_does_not_exist_yet(role: Any) -> None:
    """A call that creates one is authorized although there are no tags of it to look at; one that needs it hears from the service."""
    name, client = role
    logs = client("logs", allow("logs:*", ARN.format("logs", f"log-group:/{name}:*")))
    assert denied(logs.put_retention_policy, logGroupName=f"/{name}", retentionInDays=7)[0] == "ResourceNotFoundException"
    logs.create_log_group(logGroupName=f"/{name}")
    logs.put_retention_policy(logGroupName=f"/{name}", retentionInDays=7)


def test_a_role_is_assumed_by_whom_it_trusts(embedded: EmbeddedAws, role: Any) -> None:
    """Its trust policy decides besides the policy of the caller, who is a role's session: named as such, as its role, or by its account."""
    name, client = role
    iam, other = embedded.client("iam"), f"{name}-other"
    own = iam.get_role(RoleName=name)["Role"]["Arn"]
    arn = iam.create_role(RoleName=other, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    sts, session = client("sts", allow("sts:AssumeRole", arn)), f"arn:aws:sts::{embedded.account_id}:assumed-role/{name}/i-1"
    assume = {"RoleArn": arn, "RoleSessionName": "s-1"}
    for principal, more, trusted in (
        ({"Service": "ec2.amazonaws.com"}, {}, False),
        ({"AWS": f"{own}-another"}, {}, False),
        ({"AWS": own}, {"Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}}, False),
        ({"AWS": own}, {}, True),
        ({"AWS": session}, {}, True),
        ({"AWS": f"arn:aws:iam::{embedded.account_id}:root"}, {}, True),
    ):
        statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
        iam.update_assume_role_policy(RoleName=other, PolicyDocument=document(statement))
        if trusted:
            assert sts.assume_role(**assume)["AssumedRoleUser"]["Arn"].endswith(f"assumed-role/{other}/s-1")
        else:
            assert denied(sts.assume_role, **assume)[0] == "AccessDenied"
    assert denied(sts.assume_role, **{**assume, "RoleArn": own})[0] == "AccessDenied"
    iam.delete_role(RoleName=other)


def test_an_instance_profile_is_passed_with_its_role(embedded: EmbeddedAws, role: Any) -> None:
    """Giving a running machine a role needs the permission to pass it, as a launch does."""
    name, client = role
    iam, profile = embedded.client("iam"), {"Name": name}
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    ec2 = client("ec2", allow("ec2:*"))
    given: Mapping[str, Mapping[str, str]] = {
        "associate_iam_instance_profile": {"InstanceId": "i-0123456789abcdef0"},
        "replace_iam_instance_profile_association": {"AssociationId": "iip-assoc-0123456789abcdef0"},
    }
    for call, to in given.items():
        message = denied(getattr(ec2, call), IamInstanceProfile=profile, **to)[1]
        assert f"iam:PassRole on resource: arn:aws:iam::{embedded.account_id}:role/team/{name}" in message, call
    iam.remove_role_from_instance_profile(InstanceProfileName=name, RoleName=name)
    iam.delete_instance_profile(InstanceProfileName=name)


NAMESPACE = json.dumps({"Namespace": "Mine", "MetricData": []}).encode()


@pytest.mark.parametrize(
    ("service", "target", "body", "encoding", "read"),
    [
        ("monitoring", "GraniteServiceVersion20100801.PutMetricData", gzip.compress(NAMESPACE, mtime=0), "gzip", "Mine"),
        ("monitoring", "GraniteServiceVersion20100801.PutMetricData", NAMESPACE, "gzip", None),
        ("monitoring", "GraniteServiceVersion20100801.PutMetricData", NAMESPACE, "", "Mine"),
        ("monitoring", "GraniteServiceVersion20100801.ListMetrics", b"", "", ""),
        *(("secretsmanager", "secretsmanager.CreateSecret", body, "", None) for body in (b"{", b"\xff", b"null", b"[1]", b'{"Tags": 5}')),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read(service: str, target: str, body: bytes, encoding: str, read: str | None) -> None:
    """It is no call without parameters, which may be allowed where the real ones are not."""
    headers = (("x-amz-target", target), ("content-type", "application/x-amz-json-1.1"), ("content-encoding", encoding))
    call = read_call(Request("POST", "/", "", headers, body, "127.0.0.1"), service, account_id="123456789012", region="us-east-1")
    assert (call.text("Namespace") if call else None) == read


def test_denies_and_limits_win(embedded: EmbeddedAws, role: Any) -> None:
    """An explicit deny, a permissions boundary and a session policy each refuse what the role's own policy allows."""
    name, client = role
    iam = embedded.client("iam")
    list_secrets, deny = allow("secretsmanager:ListSecrets"), {"Effect": "Deny", "Action": "secretsmanager:*", "Resource": "*"}
    client("secretsmanager", list_secrets).list_secrets()
    assert "with an explicit deny in an identity-based policy" in denied(client("secretsmanager", list_secrets, deny).list_secrets)[1]

    narrowed = client("secretsmanager", list_secrets, Policy=document(allow("s3:*")))
    assert "because no session policy allows" in denied(narrowed.list_secrets)[1]

    boundary = iam.create_policy(PolicyName=f"{name}-boundary", PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)
    assert "because no permissions boundary allows" in denied(client("secretsmanager").list_secrets)[1]
    iam.delete_role_permissions_boundary(RoleName=name)
    client("secretsmanager").list_secrets()


def test_the_policy_of_a_bucket(embedded: EmbeddedAws, role: Any) -> None:
    """It allows what the role's own policies do not, names the role whose session asks, and its deny wins."""
    name, client = role
    bucket, s3 = f"{name}-policy", embedded.client("s3")
    of_role = embedded.client("iam").get_role(RoleName=name)["Role"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    resource = f"arn:aws:s3:::{bucket}/*"
    s3.put_bucket_policy(Bucket=bucket, Policy=document(allow("s3:GetObject", resource) | {"Principal": {"AWS": of_role}}))
    assert client("s3").get_object(Bucket=bucket, Key="key")["Body"].read() == b"x"
    assert denied(client("s3").put_object, Bucket=bucket, Key="key", Body=b"y")[0] == "AccessDenied"

    others = {"Effect": "Deny", "Action": "s3:*", "Resource": resource, "Principal": "*"}
    for key, refused in ((of_role, False), (f"{of_role}-other", True)):
        s3.put_bucket_policy(Bucket=bucket, Policy=document({**others, "Condition": {"ArnNotEquals": {"aws:PrincipalArn": key}}}))
        writer = client("s3", allow("s3:PutObject", resource))
        if refused:
            assert "with an explicit deny in a resource-based policy" in denied(writer.put_object, Bucket=bucket, Key="key", Body=b"y")[1]
        else:
            writer.put_object(Bucket=bucket, Key="key", Body=b"y")
    s3.delete_bucket_policy(Bucket=bucket)


def test_an_attached_policy_of_aws(embedded: EmbeddedAws, role: Any) -> None:
    """A managed policy counts as an inline one does."""
    name, client = role
    attached = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    embedded.client("iam").attach_role_policy(RoleName=name, PolicyArn=attached)
    client("ssm").get_parameters(Names=["/a"])
    assert denied(client("ssm").describe_parameters)[0] == "AccessDeniedException"
    embedded.client("iam").detach_role_policy(RoleName=name, PolicyArn=attached)


def test_a_user_and_its_group(embedded: EmbeddedAws) -> None:
    """A user has its own policies and those of its groups; what it creates needs the permissions of all that it touches."""
    iam, name = embedded.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    iam.create_group(GroupName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    ec2 = embedded.client("ec2", **keys)
    assert denied(ec2.describe_vpcs)[0] == "UnauthorizedOperation"
    iam.put_group_policy(GroupName=name, PolicyName="p", PolicyDocument=document(allow("ec2:DescribeVpcs")))
    assert denied(ec2.describe_vpcs)[0] == "UnauthorizedOperation"
    iam.add_user_to_group(GroupName=name, UserName=name)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]

    tags = [{"ResourceType": "security-group", "Tags": [{"Key": "team", "Value": "sre"}]}]
    group = {"GroupName": name, "Description": "d", "VpcId": vpc, "TagSpecifications": tags}
    if_tagged = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "sre"}}}
    statements = [
        allow("ec2:CreateSecurityGroup", ["arn:aws:ec2:*:*:security-group/*", f"arn:aws:ec2:*:*:vpc/{vpc}"]),
        allow("ec2:CreateTags", "*", Condition={"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}),
        allow("ec2:DeleteSecurityGroup", "*", **if_tagged),
    ]
    for number in range(3):
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements[:number] or [allow("s3:GetObject")]))
        if number < 2:
            assert denied(ec2.create_security_group, **group)[0] == "UnauthorizedOperation"
    made = ec2.create_security_group(**group)["GroupId"]
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
    assert denied(ec2.create_tags, Resources=[made], Tags=[{"Key": "team", "Value": "other"}])[0] == "UnauthorizedOperation"
    other = embedded.client("ec2").create_security_group(**{**group, "GroupName": f"{name}-2", "TagSpecifications": []})["GroupId"]
    assert denied(ec2.delete_security_group, GroupId=other)[0] == "UnauthorizedOperation"
    ec2.delete_security_group(GroupId=made)
    embedded.client("ec2").delete_security_group(GroupId=other)
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
