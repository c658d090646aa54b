"""Targets in the control plane: what AWS refuses at once, and what makes a target FAILED a moment later."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest

from .conftest import API_KEY, Aws, credentials, jwt_authorizer, openapi, unique

SERVER = "https://127.0.0.1:9"


def inline(document: Any) -> dict[str, Any]:
    return {"mcp": {"openApiSchema": {"inlinePayload": json.dumps(document)}}}


@pytest.fixture
def request_for(gateway: Any, provider: Any) -> Any:
    """A CreateGatewayTarget request; an argument of None leaves that member out."""

    def build(**changes: Any) -> dict[str, Any]:
        request = {
            "gatewayIdentifier": gateway["gatewayId"],
            "name": "pods",
            "targetConfiguration": inline(openapi(SERVER)),
            "credentialProviderConfigurations": credentials(provider["credentialProviderArn"]),
            **changes,
        }
        return {name: value for name, value in request.items() if value is not None}

    return build


def wait_for_status(aws: Any, control: Any, gateway: Any, target_id: str, until: str = "READY") -> Any:
    return aws.wait_for_status(lambda: control.get_gateway_target(gatewayIdentifier=gateway["gatewayId"], targetId=target_id), until=until)


def code_of(control: Any, operation: str, **request: Any) -> str:
    with pytest.raises(control.exceptions.ClientError) as caught:
        getattr(control, operation)(**request)
    return str(caught.value.response["Error"]["Code"])


def test_a_new_target_passes_through_creating(aws: Any, control: Any, gateway: Any, request_for: Any) -> None:
    """CreateGatewayTarget answers 202 with CREATING; a moment later the schema is read and the target is READY."""
    made = control.create_gateway_target(**request_for(description="pods"))
    assert (made["ResponseMetadata"]["HTTPStatusCode"], made["status"], made["gatewayArn"]) == (202, "CREATING", gateway["gatewayArn"])
    ready = wait_for_status(aws, control, gateway, made["targetId"])
    assert ready["targetConfiguration"] == inline(openapi(SERVER))
    (listed,) = control.list_gateway_targets(gatewayIdentifier=gateway["gatewayId"])["items"]
    assert (listed["targetId"], listed["status"], listed["targetType"]) == (made["targetId"], "READY", "OPEN_API_SCHEMA")


def test_the_same_client_token_makes_one_target(control: Any, request_for: Any) -> None:
    """Sending a create again returns the target that it made; other parameters under that token are refused."""
    request = request_for(clientToken=str(uuid.uuid4()))
    assert control.create_gateway_target(**request)["targetId"] == control.create_gateway_target(**request)["targetId"]
    assert code_of(control, "create_gateway_target", **{**request, "name": "other"}) == "ValidationException"


def test_a_name_is_taken_in_this_gateway(control: Any, request_for: Any, make_gateway: Any) -> None:
    """Names are unique under a gateway, and free under another."""
    control.create_gateway_target(**request_for())
    assert code_of(control, "create_gateway_target", **request_for()) == "ConflictException"
    control.create_gateway_target(**request_for(gatewayIdentifier=make_gateway()["gatewayId"]))


@pytest.fixture
def young_gateway(slow_control: Any, role_arn: str, issuer: Any) -> Any:
    """A gateway that stays CREATING."""
    return slow_control.create_gateway(name=unique("gw"), roleArn=role_arn, **jwt_authorizer(issuer))


def test_a_gateway_that_is_not_ready(slow_control: Any, young_gateway: Any, request_for: Any) -> None:
    """Targets can be created only when their gateway is ready, and are refused with AgentCore's own text until then."""
    with pytest.raises(slow_control.exceptions.ValidationException) as refused:
        slow_control.create_gateway_target(**request_for(gatewayIdentifier=young_gateway["gatewayId"]))
    message = "Cannot perform operation CreateGatewayTarget when gateway is in CREATING status"
    assert refused.value.response["Error"]["Message"] == message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"gatewayIdentifier": "nothing-0123456789"}, "ResourceNotFoundException"),
        ({"name": "with_underscore"}, "ValidationException"),
        ({"name": None}, "ValidationException"),
        ({"credentialProviderConfigurations": None}, "ValidationException"),
        ({"credentialProviderConfigurations": [{"credentialProviderType": "GATEWAY_IAM_ROLE"}]}, "ValidationException"),
        ({"credentialProviderConfigurations": [{"credentialProviderType": "OAUTH"}]}, "ValidationException"),
        (
            {"credentialProviderConfigurations": credentials("arn:aws:bedrock-agentcore:us-east-1:123456789012:none")},
            "ResourceNotFoundException",
        ),
        ({"targetConfiguration": {"mcp": {"mcpServer": {"endpoint": "https://x"}}}}, "ValidationException"),
        ({"metadataConfiguration": {"allowedRequestHeaders": ["Authorization"]}}, "ValidationException"),
        ({"metadataConfiguration": {"allowedRequestHeaders": []}}, "ValidationException"),
        ({"metadataConfiguration": {"allowedResponseHeaders": ["x-a"]}}, "ValidationException"),
    ],
)
def test_what_is_refused_at_once(control: Any, request_for: Any, changes: Any, code: str) -> None:
    """A request that can never work makes no target."""
    assert code_of(control, "create_gateway_target", **request_for(**changes)) == code


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"openapi": "2.0"}, "version 2.0 is not supported"),
        ({"servers": []}, "no server URL"),
        ({"servers": [{"url": "http://api.example.com"}]}, "https"),
        ({"servers": [{"url": "/api"}]}, "https"),
        ({"paths": {}}, "no operations"),
        ({"paths": {"/a": {"get": {"responses": {}}}}}, "GET /a has no operationId"),
        ({"components": {"schemas": {"Note": {"anyOf": [{"type": "string"}]}}}}, "anyOf is not supported"),
    ],
)
def test_a_schema_that_makes_no_tools(*, aws: Any, control: Any, gateway: Any, request_for: Any, changes: Any, says: str) -> None:
    """The target is created and becomes FAILED; its statusReasons say why."""
    made = control.create_gateway_target(**request_for(targetConfiguration=inline(openapi(SERVER, **changes))))
    failed = wait_for_status(aws, control, gateway, made["targetId"], until="FAILED")
    assert any(says in reason for reason in failed["statusReasons"]), failed["statusReasons"]


