"""A client's calls through a gateway, as the client and the backend see them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from embedded_aws.authority import LocalAuthority

from .conftest import API_KEY, PERMISSIONS, openapi, unique

OPAQUE = {"isError": True, "content": [{"type": "text", "text": "An internal error occurred. Please retry later."}]}


@pytest.fixture
def debugging(make_gateway: Any) -> Any:
    """A gateway whose owner wants to see what goes wrong."""
    return make_gateway(exceptionLevel="DEBUG")


def text_of(result: Any) -> str:
    return str(result["content"][0]["text"])


def test_a_tool_call_reaches_the_backend(gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """The operation is called with its arguments in place and the API key; the client's own token stays here."""
    make_target(gateway)
    result = caller_of(gateway).call("pods___get_pod_status", pod_name="web/1 ü", namespace="prod", limit=5)
    assert result == {"isError": False, "content": [{"type": "text", "text": '{"status": "Running"}'}]}
    (request,) = api.requests
    assert (request["method"], request["path"], request["query"]) == ("GET", "/pods/web%2F1%20%C3%BC", "namespace=prod&limit=5")
    assert request["headers"]["x-api-key"] == API_KEY
    assert "authorization" not in request["headers"]
    assert "cookie" not in request["headers"]


def test_a_body(gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """An object's properties are arguments; they are sent as JSON, and unknown arguments are not sent."""
    make_target(gateway)
    caller_of(gateway).call("pods___add_note", text="hé", labels=["a"], invented=True)
    (request,) = api.requests
    assert json.loads(request["body"]) == {"text": "hé", "labels": ["a"]}
    assert request["headers"]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("key", "seen"),
    [
        ({}, ("x-api-key", API_KEY, "")),
        ({"credentialPrefix": "Token"}, ("x-api-key", f"Token {API_KEY}", "")),
        ({"credentialParameterName": "Authorization", "credentialPrefix": "Bearer"}, ("authorization", f"Bearer {API_KEY}", "")),
        ({"credentialLocation": "QUERY_PARAMETER", "credentialParameterName": "api key"}, ("", "", f"limit=5&api%20key={API_KEY}")),
    ],
)
def test_where_the_key_goes(*, gateway: Any, make_target: Any, caller_of: Any, api: Any, key: Any, seen: Any) -> None:
    """A header or a query parameter of any name, with or without a prefix."""
    make_target(gateway, key=key)
    assert caller_of(gateway).call("pods___search_logs", limit=5)["isError"] is False
    (request,) = api.requests
    header, value, query = seen
    assert request["headers"].get(header, "") == value
    assert request["query"] == (query or "limit=5")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "- Missing required field(s): 'pod_name'"),
        ({"pod_name": 7}, "Field 'pod_name': 7 is not of type 'string'"),
        ({"pod_name": "a", "namespace": "test"}, "Field 'namespace': 'test' is not one of ['prod', 'dev']"),
        ({"pod_name": "a", "limit": 101}, "Field 'limit': 101 is greater than the maximum of 100"),
        ({"pod_name": ".."}, "Field 'pod_name': not a path segment"),
        ({"pod_name": ""}, "Field 'pod_name': not a path segment"),
    ],
)
def test_arguments_that_do_not_fit(*, gateway: Any, make_target: Any, caller_of: Any, api: Any, arguments: Any, says: str) -> None:
    """They are refused with AgentCore's text, for any caller to see, and nothing is sent."""
    make_target(gateway)
    result = caller_of(gateway).call("pods___get_pod_status", **arguments)
    assert result["isError"] is True
    assert text_of(result).startswith("ValidationException - Parameter validation failed: Invalid request parameters:\n")
    assert says in text_of(result)
    assert api.requests == []


def test_a_tool_that_does_not_exist(gateway: Any, make_target: Any, caller_of: Any) -> None:
    """An error of the protocol, not of a tool."""
    make_target(gateway)
    assert caller_of(gateway).rpc("tools/call", {"name": "pods___invented"})["error"]["message"] == "Unknown tool: pods___invented"
    assert caller_of(gateway).rpc("tools/call", {})["error"]["code"] == -32602


