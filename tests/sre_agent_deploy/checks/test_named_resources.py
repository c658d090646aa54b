"""Preflight examines what the user named before it is used: bucket, role, user pool and KMS keys, as AWS has them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

import pytest

from fixtures.embedded import EmbeddedAws
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks import Finding, run_checks
from sre_agent_deploy.checks.preflight import Context
from sre_agent_deploy.checks.preflight.bucket import NamedBucketFacts, list_gaps
from sre_agent_deploy.checks.preflight.encryption_key import find_gaps
from sre_agent_deploy.checks.preflight.roles import SERVICE, list_actions, trusts
from sre_agent_deploy.checks.preflight.sources import ClusterEnterable
from sre_agent_deploy.checks.suite import stops_deployment
from sre_agent_deploy.config.models import Config
from sre_core import clock

from .conftest import Preflight

type Json = dict[str, Any]

ACCOUNT = "123456789012"
GATEWAY = f"arn:aws:bedrock-agentcore:us-east-1:{ACCOUNT}:gateway/sre-1-0123456789"
TRUST: Json = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
DELIVERING = ("delivery.logs.amazonaws.com", "budgets.amazonaws.com")
NAMED = ("s3.bucket_protected", "iam.role", "cognito.pool", "cognito.pool_protected", "kms.gateway_key", "kms.monitoring_key")


def document(*statements: Json) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def codes(findings: Mapping[str, Finding]) -> dict[str, str]:
    """The code of each finding about what was named; nothing where it passed."""
    return {name: found.problem.code if found.problem else "" for name, found in findings.items() if name in NAMED}


def advice(finding: Finding) -> str:
    assert finding.problem
    return " ".join(finding.problem.do)


def test_a_cluster_for_an_access_entry(aws: Aws, embedded: EmbeddedAws) -> None:
    """It exists and its mode supports entries; else the deployment stops before any change, and the problem offers a way without a change
    of the cluster."""
    name = f"cluster-{secrets.token_hex(5)}"
    config = Config.model_validate({"mode": "production", "name": "x"})

    def look() -> tuple[str, Finding]:
        (found,) = run_checks((ClusterEnterable(name),), Context(config, aws, clock.now()))
        return found.problem.code if found.problem else "", found

    assert look()[0] == "EKS-CLUSTER-NOT-FOUND"
    eks = embedded.client("eks")
    eks.create_cluster(name=name, roleArn=f"arn:aws:iam::{ACCOUNT}:role/c", resourcesVpcConfig={"subnetIds": ["subnet-1"]})
    code, found = look()
    assert (code, stops_deployment((found,))) == ("EKS-AUTHENTICATION-MODE", True)
    assert "access_entry of this cluster to false" in advice(found)
    eks.update_cluster_config(name=name, accessConfig={"authenticationMode": "API_AND_CONFIG_MAP"})
    assert look()[1].status == "passed"
    eks.delete_cluster(name=name)


@pytest.fixture
def names(embedded: EmbeddedAws) -> Mapping[str, str]:
    """Create a bucket, a role, a pool with a client, and two keys, with as few protections as AWS accepts."""
    mark = secrets.token_hex(5)
    embedded.client("s3").create_bucket(Bucket=f"theirs-{mark}")
    embedded.client("s3").delete_public_access_block(Bucket=f"theirs-{mark}")
    lambda_trust = {**TRUST, "Principal": {"Service": "lambda.amazonaws.com"}}
    embedded.client("iam").create_role(RoleName=f"role-{mark}", AssumeRolePolicyDocument=document(lambda_trust))
    cognito = embedded.client("cognito-idp")
    pool = cognito.create_user_pool(PoolName=mark, Policies={"PasswordPolicy": {"MinimumLength": 6}})["UserPool"]["Id"]
    client = cognito.create_user_pool_client(UserPoolId=pool, ClientName="c", GenerateSecret=True)["UserPoolClient"]["ClientId"]
    keys = [embedded.client("kms").create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
    return {"bucket": f"theirs-{mark}", "role": f"role-{mark}", "pool": pool, "client": client, "key": keys[0], "log_key": keys[1]}


def close(embedded: EmbeddedAws, names: Mapping[str, str]) -> None:
    """Do what the problems advise."""
    s3, bucket, iam = embedded.client("s3"), names["bucket"], embedded.client("iam")
    blocks = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocks)
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    refuse = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": arns, "Condition": plain}
    other = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "s3:GetObject", "Resource": arns[1]}
    s3.put_bucket_policy(Bucket=bucket, Policy=document(other, refuse))
    encrypt: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=encrypt)
    iam.update_assume_role_policy(RoleName=names["role"], PolicyDocument=document(TRUST))
    cognito, pool = embedded.client("cognito-idp"), names["pool"]
    cognito.set_user_pool_mfa_config(UserPoolId=pool, MfaConfiguration="OPTIONAL", SoftwareTokenMfaConfiguration={"Enabled": True})
    cognito.update_user_pool(
        UserPoolId=pool, Policies={"PasswordPolicy": {"MinimumLength": 12}}, AdminCreateUserConfig={"AllowAdminCreateUserOnly": True}
    )
    cognito.create_resource_server(UserPoolId=pool, Identifier="a", Name="a", Scopes=[{"ScopeName": "b", "ScopeDescription": "b"}])
    cognito.update_user_pool_client(
        UserPoolId=pool, ClientId=names["client"], AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["client_credentials"], AllowedOAuthScopes=["a/b"],
    )  # fmt: skip
    kms, region = embedded.client("kms"), embedded.region
    root = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    trusted = [f"logs.{region}.amazonaws.com", "cloudwatch.amazonaws.com", *DELIVERING]
    services = {"Service": trusted}
    actions = ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]
    use = {"Effect": "Allow", "Principal": services, "Action": actions, "Resource": "*"}
    kms.put_key_policy(KeyId=names["log_key"], PolicyName="default", Policy=document(root, use))


def test_what_was_named_and_what_to_add(check: Preflight, embedded: EmbeddedAws, names: Mapping[str, str]) -> None:
    """Each missing protection has a problem that says what to add; with that added, all of them pass."""

    def look() -> dict[str, Finding]:
        return check(
            gateway={"s3_bucket": names["bucket"]},
            aws={"role_name": names["role"]},
            credentials={"user_pool_id": names["pool"], "client_id": names["client"]},
            monitoring={"kms_key_arn": names["log_key"], "enabled": "always"},
            limits={"monthly_usd": 50},
        )

    careless = look()
    assert codes(careless) == {
        "s3.bucket_protected": "S3-NAMED-UNPROTECTED",
        "iam.role": "IAM-NAMED-ROLE-TRUST",
        "cognito.pool": "COGNITO-NAMED-CLIENT",
        "cognito.pool_protected": "COGNITO-NAMED-UNPROTECTED",
        "kms.monitoring_key": "KMS-KEY-POLICY",
    }
    assert stops_deployment(tuple(careless.values()))
    assert "aws:SecureTransport" in advice(careless["s3.bucket_protected"])
    assert "put-public-access-block" in advice(careless["s3.bucket_protected"])
    assert SERVICE in advice(careless["iam.role"])
    assert all(service in advice(careless["kms.monitoring_key"]) for service in (f"logs.{embedded.region}.amazonaws.com", *DELIVERING))

    close(embedded, names)
    closed = look()
    assert codes(closed) == {**dict.fromkeys(codes(careless), ""), "iam.role": "IAM-NAMED-ROLE-PERMISSIONS"}
    assert "bedrock-agentcore:GetResourceApiKey" in advice(closed["iam.role"])
    actions = ["bedrock-agentcore:GetWorkloadAccessToken", "bedrock-agentcore:GetResourceApiKey", "secretsmanager:GetSecretValue"]
    allowed = document({"Effect": "Allow", "Action": actions, "Resource": "*"})
    embedded.client("iam").put_role_policy(RoleName=names["role"], PolicyName="p", PolicyDocument=allowed)
    assert set(codes(look()).values()) == {""}


def test_what_was_named_and_is_not_there(check: Preflight, embedded: EmbeddedAws, names: Mapping[str, str]) -> None:
    """Each is reported as absent; a key that is disabled can't be used either."""
    kms = embedded.client("kms")
    kms.disable_key(KeyId=names["key"])
    absent = f"{names['key'].rpartition('/')[0]}/1234abcd-12ab-34cd-56ef-1234567890ab"
    found = check(
        gateway={"kms_key_arn": names["key"]},
        aws={"role_name": "absent"},
        credentials={"user_pool_id": "us-east-1_Absent123"},
        monitoring={"kms_key_arn": absent, "enabled": "always"},
    )
    assert codes(found) == {
        "iam.role": "IAM-NAMED-ROLE-NOT-FOUND",
        "cognito.pool": "COGNITO-NAMED-NOT-FOUND",
        "cognito.pool_protected": "",
        "kms.gateway_key": "KMS-KEY-UNUSABLE",
        "kms.monitoring_key": "KMS-KEY-UNUSABLE",
    }
    assert "is Disabled" in found["kms.gateway_key"].what and "does not exist" in found["kms.monitoring_key"].what