@pytest.mark.parametrize(
    "changes",
    [
        {"targetConfiguration": {"mcp": {"openApiSchema": {"s3": {"uri": "s3://no-such-bucket/openapi.json"}}}}},
        {"certificateConfigurations": [{"s3": {"uri": "s3://no-such-bucket/ca.pem"}}]},
        {"targetConfiguration": {"mcp": {"openApiSchema": {"inlinePayload": "{"}}}},
    ],
    ids=["no schema", "no certificate", "no JSON"],
)
def test_what_a_target_refers_to_is_absent(aws: Any, control: Any, gateway: Any, request_for: Any, changes: Any) -> None:
    """A missing S3 object is found out after the creation, not at the first call."""
    made = control.create_gateway_target(**request_for(**changes))
    assert wait_for_status(aws, control, gateway, made["targetId"], until="FAILED")["statusReasons"]


def test_what_amazons_sample_sends(aws: Aws, control: Any, role_arn: str, bucket: str) -> None:
    """Its sequence of calls by plain boto3, with documents that say how the API wants to be called, ends with four READY targets."""
    pool = aws.client("cognito-idp").create_user_pool(PoolName=unique("sre"))["UserPool"]["Id"]
    client = aws.client("cognito-idp").create_user_pool_client(UserPoolId=pool, ClientName="sre")["UserPoolClient"]["ClientId"]
    key = control.create_api_key_credential_provider(name=unique("sre-agent-api-key"), apiKey=uuid.uuid4().hex)
    url = f"{aws.account.endpoint}/{pool}/.well-known/openid-configuration"
    gateway = control.create_gateway(
        name=unique("MyAgentCoreGateway"),
        roleArn=role_arn,
        protocolType="MCP",
        authorizerType="CUSTOM_JWT",
        authorizerConfiguration={"customJWTAuthorizer": {"discoveryUrl": url, "allowedClients": [client]}},
        protocolConfiguration={"mcp": {"searchType": "SEMANTIC", "supportedVersions": ["2025-03-26"]}},
        exceptionLevel="DEBUG",
        description="AgentCore Gateway created via SDK",
    )
    aws.wait_for_status(lambda: control.get_gateway(gatewayIdentifier=gateway["gatewayId"]))
    for port, api in ((8011, "k8s"), (8012, "logs"), (8013, "metrics"), (8014, "runbooks")):
        schemes = {"ApiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-API-Key"}}
        described = openapi(f"https://sre.example.com:{port}", security=[{"ApiKeyAuth": []}])
        described["components"] = {**described.get("components", {}), "securitySchemes": schemes}
        aws.client("s3").put_object(Bucket=bucket, Key=f"{api}_api.yaml", Body=json.dumps(described))
        target = control.create_gateway_target(
            gatewayIdentifier=gateway["gatewayId"],
            name=f"{api}-api",
            description=f"{api} Analysis API",
            targetConfiguration={"mcp": {"openApiSchema": {"s3": {"uri": f"s3://{bucket}/{api}_api.yaml"}}}},
            credentialProviderConfigurations=credentials(key["credentialProviderArn"]),
        )
        wait_for_status(aws, control, gateway, target["targetId"])
    targets = control.list_gateway_targets(gatewayIdentifier=gateway["gatewayId"])["items"]
    assert sorted((target["name"], target["status"]) for target in targets) == [
        ("k8s-api", "READY"),
        ("logs-api", "READY"),
        ("metrics-api", "READY"),
        ("runbooks-api", "READY"),
    ]


