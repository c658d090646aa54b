"""Gateways in the control plane: as strict as AWS, through unmodified boto3."""

from __future__ import annotations

import socket
import time
import uuid
from typing import Any

import pytest

from .conftest import CLIENT, TRUST, jwt_authorizer, remove_gateway, unique


@pytest.fixture
def request_for(role_arn: str, issuer: Any) -> Any:
    """A CreateGateway request; an argument of None leaves that member out."""

    def build(**changes: Any) -> dict[str, Any]:
        request = {"name": unique("gw"), "roleArn": role_arn, "protocolType": "MCP", **jwt_authorizer(issuer), **changes}
        return {name: value for name, value in request.items() if value is not None}

    return build


def error_of(control: Any, operation: str, **request: Any) -> dict[str, Any]:
    """The error that an operation answers with; fails where it succeeds."""
    with pytest.raises(control.exceptions.ClientError) as caught:
        getattr(control, operation)(**request)
    response: dict[str, Any] = caught.value.response
    return response


def test_a_new_gateway_passes_through_creating(aws: Any, control: Any, request_for: Any) -> None:
    """CreateGateway answers 202 with CREATING and the URL; a moment later the gateway is READY."""
    request = request_for(name=unique("Gw"), description="for tests")
    made = control.create_gateway(**request)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert made["status"] == "CREATING"
    assert made["gatewayId"].startswith(request["name"].lower() + "-")
    assert made["gatewayUrl"].startswith("https://127.0.0.1:")
    assert made["gatewayUrl"].endswith("/mcp")
    ready = aws.wait_for_status(lambda: control.get_gateway(gatewayIdentifier=made["gatewayId"]))
    assert ready["authorizerConfiguration"]["customJWTAuthorizer"]["allowedClients"] == [CLIENT]
    assert ready["workloadIdentityDetails"]["workloadIdentityArn"].endswith(f"/workload-identity/{made['gatewayId']}")
    remove_gateway(control, made["gatewayId"])


def test_the_same_client_token_makes_one_gateway(control: Any, request_for: Any) -> None:
    """Sending a create again, after an answer was lost, returns the gateway that it made."""
    request = request_for(clientToken=str(uuid.uuid4()))
    first, second = control.create_gateway(**request), control.create_gateway(**request)
    assert first["gatewayId"] == second["gatewayId"]
    remove_gateway(control, first["gatewayId"])


def test_a_client_token_with_other_parameters(control: Any, request_for: Any) -> None:
    """A token belongs to one request; another request with the same token is refused and changes nothing."""
    request = request_for(clientToken=str(uuid.uuid4()))
    made = control.create_gateway(**request)
    error = error_of(control, "create_gateway", **{**request, "description": "other"})
    assert error["Error"]["Code"] == "ValidationException"
    assert error["reason"] == "IdempotentParameterMismatchException"
    remove_gateway(control, made["gatewayId"])


def test_a_client_token_is_free_after_its_gateway(control: Any, request_for: Any) -> None:
    """Deploying the same thing again after its removal works."""
    request = request_for(clientToken=str(uuid.uuid4()))
    first = control.create_gateway(**request)
    remove_gateway(control, first["gatewayId"])
    while any(each["gatewayId"] == first["gatewayId"] for each in control.list_gateways()["items"]):
        time.sleep(0.01)
    second = control.create_gateway(**request)
    assert second["gatewayId"] != first["gatewayId"]
    remove_gateway(control, second["gatewayId"])


def test_a_name_is_taken(control: Any, gateway: Any, request_for: Any) -> None:
    """Names are unique in an account."""
    error = error_of(control, "create_gateway", **request_for(name=gateway["name"]))
    assert (error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]) == ("ConflictException", 409)


def test_a_role_that_does_not_exist(control: Any, request_for: Any) -> None:
    """AgentCore tries the role when a gateway is created."""
    error = error_of(control, "create_gateway", **request_for(roleArn="arn:aws:iam::123456789012:role/nobody"))
    assert error["Error"]["Code"] == "ValidationException"
    assert error["fieldList"][0]["name"] == "roleArn"


