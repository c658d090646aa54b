"""The security settings that one deployment leaves in AWS, read by plain boto3 and compared with `what_aws_holds.json`.

That file was captured once, read through by a person, and is never generated: what the code writes and reads with one constant
would always agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fixtures.engine import Engine

EXPECTED = json.loads((Path(__file__).parent / "what_aws_holds.json").read_text())


def test_what_one_deployment_leaves(engine: Engine) -> None:
    """Every policy, rule and setting is the reviewed one, and there is none besides."""
    engine.deploy()
    for name, read in READERS.items():
        assert named(engine, read(engine)) == EXPECTED[name], name


def named(engine: Engine, value: Any) -> Any:
    """The same value with names in place of the ids that AWS chose; fields that differ at each deployment are left out."""
    text = json.dumps(value, default=str)
    for name in ("user_pool", "gateway_client", "caller_client", "security_group"):
        text = text.replace(engine.id_of(name).rpartition("/")[2], f"<{name}>")
    # Secrets Manager ends each ARN with six characters of its own.
    text = re.sub(r"(:secret:[a-z0-9/-]+)-[A-Za-z0-9]{6}\"", r'\1-??????"', text)
    for chosen, name in ((engine.embedded.endpoint, "<endpoint>"), (engine.id, "<id>"), (engine.name, "<name>")):
        text = text.replace(chosen, name)
    return json.loads(text)


def _role(name: str) -> Any:
    def read(engine: Engine) -> Any:
        iam, role = engine.client("iam"), engine.id_of(name)
        inline = iam.list_role_policies(RoleName=role)["PolicyNames"]
        return {
            "trust": iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"],
            "inline": {each: iam.get_role_policy(RoleName=role, PolicyName=each)["PolicyDocument"]["Statement"] for each in inline},
            "attached": [each["PolicyArn"] for each in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]],
        }

    return read


def _security_group(engine: Engine) -> Any:
    group = engine.client("ec2").describe_security_groups(GroupIds=[engine.id_of("security_group")])["SecurityGroups"][0]
    opened = sorted(group["IpPermissions"], key=lambda rule: rule["FromPort"])
    return {"ingress": [_without_empty(rule) for rule in opened], "egress": [_without_empty(rule) for rule in group["IpPermissionsEgress"]]}


def _bucket(engine: Engine) -> Any:
    s3, bucket = engine.client("s3"), {"Bucket": engine.id_of("bucket")}
    return {
        "public_access": s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"],
        "policy": json.loads(s3.get_bucket_policy(**bucket)["Policy"])["Statement"],
        "encryption": s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"],
        "grants": [grant["Permission"] for grant in s3.get_bucket_acl(**bucket)["Grants"]],
    }


def _pool(engine: Engine) -> Any:
    cognito, pool = engine.client("cognito-idp"), engine.id_of("user_pool")
    seen = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]
    kept = (
        "Policies",
        "AdminCreateUserConfig",
        "AccountRecoverySetting",
        "MfaConfiguration",
        "DeletionProtection",
        "UsernameAttributes",
        "AutoVerifiedAttributes",
    )
    mfa = cognito.get_user_pool_mfa_config(UserPoolId=pool)
    return {**{key: seen[key] for key in kept if key in seen}, "mfa": {k: v for k, v in mfa.items() if k != "ResponseMetadata"}}


def _client(name: str) -> Any:
    def read(engine: Engine) -> Any:
        pool, _, client = engine.id_of(name).partition("/")
        seen = engine.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]
        return {key: value for key, value in seen.items() if key not in ("ClientSecret", "LastModifiedDate", "CreationDate", "UserPoolId")}

    return read


def _gateway(engine: Engine) -> Any:
    seen = engine.client("bedrock-agentcore-control").get_gateway(gatewayIdentifier=engine.id_of("gateway"))
    kept = ("authorizerType", "authorizerConfiguration", "protocolType", "roleArn", "exceptionLevel")
    return {key: seen[key] for key in kept if key in seen}


def _instance(engine: Engine) -> Any:
    seen = engine.client("ec2").describe_instances(InstanceIds=[engine.id_of("instance")])["Reservations"][0]["Instances"][0]
    metadata = {key: seen["MetadataOptions"][key] for key in ("HttpTokens", "HttpEndpoint", "HttpPutResponseHopLimit")}
    groups = [group["GroupId"] for group in seen["SecurityGroups"]]
    return {"metadata": metadata, "groups": groups, "profile": seen["IamInstanceProfile"]["Arn"], "key": seen.get("KeyName", "")}


def _without_empty(rule: Mapping[str, Any]) -> Any:
    return {key: value for key, value in rule.items() if value not in ([], "")}


READERS: Mapping[str, Any] = {
    "instance_role": _role("instance_role"),
    "gateway_role": _role("gateway_role"),
    "security_group": _security_group,
    "bucket": _bucket,
    "user_pool": _pool,
    "gateway_client": _client("gateway_client"),
    "caller_client": _client("caller_client"),
    "gateway": _gateway,
    "instance": _instance,
}