def test_a_named_bucket_that_a_key_encrypts(check: Preflight, embedded: EmbeddedAws, names: Mapping[str, str]) -> None:
    """Its key must be the one that the roles may use, in any form in which S3 names it; AWS's own key for S3 is usable by all."""
    s3, kms, alias = embedded.client("s3"), embedded.client("kms"), f"alias/{names['bucket']}"
    kms.create_alias(AliasName=alias, TargetKeyId=names["key"].rpartition("/")[2])

    def look(set_key: str, kms_key_arn: str) -> Finding:
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": set_key}
        rules: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": "/" in set_key}]}
        s3.put_bucket_encryption(Bucket=names["bucket"], ServerSideEncryptionConfiguration=rules)
        return check(gateway={"s3_bucket": names["bucket"], "kms_key_arn": kms_key_arn})["s3.bucket"]

    for set_key in (names["key"], names["key"].rpartition("/")[2], alias):
        refused = look(set_key, "")
        assert refused.problem and refused.problem.code == "S3-NAMED-KEY"
        assert stops_deployment((refused,))
        assert (alias if set_key == alias else f"gateway.kms_key_arn to {names['key']}:") in advice(refused)
        assert look(set_key, names["key"]).status == "passed"
        assert look(set_key, names["log_key"]).status == "failed"
    assert look("alias/aws/s3", "").status == "passed"