@pytest.mark.parametrize(
    "statement",
    [
        {"Principal": {"Service": "ec2.amazonaws.com"}},
        {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:gateway/another-*"}}},
        {"Effect": "Deny"},
    ],
    ids=["another service", "another account", "another gateway", "denied"],
)
def test_a_role_that_does_not_trust_the_gateway(control: Any, request_for: Any, make_role: Any, statement: Any) -> None:
    """The role's trust policy decides, with its conditions."""
    trust = {**TRUST, "Statement": [{**TRUST["Statement"][0], **statement}]}
    error = error_of(control, "create_gateway", **request_for(roleArn=make_role(trust=trust)))
    assert "trust policy" in error["Error"]["Message"]


@pytest.mark.parametrize(
    ("changes", "member"),
    [
        ({"name": "under_score"}, "name"),
        ({"name": "n" * 49}, "name"),
        ({"description": ""}, "description"),
        ({"description": "d" * 201}, "description"),
        ({"clientToken": "too-short"}, "clientToken"),
        ({"authorizerType": "JWT"}, "authorizerType"),
        ({"protocolType": "HTTP"}, "protocolType"),
        ({"exceptionLevel": "INFO"}, "exceptionLevel"),
        ({"roleArn": "role/gateway"}, "roleArn"),
        ({"tags": {"a!": "b"}}, "tags.key"),
        ({"protocolConfiguration": {"mcp": {"searchType": "LEXICAL"}}}, "protocolConfiguration.mcp.searchType"),
        ({"protocolConfiguration": {"mcp": {"supportedVersions": ["2024-11-05"]}}}, "protocolConfiguration.mcp.supportedVersions"),
        ({"authorizerConfiguration": None}, "authorizerConfiguration"),
    ],
)
def test_what_breaks_a_constraint(control: Any, request_for: Any, changes: Any, member: str) -> None:
    """botocore sends it; AWS refuses it and names the member."""
    error = error_of(control, "create_gateway", **request_for(**changes))
    assert error["Error"]["Code"] == "ValidationException"
    assert error["reason"] == "FieldValidationFailed"
    assert [each["name"] for each in error["fieldList"]] == [member]


@pytest.mark.parametrize(
    "changes",
    [{"discoveryUrl": "https://issuer/openid"}, {"allowedClients": []}, {"allowedClients": None}, {"allowedScopes": ["a b"]}],
    ids=["no discovery document", "empty list", "nothing restricted", "a space in a scope"],
)
def test_an_authorizer_that_aws_refuses(control: Any, request_for: Any, issuer: Any, changes: Any) -> None:
    """An authorizer names a discovery document and whom it allows."""
    request = request_for(**jwt_authorizer(issuer))
    parts = request["authorizerConfiguration"]["customJWTAuthorizer"]
    request["authorizerConfiguration"]["customJWTAuthorizer"] = {
        name: value for name, value in {**parts, **changes}.items() if value is not None
    }
    assert error_of(control, "create_gateway", **request)["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize("kind", ["AWS_IAM", "AUTHENTICATE_ONLY"])
def test_what_can_not_be_enforced_here(control: Any, request_for: Any, kind: str) -> None:
    """An authorizer that this AWS lacks is refused by name, and not accepted and ignored."""
    error = error_of(control, "create_gateway", **request_for(authorizerType=kind, authorizerConfiguration=None))
    assert "not supported by the local AWS" in error["Error"]["Message"]


def test_an_update_replaces_everything(aws: Any, control: Any, gateway: Any, role_arn: str, issuer: Any) -> None:
    """A setting that UpdateGateway omits is reset; the id, ARN and URL stay."""
    common = {"gatewayIdentifier": gateway["gatewayId"], "name": gateway["name"], "roleArn": role_arn, **jwt_authorizer(issuer)}
    control.update_gateway(**common, description="described", exceptionLevel="DEBUG")
    described = aws.wait_for_status(lambda: control.get_gateway(gatewayIdentifier=gateway["gatewayId"]))
    assert (described["description"], described["exceptionLevel"]) == ("described", "DEBUG")
    assert control.update_gateway(**common)["status"] == "UPDATING"
    reset = aws.wait_for_status(lambda: control.get_gateway(gatewayIdentifier=gateway["gatewayId"]))
    assert "description" not in reset
    assert "exceptionLevel" not in reset
    assert [reset[each] for each in ("gatewayId", "gatewayArn", "gatewayUrl")] == [
        gateway[each] for each in ("gatewayId", "gatewayArn", "gatewayUrl")
    ]


def test_an_update_before_a_gateway_is_ready(slow_control: Any, request_for: Any) -> None:
    """A gateway that is being created or updated can't be updated."""
    request = request_for()
    made = slow_control.create_gateway(**request)
    error = error_of(slow_control, "update_gateway", gatewayIdentifier=made["gatewayId"], **request)
    assert error["Error"]["Code"] == "ConflictException"
    assert "CREATING" in error["Error"]["Message"]


@pytest.mark.parametrize(
    "changes", [{"name": "another"}, {"protocolConfiguration": {"mcp": {"searchType": "SEMANTIC"}}}], ids=["name", "searchType"]
)
def test_what_only_creation_decides(control: Any, gateway: Any, role_arn: str, issuer: Any, changes: Any) -> None:
    """A gateway's name stays, and search can't be added later."""
    request = {"gatewayIdentifier": gateway["gatewayId"], "name": gateway["name"], "roleArn": role_arn, **jwt_authorizer(issuer)}
    assert error_of(control, "update_gateway", **{**request, **changes})["Error"]["Code"] == "ValidationException"


def test_lists_come_in_pages(control: Any, make_gateway: Any) -> None:
    """boto3's own paginator sees every gateway once."""
    made = {make_gateway()["gatewayId"] for _ in range(3)}
    pages = list(control.get_paginator("list_gateways").paginate(PaginationConfig={"PageSize": 1}))
    seen = [item["gatewayId"] for page in pages for item in page["items"]]
    assert made <= set(seen)
    assert len(seen) == len(set(seen))
    assert all(len(page["items"]) == 1 for page in pages)
    assert error_of(control, "list_gateways", nextToken="invented")["Error"]["Code"] == "ValidationException"


def test_deleting_a_gateway(control: Any, make_gateway: Any) -> None:
    """It is DELETING, then gone, and nothing listens where it was."""
    gateway = make_gateway()
    assert control.delete_gateway(gatewayIdentifier=gateway["gatewayId"])["status"] == "DELETING"
    host, port = gateway["gatewayUrl"].removeprefix("https://").removesuffix("/mcp").split(":")
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))):
                break
        time.sleep(0.01)
    else:
        pytest.fail("the endpoint still listens")
    assert error_of(control, "get_gateway", gatewayIdentifier=gateway["gatewayId"])["Error"]["Code"] == "ResourceNotFoundException"


def test_a_gateway_with_targets_stays(control: Any, gateway: Any, make_target: Any) -> None:
    """AWS's message says what to do."""
    make_target(gateway)
    assert error_of(control, "delete_gateway", gatewayIdentifier=gateway["gatewayId"])["Error"] == {
        "Code": "ConflictException",
        "Message": f"Gateway with ID: {gateway['gatewayId']} has targets associated with it. "
        "Delete all targets before deleting the gateway.",
    }


def test_a_gateway_has_a_workload_identity(control: Any, gateway: Any) -> None:
    """It is named as the gateway's id, and the list shows it."""
    found = control.get_workload_identity(name=gateway["gatewayId"])
    assert found["workloadIdentityArn"] == gateway["workloadIdentityDetails"]["workloadIdentityArn"]
    names = [each["name"] for each in control.list_workload_identities()["workloadIdentities"]]
    assert gateway["gatewayId"] in names
