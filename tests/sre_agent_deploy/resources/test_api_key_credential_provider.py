"""API key credential providers: where the key is, never the key."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.resources.api_key_credential_provider import ApiKeyCredentialProvider

from .agentcore_neighbours import provider, secret_arn
from .conftest import Marked
from .life import check_life_cycle, check_repair, create, drift, read, refused

__all__ = ["provider", "secret_arn"]


def test_a_provider_from_creation_to_deletion(aws: Aws, marked: Marked, provider: ApiKeyCredentialProvider) -> None:
    """It is made as declared, found by its tags, and goes without a trace; the secret stays."""
    check_life_cycle(aws, provider, marked("provider"))
    assert aws.client("secretsmanager").describe_secret(SecretId=str(provider.secret_arn)).get("DeletedDate") is None


def test_the_outputs_of_a_provider(aws: Aws, marked: Marked, provider: ApiKeyCredentialProvider) -> None:
    """The ARN is AgentCore's own answer, and an output names the secret with the key; no output has the key."""
    id = create(aws, provider, marked("provider"))
    answer = aws.client("bedrock-agentcore-control").get_api_key_credential_provider(name=id)
    assert read(aws, provider, id).outputs == {
        "provider_arn": answer["credentialProviderArn"],
        "provider_name": id,
        "secret_arn": provider.secret_arn,
        "json_key": provider.json_key,
    }


def test_where_a_provider_of_another_owner_has_its_key(aws: Aws, provider: ApiKeyCredentialProvider) -> None:
    """In a secret that AgentCore manages: what the gateway sends is there, and the backends must ask for the same."""
    name = "team-backends"
    aws.client("bedrock-agentcore-control").create_api_key_credential_provider(name=name, apiKey="the team's own key")
    found = ApiKeyCredentialProvider.read(aws, name, "provider")
    assert found
    kept = json.loads(aws.client("secretsmanager").get_secret_value(SecretId=str(found.outputs["secret_arn"]))["SecretString"])
    assert kept[str(found.outputs["json_key"])] == "the team's own key"
    aws.client("bedrock-agentcore-control").delete_api_key_credential_provider(name=name)


def test_a_provider_that_differs(aws: Aws, marked: Marked, provider: ApiKeyCredentialProvider) -> None:
    """The secret's key that it hands out is repaired in place."""
    check_repair(aws, provider, create(aws, provider, marked("provider")), json_key="other_key")


def test_a_provider_with_a_key_of_its_own(aws: Aws, marked: Marked, provider: ApiKeyCredentialProvider) -> None:
    """A copy of the key in a secret that AgentCore manages is a difference, and is taken back."""
    id = create(aws, provider, marked("provider"))
    aws.client("bedrock-agentcore-control").update_api_key_credential_provider(name=id, apiKey="typed in by hand")
    assert "secret_arn" in {entry.field for entry in drift(aws, provider, id)}
    provider.configure(aws, id)
    assert drift(aws, provider, id) == ()


def test_a_provider_of_another_owner(aws: Aws, marked: Marked, provider: ApiKeyCredentialProvider, deployment: str) -> None:
    """It is seen by its name, known to be a stranger's, and its name can't be taken."""
    aws.client("bedrock-agentcore-control").create_api_key_credential_provider(name=provider.provider_name, apiKey="a stranger's")
    assert read(aws, provider, provider.natural_id(aws)).owner(deployment) == "stranger"
    assert ApiKeyCredentialProvider.owned(aws, deployment) == ()
    assert refused(aws, provider, marked("provider")).code == "AGENTCORE-PROVIDER-EXISTS"


@pytest.mark.parametrize("wrong", ["secret", "key"])
def test_a_provider_without_a_key(aws: Aws, marked: Marked, provider: ApiKeyCredentialProvider, wrong: str) -> None:
    """A secret that is not there, or has no such key, is refused before anything depends on it."""
    missing = replace(provider, json_key="no_such_key") if wrong == "key" else replace(provider, secret_arn=f"{provider.secret_arn}x")
    problem = refused(aws, missing, marked("provider"))
    assert problem.code == "AGENTCORE-PROVIDER-SECRET"
    assert str(missing.secret_arn) in problem.why


def test_deleting_a_provider_twice(aws: Aws, marked: Marked, provider: ApiKeyCredentialProvider) -> None:
    """Deleting it again changes nothing."""
    id = create(aws, provider, marked("provider"))
    ApiKeyCredentialProvider.delete(aws, id)
    ApiKeyCredentialProvider.delete(aws, id)
    assert ApiKeyCredentialProvider.read(aws, id, "provider") is None
