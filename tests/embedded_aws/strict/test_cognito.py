"""Cognito as strict as AWS: each row of what moto lets pass, over the wire."""

from __future__ import annotations

import re
import uuid
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.acm import import_certificate
from fixtures.embedded import EmbeddedAws


@pytest.fixture
def cognito(embedded: EmbeddedAws) -> Any:
    return embedded.client("cognito-idp")


@pytest.fixture
def pool_id(cognito: Any) -> str:
    return str(cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"])


def prefix() -> str:
    return f"domain-{uuid.uuid4().hex[:10]}"


def test_a_pool_with_a_domain_stays(cognito: Any, pool_id: str) -> None:
    """The domain goes first."""
    domain = prefix()
    cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=domain)
    with pytest.raises(ClientError, match=r"InvalidParameterException.*domain"):
        cognito.delete_user_pool(UserPoolId=pool_id)

    cognito.delete_user_pool_domain(UserPoolId=pool_id, Domain=domain)
    cognito.delete_user_pool(UserPoolId=pool_id)


def test_a_protected_pool_stays(cognito: Any) -> None:
    """DeletionProtection is honoured until it is taken off."""
    pool_id = cognito.create_user_pool(PoolName="protected", DeletionProtection="ACTIVE")["UserPool"]["Id"]
    with pytest.raises(ClientError, match=r"InvalidParameterException.*protection"):
        cognito.delete_user_pool(UserPoolId=pool_id)

    cognito.update_user_pool(UserPoolId=pool_id, DeletionProtection="INACTIVE")
    cognito.delete_user_pool(UserPoolId=pool_id)


def test_a_domain_belongs_to_one_pool(cognito: Any, pool_id: str) -> None:
    """A prefix that is taken is refused, for another pool and for the same one."""
    domain, other = prefix(), cognito.create_user_pool(PoolName="other")["UserPool"]["Id"]
    cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=domain)
    for taker in (other, pool_id):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            cognito.create_user_pool_domain(UserPoolId=taker, Domain=domain)


def test_a_pool_has_one_prefix_domain(cognito: Any, pool_id: str) -> None:
    """A second one is refused."""
    cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=prefix())
    with pytest.raises(ClientError, match="InvalidParameterException"):
        cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=prefix())


def test_a_client_can_only_have_scopes_that_exist(cognito: Any, pool_id: str) -> None:
    """The resource server comes before the client."""
    with pytest.raises(ClientError, match="ScopeDoesNotExistException"):
        cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="c", GenerateSecret=True, AllowedOAuthScopes=["api/read"])


def test_client_credentials_need_a_secret(cognito: Any, pool_id: str) -> None:
    """A machine that has no secret can prove nothing."""
    with pytest.raises(ClientError, match="InvalidOAuthFlowException"):
        cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="c", AllowedOAuthFlows=["client_credentials"])


def test_an_update_of_a_client_resets_what_it_omits(cognito: Any, pool_id: str) -> None:
    """An update of one setting must name them all."""
    cognito.create_resource_server(
        UserPoolId=pool_id, Identifier="api", Name="api", Scopes=[{"ScopeName": "read", "ScopeDescription": "r"}]
    )
    created = cognito.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="c",
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=["api/read"],
        AllowedOAuthFlowsUserPoolClient=True,
    )["UserPoolClient"]
    cognito.update_user_pool_client(UserPoolId=pool_id, ClientId=created["ClientId"], AccessTokenValidity=2)
    client = cognito.describe_user_pool_client(UserPoolId=pool_id, ClientId=created["ClientId"])["UserPoolClient"]

    assert not client.get("AllowedOAuthScopes")
    assert client["AllowedOAuthFlowsUserPoolClient"] is False
    assert client["ClientName"] == "c"
    assert client["ClientSecret"] == created["ClientSecret"]
    assert client["AccessTokenValidity"] == 2


def test_resource_servers_are_updated_and_deleted(cognito: Any, pool_id: str) -> None:
    """The two operations that moto lacks."""
    scopes = [{"ScopeName": "read", "ScopeDescription": "r"}, {"ScopeName": "write", "ScopeDescription": "w"}]
    cognito.create_resource_server(UserPoolId=pool_id, Identifier="api", Name="api", Scopes=scopes[:1])
    cognito.update_resource_server(UserPoolId=pool_id, Identifier="api", Name="renamed", Scopes=scopes)
    described = cognito.describe_resource_server(UserPoolId=pool_id, Identifier="api")["ResourceServer"]

    assert (described["Name"], described["Scopes"]) == ("renamed", scopes)
    cognito.delete_resource_server(UserPoolId=pool_id, Identifier="api")
    assert cognito.list_resource_servers(UserPoolId=pool_id, MaxResults=10)["ResourceServers"] == []


