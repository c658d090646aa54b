"""API key credential providers: where a key is kept, and that it is never shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import unique

KEY = "the-key-itself-3f9a2c"


@pytest.fixture
def secret(aws: Any) -> Any:
    return aws.client("secretsmanager").create_secret(Name=unique("own"), SecretString=json.dumps({"api_key": KEY}))


def external(secret: Any, json_key: str = "api_key") -> dict[str, Any]:
    return {"apiKeySecretSource": "EXTERNAL", "apiKeySecretConfig": {"secretId": secret["ARN"], "jsonKey": json_key}}


def code_of(control: Any, operation: str, **request: Any) -> str:
    with pytest.raises(control.exceptions.ClientError) as caught:
        getattr(control, operation)(**request)
    return str(caught.value.response["Error"]["Code"])


def test_a_managed_key_lives_in_a_secret(aws: Any, control: Any) -> None:
    """The provider's answers name the secret and never hold the key; the secret goes with its provider."""
    name = unique("managed")
    made = control.create_api_key_credential_provider(name=name, apiKey=KEY, tags={"team": "sre"})
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    found = control.get_api_key_credential_provider(name=name)
    assert KEY not in repr(made) + repr(found)
    assert found["apiKeySecretSource"] == "MANAGED"
    secrets = aws.client("secretsmanager")
    text = secrets.get_secret_value(SecretId=made["apiKeySecretArn"]["secretArn"])["SecretString"]
    assert json.loads(text)[made["apiKeySecretJsonKey"]] == KEY
    assert control.delete_api_key_credential_provider(name=name)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId=made["apiKeySecretArn"]["secretArn"])


def test_an_external_secret_stays_the_callers(aws: Any, control: Any, secret: Any) -> None:
    """EXTERNAL refers to the caller's secret by ARN or name, and leaves it alone when the provider goes."""
    name = unique("external")
    made = control.create_api_key_credential_provider(name=name, **external({"ARN": secret["Name"]}))
    assert made["apiKeySecretArn"]["secretArn"] == secret["ARN"]
    assert (made["apiKeySecretSource"], made["apiKeySecretJsonKey"]) == ("EXTERNAL", "api_key")
    control.delete_api_key_credential_provider(name=name)
    assert aws.client("secretsmanager").describe_secret(SecretId=secret["ARN"])["ARN"] == secret["ARN"]


def test_a_provider_changes_its_key(aws: Any, control: Any, secret: Any) -> None:
    """An update replaces the key in the same secret, or moves to another one and removes the managed one."""
    name = unique("changing")
    before = control.create_api_key_credential_provider(name=name, apiKey="old")
    after = control.update_api_key_credential_provider(name=name, apiKey=KEY)
    assert after["apiKeySecretArn"] == before["apiKeySecretArn"]
    secrets = aws.client("secretsmanager")
    assert KEY in secrets.get_secret_value(SecretId=after["apiKeySecretArn"]["secretArn"])["SecretString"]
    moved = control.update_api_key_credential_provider(name=name, **external(secret))
    assert moved["apiKeySecretArn"]["secretArn"] == secret["ARN"]
    with pytest.raises(secrets.exceptions.ResourceNotFoundException):
        secrets.describe_secret(SecretId=before["apiKeySecretArn"]["secretArn"])
    control.delete_api_key_credential_provider(name=name)


def test_a_name_is_taken(control: Any, provider: Any) -> None:
    """Names are unique, and the first provider stays as it was."""
    assert code_of(control, "create_api_key_credential_provider", name=provider["name"], apiKey="k") == "ConflictException"
    assert control.get_api_key_credential_provider(name=provider["name"])["apiKeySecretArn"] == provider["apiKeySecretArn"]


@pytest.mark.parametrize(
    "request_without_name",
    [{}, {"apiKey": ""}, {"apiKeySecretSource": "EXTERNAL"}, {"apiKeySecretSource": "ELSEWHERE", "apiKey": "k"}],
    ids=["no key", "an empty key", "no secret", "an unknown source"],
)
def test_a_provider_without_a_key(control: Any, request_without_name: Any) -> None:
    """A provider needs a key or a secret."""
    assert code_of(control, "create_api_key_credential_provider", name=unique("p"), **request_without_name) == "ValidationException"


def test_an_external_secret_must_exist_and_have_the_key(control: Any, secret: Any) -> None:
    """Both are looked at when the provider is made."""
    absent = {"ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:absent-AbCdEf"}
    assert code_of(control, "create_api_key_credential_provider", name=unique("p"), **external(absent)) == "ResourceNotFoundException"
    assert code_of(control, "create_api_key_credential_provider", name=unique("p"), **external(secret, "other")) == "ValidationException"
    both = {**external(secret), "apiKey": KEY}
    assert code_of(control, "create_api_key_credential_provider", name=unique("p"), **both) == "ValidationException"


@pytest.mark.parametrize("name", ["with space", "dot.dot", "n" * 129])
def test_a_name_that_breaks_the_pattern(control: Any, name: str) -> None:
    """botocore sends it, AWS refuses it."""
    assert code_of(control, "create_api_key_credential_provider", name=name, apiKey="k") == "ValidationException"


def test_a_provider_that_is_gone(control: Any) -> None:
    """Every operation on it says so."""
    for operation in ("get", "update", "delete"):
        request = {"name": "gone", **({"apiKey": "k"} if operation == "update" else {})}
        assert code_of(control, f"{operation}_api_key_credential_provider", **request) == "ResourceNotFoundException"


def test_lists_come_in_pages(control: Any) -> None:
    """boto3's own paginator sees every provider once."""
    names = [unique("paged") for _ in range(3)]
    for name in names:
        control.create_api_key_credential_provider(name=name, apiKey="k")
    pages = control.get_paginator("list_api_key_credential_providers").paginate(PaginationConfig={"PageSize": 2})
    seen = [item["name"] for page in pages for item in page["credentialProviders"]]
    assert [name for name in seen if name in names] == names
    for name in names:
        control.delete_api_key_credential_provider(name=name)


def test_tags_of_gateways_and_providers(control: Any, provider: Any, make_gateway: Any) -> None:
    """Tags given at creation are there; they can be added, replaced and removed; what is gone has none."""
    gateway = make_gateway(tags={"sre-agent:deployment-id": "sre-1"})
    assert control.list_tags_for_resource(resourceArn=gateway["gatewayArn"])["tags"] == {"sre-agent:deployment-id": "sre-1"}
    arn = provider["credentialProviderArn"]
    assert control.tag_resource(resourceArn=arn, tags={"a": "1", "b": "2"})["ResponseMetadata"]["HTTPStatusCode"] == 204
    control.tag_resource(resourceArn=arn, tags={"b": "3"})
    control.untag_resource(resourceArn=arn, tagKeys=["a", "absent"])
    assert control.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "3"}
    control.delete_api_key_credential_provider(name=provider["name"])
    assert code_of(control, "list_tags_for_resource", resourceArn=arn) == "ResourceNotFoundException"
    assert code_of(control, "tag_resource", resourceArn="arn:aws:s3:::bucket", tags={"a": "b"}) == "ValidationException"
