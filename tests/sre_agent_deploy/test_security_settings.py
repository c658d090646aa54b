"""The security settings that the production example sends to AWS, written down by hand.

A rule that is opened, a statement that is lost or widened, or a protection that is dropped fails here.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sre_agent_deploy.account.account import describe_account
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.later import refs, resolve
from sre_core.regions import partition_of

from .resources.wire import Recorder

EXAMPLE = Path(__file__).parents[2] / "examples" / "production.yaml"


def drawn(region: str, **changed: Mapping[str, Any]) -> Blueprint:
    """The production example with some settings changed, in an account whose values are easy to see."""
    config = load(EXAMPLE, environ={"AWS_ACCOUNT_ID": "123456789012", "AWS_REGION": region}, mode="production")
    assert isinstance(config, Config), config
    config = config.model_copy(update={name: getattr(config, name).model_copy(update=values) for name, values in changed.items()})
    facts = dataclasses.replace(
        describe_account(config),
        partition=partition_of(region),
        vpc_id="vpc-1",
        vpc_cidr="172.31.0.0/16",
        subnet_id="subnet-1",
        image_id="ami-1",
    )
    return blueprint(config, facts)


def sent(region: str = "us-east-1", **changed: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The parameters of every changing call, by resource and operation. A Ref is sent as `resource.output`."""
    recorder, calls = Recorder(region), defaultdict[str, dict[str, Any]](dict)
    for item in drawn(region, **changed):
        outputs = defaultdict[str, dict[str, str]](dict)
        for ref in refs(item.resource):
            outputs[ref.of][ref.output] = f"{ref.of}.{ref.output}"
        calls[item.name] = recorder.parameters(resolve(item.resource, outputs))
    return calls


ID, ACCOUNT = "sre-fd3ac13b93", "123456789012"
BUCKET = f"{ID}-sre"
AGENTCORE = f"arn:aws:bedrock-agentcore:us-east-1:{ACCOUNT}"
DIRECTORY = f"{AGENTCORE}:workload-identity-directory/default"
IDENTITIES = f"{DIRECTORY}/workload-identity/{ID}-*"


def policy(calls: Mapping[str, Any], operation: str, document: str) -> list[Any]:
    """The statements of a policy document that is sent as JSON."""
    return list(json.loads(calls[operation][document])["Statement"])


def allow(sid: str, action: str | list[str], *resources: str) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": [action] if isinstance(action, str) else action, "Resource": list(resources)}


def ingress(port: int, cidr: str, description: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr, "Description": description}]}


@pytest.fixture(scope="module")
def calls() -> Mapping[str, Mapping[str, Any]]:
    return sent()


type Calls = Mapping[str, Mapping[str, Any]]