def test_two_pools_of_one_name(cognito: Any, pool_id: str) -> None:
    """As on AWS a second pool of the same name succeeds: only its tag tells it apart."""
    assert cognito.create_user_pool(PoolName="pool")["UserPool"]["Id"] != pool_id


def test_tags_of_a_pool(cognito: Any) -> None:
    """They are set at its creation, changed later, and returned by both operations."""
    pool = cognito.create_user_pool(PoolName="tagged", UserPoolTags={"one": "1", "two": "2"})["UserPool"]
    cognito.tag_resource(ResourceArn=pool["Arn"], Tags={"three": "3"})
    cognito.untag_resource(ResourceArn=pool["Arn"], TagKeys=["one"])

    expected = {"two": "2", "three": "3"}
    assert cognito.list_tags_for_resource(ResourceArn=pool["Arn"])["Tags"] == expected
    assert cognito.describe_user_pool(UserPoolId=pool["Id"])["UserPool"]["UserPoolTags"] == expected


@pytest.mark.parametrize("domain", ["Upper", "has_underscore", "-hyphen", "my-aws-domain", "cognito-users"])
def test_a_domain_that_aws_would_not_take(cognito: Any, pool_id: str, domain: str) -> None:
    """Its pattern and AWS's own names are checked."""
    with pytest.raises(ClientError, match="InvalidParameterException"):
        cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=domain)


def test_a_domain_of_the_owners_own(embedded: EmbeddedAws, cognito: Any, pool_id: str, tmp_path: Path) -> None:
    """It is shown apart from the prefix, and a pool may have both."""
    own, domain = f"login.{prefix()}.com", prefix()
    certificate = import_certificate(embedded.client("acm"), own, tmp_path)
    cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=own, CustomDomainConfig={"CertificateArn": certificate})
    cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=domain)
    pool = cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]
    assert (pool["Domain"], pool["CustomDomain"]) == (domain, own)


@pytest.mark.parametrize("name", ["sub", "custom:team"])
def test_an_attribute_that_the_pool_does_not_take(cognito: Any, pool_id: str, name: str) -> None:
    """The id that Cognito gives, and one that is not in the schema before it is defined."""
    given = [{"Name": name, "Value": "x"}]
    with pytest.raises(cognito.exceptions.InvalidParameterException):
        cognito.admin_create_user(UserPoolId=pool_id, Username="ann", UserAttributes=given)
    cognito.admin_create_user(UserPoolId=pool_id, Username="ann", UserAttributes=[{"Name": "email", "Value": "ann@example.com"}])
    with pytest.raises(cognito.exceptions.InvalidParameterException):
        cognito.admin_update_user_attributes(UserPoolId=pool_id, Username="ann", UserAttributes=given)


def test_ids_look_like_awss(cognito: Any, pool_id: str) -> None:
    """Ids have AWS's form: a pool's is its region and nine characters, a client's has 26."""
    assert re.fullmatch(r"us-east-1_[0-9A-Za-z]{9}", pool_id)
    client_id = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="client")["UserPoolClient"]["ClientId"]
    assert re.fullmatch(r"[0-9a-z]{26}", client_id)


@pytest.mark.parametrize(
    "refused",
    [
        lambda cognito, pool: cognito.update_user_pool(UserPoolId=pool, Policies={"PasswordPolicy": {"MinimumLength": 100}}),
        lambda cognito, _: cognito.create_user_pool(PoolName="p", Policies={"PasswordPolicy": {"TemporaryPasswordValidityDays": 366}}),
        lambda cognito, pool: cognito.set_user_pool_mfa_config(
            UserPoolId=pool, MfaConfiguration="OFF", SoftwareTokenMfaConfiguration={"Enabled": True}
        ),
    ],
    ids=["a longer password than any", "a later end than any", "a method of no MFA"],
)
def test_settings_that_cognito_would_not_take(cognito: Any, pool_id: str, refused: Any) -> None:
    """They are refused as invalid parameters."""
    with pytest.raises(ClientError, match="InvalidParameterException"):
        refused(cognito, pool_id)