def test_a_bucket_of_backups_that_a_key_encrypts(check: Preflight, embedded: EmbeddedAws, names: Mapping[str, str]) -> None:
    """By default the machine may not use its key; with gateway.kms_key_arn each backup names that one."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": names["key"]}
    rules: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    embedded.client("s3").put_bucket_encryption(Bucket=names["bucket"], ServerSideEncryptionConfiguration=rules)
    chosen = {"at": "02:30", "bucket": names["bucket"]}
    refused = check(backups=chosen)["s3.backups_bucket"]
    assert refused.problem and refused.problem.code == "S3-NAMED-KEY"
    assert f"gateway.kms_key_arn to {names['key']}:" in advice(refused)
    assert check(backups=chosen, gateway={"kms_key_arn": names["log_key"]})["s3.backups_bucket"].status == "passed"


def test_a_named_permissions_boundary(check: Preflight, embedded: EmbeddedAws) -> None:
    """It must be there, and some statement of it must allow each action that the roles need."""
    iam = embedded.client("iam")

    def look(*statements: Json, **sections: Json) -> Finding:
        arn = f"arn:aws:iam::{ACCOUNT}:policy/absent"
        if statements:
            arn = iam.create_policy(PolicyName=secrets.token_hex(5), PolicyDocument=document(*statements))["Policy"]["Arn"]
        found = check(aws={"permissions_boundary": arn}, **sections)["iam.permissions_boundary"]
        assert stops_deployment((found,)) is (found.status == "failed")
        return found

    absent, services = look(), ["s3:*", "secretsmanager:Get*", "cloudwatch:*", "bedrock-agentcore:*"]
    assert absent.problem and absent.problem.code == "IAM-BOUNDARY-NOT-FOUND"
    allowed = {"Effect": "Allow", "Action": services, "Resource": "*"}
    narrow = look(allowed, deployment={"key_name": "admin"})
    assert narrow.problem and narrow.problem.code == "IAM-BOUNDARY-TOO-NARROW"
    assert narrow.problem.why.endswith(" does not allow secretsmanager:DescribeSecret.")
    without_key = look(allowed)
    assert without_key.problem and "ssm:UpdateInstanceInformation, ssmmessages:" in without_key.problem.why
    everything = {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*"}
    assert look(everything).status == "passed"
    assert look(everything, {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}).status == "failed"
    elsewhere = {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}
    assert look(everything, {"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": elsewhere}).status == "passed"
    denied = look({"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}, {"Effect": "Allow", "Action": "iam:*", "Resource": "*"})
    assert denied.status == "failed"


@pytest.mark.parametrize(
    ("sections", "action"),
    [
        ({"monitoring": {"enabled": "always", "traces": "xray"}}, "xray:PutTraceSegments"),
        ({"tls": {"source": "letsencrypt"}}, "secretsmanager:PutSecretValue"),
        ({"gateway": {"kms_key_arn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"}}, "kms:GenerateDataKey"),
        ({"services": {"kubernetes": [{"source": "eks", "cluster": "prod"}]}}, "eks:DescribeCluster"),
        ({"assistant": {"runtime": "agentcore"}}, "logs:CreateLogGroup"),
        ({"assistant": {"runtime": "agentcore"}}, "dynamodb:PutItem"),
        ({"assistant": {"session_store": "dynamodb"}}, "dynamodb:Query"),
        ({"assistant": {"runtime": "agentcore", "image": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/a:1"}}, "ecr:BatchGetImage"),
    ],
)
def test_what_the_roles_need_within_a_boundary(aws: Aws, sections: Json, action: str) -> None:
    """The actions that the configuration needs are among it, as in the roles' own policies."""

    def needs(**sections: Json) -> set[str]:
        return set(list_actions(Context(Config.model_validate({"mode": "production", "name": "x", **sections}), aws, clock.now())))

    assert needs(**sections) - needs() >= {action}


