"""The resources that a gateway needs, made by plain boto3 calls: a role, a key in a secret, an OpenAPI document in S3."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.agentcore_gateway_target import GatewayTarget
from sre_agent_deploy.resources.api_key_credential_provider import ApiKeyCredentialProvider

from .conftest import Marked
from .life import create

JSON_KEY = "api_key"


@pytest.fixture
def role_arn(aws: Aws, deployment: str) -> str:
    """A role that AgentCore may assume."""
    allow = {"Effect": "Allow", "Principal": {"Service": "bedrock-agentcore.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    return aws.client("iam").create_role(RoleName=f"{deployment}-gateway", AssumeRolePolicyDocument=trust)["Role"]["Arn"]


@pytest.fixture
def secret_arn(aws: Aws, deployment: str) -> str:
    keys = json.dumps({JSON_KEY: "a key for tests", "other_key": "another key for tests"})
    return aws.client("secretsmanager").create_secret(Name=f"{deployment}/backend", SecretString=keys)["ARN"]


@pytest.fixture
def schema_uri(aws: Aws, deployment: str) -> str:
    return stored_schema(aws, deployment, "openapi/kubernetes.json")


def stored_schema(aws: Aws, bucket: str, key: str, **changed: Any) -> str:
    """An OpenAPI document with one operation, in a bucket of this name; its URI."""
    operation = {"operationId": "get_pod_status", "responses": {"200": {"description": "pods"}}}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Kubernetes", "version": "1"},
        "servers": [{"url": "https://sre.example.com/api/kubernetes"}],
        "paths": {"/pods": {"get": operation}},
    }
    if bucket not in [entry["Name"] for entry in aws.client("s3").list_buckets()["Buckets"]]:
        aws.client("s3").create_bucket(Bucket=bucket)
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(document | changed).encode())
    return f"s3://{bucket}/{key}"


@pytest.fixture
def gateway(role_arn: str, deployment: str) -> Gateway:
    return Gateway(
        name="gateway",
        gateway_name=f"{deployment}-gateway",
        description="Tools of a test",
        role_arn=role_arn,
        discovery_url="https://cognito-idp.us-east-1.amazonaws.com/us-east-1_a/.well-known/openid-configuration",
        allowed_clients=("the-only-client", "and-one-more"),
        allowed_scopes=("sre-agent/gateway.invoke",),
    )


@pytest.fixture
def provider(secret_arn: str, deployment: str) -> ApiKeyCredentialProvider:
    return ApiKeyCredentialProvider(name="provider", provider_name=f"{deployment}-key", secret_arn=secret_arn, json_key=JSON_KEY)


@pytest.fixture
def target(aws: Aws, marked: Marked, gateway: Gateway, provider: ApiKeyCredentialProvider, schema_uri: str) -> GatewayTarget:
    """A target to make, under a gateway that is there."""
    made = ApiKeyCredentialProvider.read(aws, create(aws, provider, marked("provider")), "provider")
    assert made
    return GatewayTarget(
        name="kubernetes_target",
        gateway_id=create(aws, gateway, marked("gateway")),
        target_name="kubernetes",
        description="Pods and nodes",
        schema_uri=schema_uri,
        provider_arn=str(made.outputs["provider_arn"]),
    )