def test_a_private_ca_from_secrets_manager(aws: Any, gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """The CA's certificate may be in S3 or in a secret."""
    secret = aws.client("secretsmanager").create_secret(Name=unique("ca"), SecretString=api.ca_file.read_text())
    make_target(gateway, certificateConfigurations=[{"secretsManager": {"secretArn": secret["ARN"]}}])
    assert caller_of(gateway).call("pods___search_logs")["isError"] is False


def test_headers_that_a_target_allows(gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """Its server gets exactly those of the client's headers, and no client can replace the key."""
    make_target(gateway, metadataConfiguration={"allowedRequestHeaders": ["Traceparent", "X-API-Key"]})
    given = {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "x-other": "kept out", "x-api-key": "a stranger's"}
    answer = caller_of(gateway).rpc("tools/call", {"name": "pods___search_logs", "arguments": {}}, **given)
    assert answer["result"]["isError"] is False
    seen = api.requests[-1]["headers"]
    assert seen["traceparent"] == given["traceparent"]
    assert "x-other" not in seen
    assert seen["x-api-key"] == API_KEY


def test_an_update_reads_the_schema_again(*, aws: Any, control: Any, gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """UPDATING, then READY with the new tools; an update that fails leaves the tools that worked."""
    target = make_target(gateway)
    names = {"gatewayIdentifier": gateway["gatewayId"], "targetId": target["targetId"]}
    kept = {key: target[key] for key in ("credentialProviderConfigurations", "certificateConfigurations")}
    document = openapi(api.url)
    del document["paths"]["/notes"]
    updated = control.update_gateway_target(**names, name="pods", targetConfiguration=inline(document), **kept)
    assert updated["status"] == "UPDATING"
    wait_for_status(aws, control, gateway, target["targetId"])
    tools = [tool["name"] for tool in caller_of(gateway).rpc("tools/list")["result"]["tools"]]
    assert tools == ["pods___get_pod_status", "pods___search_logs"]
    control.update_gateway_target(**names, name="pods", targetConfiguration=inline(openapi("http://plain")), **kept)
    wait_for_status(aws, control, gateway, target["targetId"], until="UPDATE_UNSUCCESSFUL")
    assert len(caller_of(gateway).rpc("tools/list")["result"]["tools"]) == 2


def test_synchronizing_reads_what_s3_has_now(
    *, aws: Any, control: Any, gateway: Any, make_target: Any, bucket: str, caller_of: Any, api: Any
) -> None:
    """A changed document is seen after SynchronizeGatewayTargets, not before."""
    target = make_target(gateway)
    document = openapi(api.url)
    del document["paths"]["/logs"]
    aws.client("s3").put_object(Bucket=bucket, Key="openapi.json", Body=json.dumps(document))
    assert len(caller_of(gateway).rpc("tools/list")["result"]["tools"]) == 3
    (answer,) = control.synchronize_gateway_targets(gatewayIdentifier=gateway["gatewayId"], targetIdList=[target["targetId"]])["targets"]
    assert answer["status"] == "SYNCHRONIZING"
    wait_for_status(aws, control, gateway, target["targetId"])
    assert len(caller_of(gateway).rpc("tools/list")["result"]["tools"]) == 2


def test_a_deleted_target_offers_nothing(control: Any, gateway: Any, make_target: Any, caller_of: Any) -> None:
    """Its tools are gone at once; the target itself a moment later."""
    target = make_target(gateway)
    names = {"gatewayIdentifier": gateway["gatewayId"], "targetId": target["targetId"]}
    assert control.delete_gateway_target(**names)["status"] == "DELETING"
    assert caller_of(gateway).rpc("tools/list")["result"]["tools"] == []
    for _ in range(500):
        try:
            assert control.get_gateway_target(**names)["status"] == "DELETING"
        except control.exceptions.ResourceNotFoundException:
            return
        time.sleep(0.01)
    pytest.fail("the target is still there")