@pytest.mark.parametrize(("status", "says"), [(400, "Client error"), (404, "Client error"), (500, "Server error"), (302, "Redirects")])
def test_a_backend_that_fails(*, debugging: Any, make_target: Any, caller_of: Any, api: Any, status: int, says: str) -> None:
    """With DEBUG the caller sees the status and the body, twice; redirects count as failures and are not followed."""
    target = make_target(debugging)
    api.status, api.body, api.headers = status, b'{"error": "no"}', [(b"location", b"https://127.0.0.1/elsewhere")]
    result = caller_of(debugging).call("pods___search_logs")
    assert result["isError"] is True
    assert text_of(result).startswith(f"OpenAPIClientException - Error executing HTTP request for {target['targetId']}: {says}")
    assert text_of(result).endswith(f'status: {status} - {{"error": "no"}}')
    assert result["_meta"]["debug"] == {"type": "text", "text": text_of(result)}
    assert len(api.requests) == 1


def test_a_backend_that_fails_without_debug(gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """Without DEBUG nothing of what is behind the gateway is shown."""
    make_target(gateway)
    api.status, api.body = 500, b"secret internals"
    assert caller_of(gateway).call("pods___search_logs") == OPAQUE


def test_an_answer_that_is_too_large(debugging: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """Six megabytes are the most that passes through."""
    make_target(debugging)
    api.body = b"x" * (6 * 1024 * 1024 + 1)
    assert "larger than 6 MB" in text_of(caller_of(debugging).call("pods___search_logs"))


def test_a_backend_that_is_gone(debugging: Any, make_target: Any, caller_of: Any, api: Any, aws: Any) -> None:
    """A refused connection is a tool's error; the gateway lives on."""
    make_target(debugging, document=openapi(api.url.rsplit(":", 1)[0] + ":9"))
    assert "can't be reached" in text_of(caller_of(debugging).call("pods___search_logs"))


def test_a_certificate_that_nobody_vouches_for(debugging: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """Without the private CA in its configuration a target's server is not trusted, and the key not sent."""
    make_target(debugging, certificateConfigurations=None)
    assert "certificate was not accepted" in text_of(caller_of(debugging).call("pods___search_logs"))
    assert api.requests == []


def test_a_certificate_for_another_name(
    *, aws: Any, debugging: Any, make_target: Any, caller_of: Any, api: Any, private_ca: LocalAuthority
) -> None:
    """The name in the URL must be in the certificate, although the connection goes to the address that it has here."""
    zone = unique("zone") + ".example"
    route53 = aws.client("route53")
    zone_id = route53.create_hosted_zone(Name=zone, CallerReference=zone)["HostedZone"]["Id"]
    address, port = api.url.removeprefix("https://").split(":")
    record = {"Name": f"api.{zone}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": address}]}
    route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
    make_target(debugging, document=openapi(f"https://api.{zone}:{port}"))
    assert "certificate was not accepted" in text_of(caller_of(debugging).call("pods___search_logs"))
    assert api.requests == []


def test_a_name_of_this_aws(*, aws: Any, debugging: Any, make_target: Any, caller_of: Any, api: Any, private_ca: LocalAuthority) -> None:
    """A name from Route 53 is called at its address, with the name in SNI, Host and certificate."""
    zone = unique("zone") + ".example"
    route53 = aws.client("route53")
    zone_id = route53.create_hosted_zone(Name=zone, CallerReference=zone)["HostedZone"]["Id"]
    with aws.https(api, private_ca, f"api.{zone}") as url:
        address, port = url.removeprefix("https://").split(":")
        record = {"Name": f"api.{zone}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": address}]}
        route53.change_resource_record_sets(
            HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        )
        make_target(debugging, document=openapi(f"https://api.{zone}:{port}"))
        assert caller_of(debugging).call("pods___search_logs")["isError"] is False
    assert api.requests[0]["headers"]["host"] == f"api.{zone}:{port}"