def test_who_may_reach_the_instance(calls: Calls) -> None:
    """Everybody on 443, and on 80 for the redirect; only the VPC on the backends' ports; no access on 22."""
    assert calls["security_group"]["AuthorizeSecurityGroupIngress"]["IpPermissions"] == [
        ingress(80, "0.0.0.0/0", "redirect to HTTPS"),
        ingress(443, "0.0.0.0/0", "HTTPS"),
        ingress(8011, "172.31.0.0/16", "kubernetes inside the VPC"),
        ingress(8012, "172.31.0.0/16", "logs inside the VPC"),
        ingress(8013, "172.31.0.0/16", "metrics inside the VPC"),
        ingress(8014, "172.31.0.0/16", "runbooks inside the VPC"),
    ]
    assert calls["security_group"]["AuthorizeSecurityGroupEgress"]["IpPermissions"] == [
        {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ]


def test_what_is_opened_over_ipv6() -> None:
    """The same two ports for everybody, and no other: the backends' own stay inside the VPC."""
    rules = sent(aws={"ipv6": True})["security_group"]["AuthorizeSecurityGroupIngress"]["IpPermissions"]
    assert [rule for rule in rules if "Ipv6Ranges" in rule] == [
        {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Ipv6Ranges": [{"CidrIpv6": "::/0", "Description": why}]}
        for port, why in ((80, "redirect to HTTPS"), (443, "HTTPS"))
    ]
    assert [rule for rule in rules if "Ipv6Ranges" not in rule] == sent()["security_group"]["AuthorizeSecurityGroupIngress"][
        "IpPermissions"
    ]


def test_who_may_reach_the_instance_by_ssh() -> None:
    """Only the ranges that the configuration names, in both address families."""
    permissions = sent(deployment={"ssh_cidrs": ("203.0.113.7/32", "2001:db8::/48")})["security_group"]["AuthorizeSecurityGroupIngress"][
        "IpPermissions"
    ]
    assert [rule for rule in permissions if rule["FromPort"] <= 22 <= rule["ToPort"]] == [
        {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/48", "Description": "SSH"}]},
        ingress(22, "203.0.113.7/32", "SSH"),
    ]


def invoke(number: int, model: str) -> list[dict[str, Any]]:
    """The use of one model by its profile for the United States, and in the profile's regions only through it."""
    actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
    profile = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/us.{model}"
    regions = ("us-east-1", "us-east-2", "us-west-1", "us-west-2")
    models = [f"arn:aws:bedrock:{region}::foundation-model/{model}" for region in regions]
    through = {"StringEquals": {"bedrock:InferenceProfileArn": profile}}
    return [
        {"Sid": f"InvokeProfile{number}", "Effect": "Allow", "Action": actions, "Resource": [profile]},
        {"Sid": f"InvokeModel{number}", "Effect": "Allow", "Action": actions, "Resource": models, "Condition": through},
    ]


def test_what_the_instance_may_do(calls: Calls) -> None:
    """Read its release and the three secrets that it needs, write reports and metrics, use its models, be reached by Session Manager."""
    role = calls["instance_role"]
    trust = [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]
    assert policy(role, "CreateRole", "AssumeRolePolicyDocument") == trust
    assert policy(role, "UpdateAssumeRolePolicy", "PolicyDocument") == trust
    assert policy(role, "PutRolePolicy", "PolicyDocument") == [
        allow("ReadRelease", "s3:GetObject", f"bucket.arn/sre-agent/{ID}/releases/*"),
        allow("ReportProgress", "s3:PutObject", f"bucket.arn/sre-agent/{ID}/status/*"),
        allow(
            "ReadOwnSecrets",
            ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"],
            "backend_key.secret_arn",
            "gateway_client_secret.secret_arn",
            "certificate.secret_arn",
        ),
        # PutMetricData has no resources: the namespace is what limits it.
        allow("PutMetrics", "cloudwatch:PutMetricData", "*") | {"Condition": {"StringEquals": {"cloudwatch:namespace": f"SREAgent/{ID}"}}},
        *invoke(0, "anthropic.claude-sonnet-4-6"),
        *invoke(1, "amazon.nova-pro-v1:0"),
    ]
    assert role["AttachRolePolicy"]["PolicyArn"] == "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    assert calls["instance_profile"]["AddRoleToInstanceProfile"]["RoleName"] == "instance_role.role_name"


def test_what_backups_add_to_the_instance() -> None:
    """Read users and objects of its own deployment; write and delete below one prefix. Its own bucket then keeps what it deletes."""

    def added(**changed: Mapping[str, Any]) -> list[Any]:
        calls, usual = sent(backups={"at": "02:30"} | changed.pop("backups", {}), **changed), sent(**changed)
        before = policy(usual["instance_role"], "PutRolePolicy", "PolicyDocument")
        return [each for each in policy(calls["instance_role"], "PutRolePolicy", "PolicyDocument") if each not in before]

    people = [f"cognito-idp:{each}" for each in ("DescribeUserPool", "ListGroups", "ListUsers", "ListUsersInGroup")]
    folder = f"sre-agent/{ID}/backups/*"
    kept = {"Condition": {"StringLike": {"s3:prefix": folder}}}
    of_users, of_backups = allow("SaveUsers", people, "user_pool.arn"), ["s3:DeleteObject", "s3:PutObject"]
    assert added() == [
        of_users,
        allow("ListObjects", "s3:ListBucket", "bucket.arn"),
        allow("SaveObjects", ["s3:GetObject", "s3:GetObjectTagging"], "bucket.arn/*"),
        allow("ListBackups", "s3:ListBucket", "bucket.arn") | kept,
        allow("KeepBackups", of_backups, f"bucket.arn/{folder}"),
    ]
    assert sent(backups={"at": "02:30"})["bucket"]["PutBucketVersioning"]["VersioningConfiguration"] == {"Status": "Enabled"}
    elsewhere = {"at": "02:30", "bucket": "theirs"}
    assert added(backups=elsewhere)[3:] == [
        allow("ListBackups", "s3:ListBucket", "arn:aws:s3:::theirs") | kept,
        allow("KeepBackups", of_backups, f"arn:aws:s3:::theirs/{folder}"),
    ]
    assert "PutBucketVersioning" not in sent(backups=elsewhere)["bucket"]
    within = added(gateway={"s3_bucket": "team"}, credentials={"user_pool_id": "us-east-1_a1B2c3D4e"})
    assert [each["Sid"] for each in within] == ["ListObjects", "SaveObjects", "ListBackups", "KeepBackups"]
    assert within[0]["Condition"] == {"StringLike": {"s3:prefix": f"sre-agent/{ID}/*"}}
    assert within[1]["Resource"] == [f"bucket.arn/sre-agent/{ID}/*"]


def test_what_the_gateway_may_do(calls: Calls) -> None:
    """Fetch one API key, as itself; and only this account's gateway of this name may be it."""
    role = calls["gateway_role"]
    trust = [
        {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock-agentcore.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"{AGENTCORE}:gateway/{ID}-*"},
            },
        }
    ]
    assert policy(role, "CreateRole", "AssumeRolePolicyDocument") == trust
    assert policy(role, "UpdateAssumeRolePolicy", "PolicyDocument") == trust
    assert policy(role, "PutRolePolicy", "PolicyDocument") == [
        allow("GetWorkloadAccessToken", "bedrock-agentcore:GetWorkloadAccessToken", DIRECTORY, IDENTITIES),
        allow(
            "GetResourceApiKey",
            "bedrock-agentcore:GetResourceApiKey",
            "credential_provider.provider_arn",
            f"{AGENTCORE}:token-vault/default",
            DIRECTORY,
            IDENTITIES,
        ),
        allow("ReadApiKey", "secretsmanager:GetSecretValue", "backend_key.secret_arn"),
    ]
    assert "AttachRolePolicy" not in role


def test_what_the_assistant_on_agentcore_may_do() -> None:
    """Read one secret and its own package, write its own log and table, use its models; and only this account's AgentCore may be it."""
    role = sent(assistant={"runtime": "agentcore"})["runtime_role"]
    groups = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group"
    own = f"{groups}:/aws/bedrock-agentcore/runtimes/{ID.replace('-', '_')}-*"
    trust = [
        {
            "Effect": "Allow",
            "Principal": {"Service": "bedrock-agentcore.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": f"{AGENTCORE}:*"}},
        }
    ]
    assert policy(role, "CreateRole", "AssumeRolePolicyDocument") == trust
    assert policy(role, "UpdateAssumeRolePolicy", "PolicyDocument") == trust
    assert policy(role, "PutRolePolicy", "PolicyDocument") == [
        allow("ReadOwnSecrets", "secretsmanager:GetSecretValue", "gateway_client_secret.secret_arn"),
        allow("FindLogGroups", "logs:DescribeLogGroups", f"{groups}:*"),
        allow("CreateLogGroup", ["logs:CreateLogGroup", "logs:DescribeLogStreams"], own),
        allow("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], f"{own}:log-stream:*"),
        allow("ReadPackage", "s3:GetObject", "bucket.arn/runtime_package.key"),
        *invoke(0, "anthropic.claude-sonnet-4-6"),
        *invoke(1, "amazon.nova-pro-v1:0"),
        allow("KeepSessions", ["dynamodb:PutItem", "dynamodb:Query"], "session_table.arn"),
    ]


def test_who_may_call_the_assistant_on_agentcore() -> None:
    """Only tokens of the callers' own client; of all headers the package gets the one with the token, which it checks itself."""
    runtime = sent(assistant={"runtime": "agentcore"})["runtime"]["CreateAgentRuntime"]
    assert runtime["authorizerConfiguration"] == {
        "customJWTAuthorizer": {"discoveryUrl": "user_pool.discovery_url", "allowedClients": ["caller_client.client_id"]}
    }
    assert runtime["requestHeaderConfiguration"] == {"requestHeaderAllowlist": ["Authorization"]}
    assert runtime["roleArn"] == "runtime_role.role_arn"


def test_what_the_instance_may_do_to_order_a_certificate() -> None:
    """Store it, and change one TXT record of its zone; a request that names no record is none of it."""
    ordered = sent(tls={"source": "letsencrypt", "challenge": "dns-01"}, deployment={"hosted_zone_id": "Z1"})["instance_role"]
    keys = [f"route53:ChangeResourceRecordSets{key}" for key in ("NormalizedRecordNames", "RecordTypes")]
    assert [each for each in policy(ordered, "PutRolePolicy", "PolicyDocument") if each["Sid"] in {"StoreCertificate", "ProveDomain"}] == [
        allow("StoreCertificate", "secretsmanager:PutSecretValue", "certificate.secret_arn"),
        allow("ProveDomain", "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1")
        | {
            "Condition": {
                "ForAllValues:StringEquals": dict(zip(keys, ("_acme-challenge.sre.example.com", "TXT"), strict=True)),
                "Null": dict.fromkeys(keys, "false"),
            }
        },
    ]


def test_who_may_call_the_gateway(calls: Calls) -> None:
    """Only tokens of the gateway's own client pass, and errors tell nothing about the inside."""
    for operation in ("CreateGateway", "UpdateGateway"):
        gateway = calls["gateway"][operation]
        assert gateway["authorizerType"] == "CUSTOM_JWT"
        assert gateway["authorizerConfiguration"] == {
            "customJWTAuthorizer": {"discoveryUrl": "user_pool.discovery_url", "allowedClients": ["gateway_client.client_id"]}
        }
        assert gateway["roleArn"] == "gateway_role.role_arn"
        assert "exceptionLevel" not in gateway


@pytest.mark.parametrize("backend", ["kubernetes", "logs", "metrics", "runbooks"])
def test_what_the_gateway_sends_to_a_backend(calls: Calls, backend: str) -> None:
    """The API key of the credential provider, in a header; the key stays in our own secret."""
    key = {"providerArn": "credential_provider.provider_arn", "credentialLocation": "HEADER", "credentialParameterName": "X-API-Key"}
    for operation in ("CreateGatewayTarget", "UpdateGatewayTarget"):
        assert calls[f"target_{backend}"][operation]["credentialProviderConfigurations"] == [
            {"credentialProviderType": "API_KEY", "credentialProvider": {"apiKeyCredentialProvider": key}}
        ]
    provider = calls["credential_provider"]["CreateApiKeyCredentialProvider"]
    assert provider["apiKeySecretSource"] == "EXTERNAL"
    assert provider["apiKeySecretConfig"] == {"secretId": "backend_key.secret_arn", "jsonKey": "api_key"}


def test_who_may_read_the_bucket(calls: Calls) -> None:
    """There is no public access, no access without TLS, and no object has an access list of its own."""
    closed = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
    assert calls["bucket"]["PutPublicAccessBlock"] == {"Bucket": BUCKET, "PublicAccessBlockConfiguration": closed}
    assert policy(calls["bucket"], "PutBucketPolicy", "Policy") == [
        {
            "Sid": "RefusePlainHttp",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]
    put = {name: made["PutObject"] for name, made in calls.items() if "PutObject" in made}
    assert set(put) == {"release", *(f"openapi_{backend}" for backend in ("kubernetes", "logs", "metrics", "runbooks"))}
    assert {
        field for made in (calls["bucket"]["CreateBucket"], *put.values()) for field in made if "ACL" in field or "Grant" in field
    } == set()


def test_a_bucket_as_configured() -> None:
    """The bucket settings of `gateway` reach S3; the instance may use its key, through S3 alone, and the gateway gets nothing more."""
    key = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    chosen = {"versioning": True, "kms_key_arn": key, "cors_origins": ("https://docs.example.com",), "access_log_bucket": "logs"}
    calls, usual = sent(gateway=chosen), sent()
    bucket = {operation: {k: v for k, v in made.items() if k != "Bucket"} for operation, made in calls["bucket"].items()}
    assert bucket["PutBucketVersioning"] == {"VersioningConfiguration": {"Status": "Enabled"}}
    by_key = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}, "BucketKeyEnabled": True}
    assert bucket["PutBucketEncryption"] == {"ServerSideEncryptionConfiguration": {"Rules": [by_key]}}
    assert bucket["PutBucketLifecycleConfiguration"]["LifecycleConfiguration"]["Rules"] == [
        {
            "ID": "old-versions",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
        }
    ]
    rule = {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": ["https://docs.example.com"], "MaxAgeSeconds": 3000}
    assert bucket["PutBucketCors"] == {"CORSConfiguration": {"CORSRules": [rule]}}
    logged = {"TargetBucket": "logs", "TargetPrefix": f"{BUCKET}/"}
    assert bucket["PutBucketLogging"] == {"BucketLoggingStatus": {"LoggingEnabled": logged}}
    statements = {name: policy(calls[name], "PutRolePolicy", "PolicyDocument") for name in ("instance_role", "gateway_role")}
    more = [statement for statement in statements["instance_role"] if "UseBucketKey" in statement["Sid"]]
    assert more == [
        {
            "Sid": "UseBucketKey",
            "Effect": "Allow",
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": [key],
            "Condition": {"StringLike": {"kms:ViaService": "s3.us-east-1.amazonaws.com*"}},
        }
    ]
    of_theirs = sent(gateway={"s3_bucket": "theirs", "kms_key_arn": key})["instance_role"]
    assert more[0] in policy(of_theirs, "PutRolePolicy", "PolicyDocument")
    assert statements["gateway_role"] == policy(usual["gateway_role"], "PutRolePolicy", "PolicyDocument")
    assert "kms:" not in str(usual["instance_role"])


def test_what_a_trail_records_and_who_may_write_it() -> None:
    """Requests to the gateway, and what changes the account, signed; this one trail writes into its bucket, its role into its streams."""
    calls = sent(monitoring={"cloudtrail": True, "enabled": "always"})
    name, bucket = f"{ID}-trail", f"arn:aws:s3:::{ID}-trail"
    made = calls["trail"]["CreateTrail"]
    flags = {"EnableLogFileValidation": True, "IncludeGlobalServiceEvents": False, "IsMultiRegionTrail": False}
    assert {key: value for key, value in made.items() if key != "TagsList"} == {
        "Name": name,
        "S3BucketName": "trail_bucket.bucket_name",
        "CloudWatchLogsLogGroupArn": "log_trail.arn",
        "CloudWatchLogsRoleArn": "trail_role.role_arn",
        **flags,
    }
    assert flags.items() <= calls["trail"]["UpdateTrail"].items()
    assert calls["trail"]["StartLogging"] == {"Name": name}
    selected = [each["FieldSelectors"] for each in calls["trail"]["PutEventSelectors"]["AdvancedEventSelectors"]]
    assert [{field["Field"]: field["Equals"] for field in each} for each in selected] == [
        {"eventCategory": ["Data"], "resources.type": ["AWS::BedrockAgentCore::Gateway"], "resources.ARN": ["gateway.arn"]},
        {"eventCategory": ["Management"], "readOnly": ["false"]},
    ]
    own = {"aws:SourceArn": f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/{name}"}
    of_trail = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}}
    plain_http, *others = policy(calls["trail_bucket"], "PutBucketPolicy", "Policy")
    assert (plain_http["Effect"], plain_http["Resource"]) == ("Deny", [bucket, f"{bucket}/*"])
    assert [{key: value for key, value in each.items() if key != "Sid"} for each in others] == [
        {**of_trail, "Action": "s3:GetBucketAcl", "Resource": bucket, "Condition": {"StringEquals": own}},
        {
            **of_trail,
            "Action": "s3:PutObject",
            "Resource": f"{bucket}/AWSLogs/{ACCOUNT}/*",
            "Condition": {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control", **own}},
        },
    ]
    streams = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}:log-stream:{ACCOUNT}_CloudTrail_us-east-1*"
    assert policy(calls["trail_role"], "PutRolePolicy", "PolicyDocument") == [
        allow("WriteTrail", ["logs:CreateLogStream", "logs:PutLogEvents"], streams)
    ]
    pattern = calls["metric_unauthorizedinaws"]["PutMetricFilter"]["filterPattern"]
    assert [f"statusCode = {status}" in pattern for status in (401, 403, 429)] == [True] * 3