OURS = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": GATEWAY.replace("0123456789", "*")}}


@pytest.mark.parametrize(
    ("changes", "trusted"),
    [
        ({}, True),
        ({"Principal": {"Service": ["ec2.amazonaws.com", SERVICE]}}, True),
        ({"Condition": OURS}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "999988887777"}}}, False),
        ({"Condition": {"ArnLike": {"aws:SourceArn": GATEWAY.replace("sre-1", "another")}}}, False),
        ({"Condition": {"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}}, True),
        ({"Principal": {"AWS": ROOT}}, False),
        ({"Action": "sts:TagSession"}, False),
        ({"Effect": "Deny"}, False),
    ],
)
def test_who_may_assume_a_named_role(changes: Json, trusted: bool) -> None:
    """AgentCore, for this account and this gateway."""
    assert trusts({"Statement": [{**TRUST, **changes}]}, ACCOUNT, GATEWAY) is trusted


@pytest.mark.parametrize(
    ("statement", "gaps"),
    [
        ({"Principal": {"AWS": ROOT}, "Action": "kms:*"}, ()),
        ({"Principal": {"AWS": ROOT}, "Action": ["kms:Decrypt"]}, ("kms:GenerateDataKey",)),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/deployer"}, "Action": ["kms:Decrypt", "kms:GenerateDataKey*"]}, ()),
        ({"Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Action": "kms:*"}, ("kms:Decrypt", "kms:GenerateDataKey")),
        ({"Principal": {"Service": "s3.amazonaws.com"}, "Action": "kms:*"}, ("kms:Decrypt", "kms:GenerateDataKey")),
        ({"Principal": {"AWS": ROOT}, "Action": "kms:*", "Effect": "Deny"}, ("kms:Decrypt", "kms:GenerateDataKey")),
    ],
)
def test_whom_a_key_serves(statement: Json, gaps: tuple[str, ...]) -> None:
    """The account itself, or identities of it, by each action that is needed."""
    policy = {"Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}
    assert find_gaps(policy, ROOT, ("kms:Decrypt", "kms:GenerateDataKey")) == gaps


PLAIN: Json = {"Bool": {"aws:SecureTransport": False}}
REFUSE: Json = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "arn:aws:s3:::b/*",
    "Condition": PLAIN,
}


@pytest.mark.parametrize(
    ("changes", "refuses"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Effect": "Allow"}, False),
        ({"Principal": {"AWS": ROOT}}, False),
        ({"Action": "s3:PutObject"}, False),
        ({"Resource": "arn:aws:s3:::b"}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, False),
        ({"Condition": {**PLAIN, "StringEquals": {"aws:PrincipalAccount": ACCOUNT}}}, False),
    ],
)
def test_a_policy_that_refuses_plain_http(changes: Json, refuses: bool) -> None:
    """The statement applies to everybody, every action and every object, without another condition."""
    facts = NamedBucketFacts("b", "aws", True, {"Statement": {**REFUSE, **changes}}, closed=True, encryption="AES256")
    assert (list_gaps(facts) == {}) is refuses