@pytest.mark.parametrize(
    "server",
    [
        "https://169.254.169.254/latest",
        "https://127.0.0.1:1",
        "https://10.0.0.1",
        "https://[::1]:1",
        "https://metadata.internal",
        "https://2130706433",
    ],
)
def test_where_a_gateway_must_not_go(debugging: Any, make_target: Any, caller_of: Any, server: str) -> None:
    """Only addresses of this AWS's own instances are called; neither metadata nor this machine nor its network."""
    make_target(debugging, document=openapi(server))
    assert "The request was not sent" in text_of(caller_of(debugging).call("pods___search_logs"))


@pytest.mark.parametrize(
    "missing", ["bedrock-agentcore:GetResourceApiKey", "bedrock-agentcore:GetWorkloadAccessToken", "secretsmanager:GetSecretValue"]
)
def test_a_role_that_may_not_get_the_key(
    *, make_gateway: Any, make_role: Any, make_target: Any, caller_of: Any, api: Any, missing: str
) -> None:
    """The target is READY and listed, and every call fails: as on AWS, only a call shows it."""
    statement = PERMISSIONS["Statement"][0]
    lacking = {**PERMISSIONS, "Statement": [{**statement, "Action": [each for each in statement["Action"] if each != missing]}]}
    gateway = make_gateway(roleArn=make_role(permissions=lacking), exceptionLevel="DEBUG")
    make_target(gateway)
    caller = caller_of(gateway)
    assert len(caller.rpc("tools/list")["result"]["tools"]) == 3
    assert f"not authorized to perform {missing}" in text_of(caller.call("pods___search_logs"))
    assert api.requests == []


def test_a_provider_that_is_gone(control: Any, provider: Any, debugging: Any, make_target: Any, caller_of: Any) -> None:
    """A target keeps its provider's ARN; when the provider is gone its calls fail."""
    make_target(debugging)
    control.delete_api_key_credential_provider(name=provider["name"])
    result = caller_of(debugging).call("pods___search_logs")
    assert "does not exist" in text_of(result)
    assert API_KEY not in json.dumps(result)


def test_the_narrowest_role_that_works(make_gateway: Any, make_role: Any, make_target: Any, caller_of: Any, provider: Any) -> None:
    """Each resource named: the identity and its directory, the provider and its vault, the one secret."""
    arn = provider["credentialProviderArn"]
    account = arn.partition(":token-vault")[0]
    directory = f"{account}:workload-identity-directory/default"
    identity = [directory, f"{directory}/workload-identity/narrow-*"]
    statements = [
        {"Effect": "Allow", "Action": "bedrock-agentcore:GetWorkloadAccessToken", "Resource": identity},
        {
            "Effect": "Allow",
            "Action": "bedrock-agentcore:GetResourceApiKey",
            "Resource": [*identity, f"{account}:token-vault/default", arn],
        },
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": provider["apiKeySecretArn"]["secretArn"]},
    ]
    role = make_role(permissions={"Version": "2012-10-17", "Statement": statements})
    gateway = make_gateway(name=unique("narrow"), roleArn=role)
    make_target(gateway)
    assert caller_of(gateway).call("pods___search_logs")["isError"] is False


def test_a_key_that_its_owner_changes(*, aws: Any, control: Any, gateway: Any, make_target: Any, caller_of: Any, api: Any) -> None:
    """With an EXTERNAL secret a new key is used a moment after it was stored, and no target has to be touched."""
    secrets, name = aws.client("secretsmanager"), unique("own-key")
    secret = secrets.create_secret(Name=name, SecretString=json.dumps({"api_key": "first"}))
    reference = {"secretId": secret["ARN"], "jsonKey": "api_key"}
    made = control.create_api_key_credential_provider(name=name, apiKeySecretSource="EXTERNAL", apiKeySecretConfig=reference)
    make_target(gateway, key={"providerArn": made["credentialProviderArn"]})
    caller = caller_of(gateway)
    caller.call("pods___search_logs")
    secrets.put_secret_value(SecretId=secret["ARN"], SecretString=json.dumps({"api_key": "second"}))
    for _ in range(300):
        caller.call("pods___search_logs")
        if api.requests[-1]["headers"]["x-api-key"] == "second":
            break
        time.sleep(0.02)
    assert [api.requests[0]["headers"]["x-api-key"], api.requests[-1]["headers"]["x-api-key"]] == ["first", "second"]
    control.delete_api_key_credential_provider(name=name)