def test_who_gets_a_login(calls: Calls) -> None:
    """Only an administrator adds people, with a strong password, reset by mail alone, and an authenticator app, from its first moment."""
    password = {
        "MinimumLength": 14,
        "TemporaryPasswordValidityDays": 1,
        "RequireUppercase": True,
        "RequireLowercase": True,
        "RequireNumbers": True,
        "RequireSymbols": True,
    }
    pool = calls["user_pool"]
    for operation in ("CreateUserPool", "UpdateUserPool"):
        assert pool[operation]["Policies"]["PasswordPolicy"] == password
        assert pool[operation]["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
        assert pool[operation]["AccountRecoverySetting"] == {"RecoveryMechanisms": [{"Priority": 1, "Name": "verified_email"}]}
    mfa = pool["SetUserPoolMfaConfig"]
    assert mfa["MfaConfiguration"] == "OPTIONAL"
    assert mfa["SoftwareTokenMfaConfiguration"] == {"Enabled": True}
    assert "SmsMfaConfiguration" not in mfa


def test_a_login_as_configured() -> None:
    """The settings of `credentials` for passwords and the second factor reach Cognito; OFF names no method, which Cognito would refuse."""
    strict = sent(credentials={"mfa": "ON", "password_length": 20, "temporary_password_days": 3})["user_pool"]
    for operation in ("CreateUserPool", "UpdateUserPool"):
        policy = strict[operation]["Policies"]["PasswordPolicy"]
        assert (policy["MinimumLength"], policy["TemporaryPasswordValidityDays"]) == (20, 3)
    mfa = {key: value for key, value in strict["SetUserPoolMfaConfig"].items() if key != "UserPoolId"}
    assert mfa == {"MfaConfiguration": "ON", "SoftwareTokenMfaConfiguration": {"Enabled": True}}
    off = sent(credentials={"mfa": "OFF"})["user_pool"]["SetUserPoolMfaConfig"]
    assert {key: value for key, value in off.items() if key != "UserPoolId"} == {"MfaConfiguration": "OFF"}


@pytest.mark.parametrize(("client", "scope"), [("gateway_client", "gateway.invoke"), ("caller_client", "assistant.invoke")])
def test_what_a_program_may_ask_for(calls: Calls, client: str, scope: str) -> None:
    """A token of an hour with one scope, by its own secret, and no other way to sign in."""
    for operation in ("CreateUserPoolClient", "UpdateUserPoolClient"):
        made = calls[client][operation]
        assert made["AllowedOAuthScopes"] == [f"resource_server.identifier/{scope}"]
        assert made["AllowedOAuthFlows"] == ["client_credentials"]
        assert made["AllowedOAuthFlowsUserPoolClient"] is True
        assert made["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
        assert (made["AccessTokenValidity"], made["TokenValidityUnits"]["AccessToken"]) == (60, "minutes")
        assert made["EnableTokenRevocation"] is True
        assert made["PreventUserExistenceErrors"] == "ENABLED"
    assert calls[client]["CreateUserPoolClient"]["GenerateSecret"] is True


def test_how_the_instance_is_locked(calls: Calls) -> None:
    """Credentials only by session tokens that no container can ask for, an encrypted disk, no key pair, one security group."""
    started = calls["instance"]["RunInstances"]
    assert calls["instance"]["ModifyInstanceMetadataOptions"].items() >= started["MetadataOptions"].items()
    assert started["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpEndpoint": "enabled",
        "HttpPutResponseHopLimit": 1,
        "InstanceMetadataTags": "disabled",
    }
    [volume] = started["BlockDeviceMappings"]
    assert volume["Ebs"] == {"VolumeSize": 50, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    [interface] = started["NetworkInterfaces"]
    assert interface["Groups"] == ["security_group.security_group_id"]
    assert started["IamInstanceProfile"] == {"Arn": "instance_profile.profile_arn"}
    assert "KeyName" not in started
    key = json.loads(calls["backend_key"]["CreateSecret"]["SecretString"])["api_key"]
    assert key not in started["UserData"]


def test_the_secrets(calls: Calls) -> None:
    """Each has a name below the deployment's, none is replicated, and none has a policy that lets others in."""
    secrets = {name: made for name, made in calls.items() if "CreateSecret" in made}
    assert {name: made["CreateSecret"]["Name"] for name, made in secrets.items()} == {
        "backend_key": f"{ID}/backend-api-key",
        "gateway_client_secret": f"{ID}/gateway-client",
        "caller_client_secret": f"{ID}/caller-client",
        "certificate": f"{ID}/certificate",
    }
    assert {operation for made in secrets.values() for operation in made} <= {
        "CreateSecret",
        "DeleteResourcePolicy",
        "PutSecretValue",
        "UpdateSecret",
    }
    assert not any("AddReplicaRegions" in made["CreateSecret"] for made in secrets.values())
    assert len(json.loads(secrets["backend_key"]["CreateSecret"]["SecretString"])["api_key"]) == 48


def test_nothing_else_is_sent(calls: Calls) -> None:
    """A new operation is judged here first."""
    assert {operation for made in calls.values() for operation in made} == {
        "AddRoleToInstanceProfile",
        "AllocateAddress",
        "AssociateAddress",
        "AttachRolePolicy",
        "AuthorizeSecurityGroupEgress",
        "AuthorizeSecurityGroupIngress",
        "CreateApiKeyCredentialProvider",
        "CreateBucket",
        "CreateGateway",
        "CreateGatewayTarget",
        "CreateInstanceProfile",
        "CreateResourceServer",
        "CreateRole",
        "CreateSecret",
        "CreateSecurityGroup",
        "CreateUserPool",
        "CreateUserPoolClient",
        "CreateUserPoolDomain",
        "DeleteBucketCors",
        "DeleteBucketLifecycle",
        "DeleteResourcePolicy",
        "DetachRolePolicy",
        "ModifyInstanceMetadataOptions",
        "ModifyVolume",
        "PutBucketEncryption",
        "PutBucketLogging",
        "PutBucketOwnershipControls",
        "PutBucketPolicy",
        "PutObject",
        "PutPublicAccessBlock",
        "PutRolePolicy",
        "PutSecretValue",
        "RemoveRoleFromInstanceProfile",
        "RevokeSecurityGroupIngress",
        "RunInstances",
        "SetUserPoolMfaConfig",
        "StartInstances",
        "UpdateApiKeyCredentialProvider",
        "UpdateAssumeRolePolicy",
        "UpdateGateway",
        "UpdateGatewayTarget",
        "UpdateResourceServer",
        "UpdateRole",
        "UpdateSecret",
        "UpdateUserPool",
        "UpdateUserPoolClient",
    }


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-west-1"])
def test_no_arn_of_another_partition(region: str) -> None:
    """In China and GovCloud nothing that is sent names the partition `aws`."""
    for name, made in sent(region).items():
        assert "arn:aws:" not in str(made), name
