"""App clients: a program's own id and secret, and no other way to a token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.later import Ref, text
from sre_agent_deploy.resources.cognito_app_client import AppClient
from sre_agent_deploy.resources.cognito_resource_server import ResourceServer
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_core.secret import Secret

from .conftest import Marked
from .life import check_life_cycle, check_repair, create, drift, read, refused

SCOPES = ("sre-agent/gateway.invoke", "sre-agent/assistant.invoke")


@pytest.fixture
def client(aws: Aws, marked: Marked, deployment: str) -> AppClient:
    pool = create(aws, UserPool(name="user_pool", pool_name=f"{deployment}-users"), marked("user_pool"))
    scopes = (("gateway.invoke", "Call tools"), ("assistant.invoke", "Ask"))
    create(aws, ResourceServer(name="server", user_pool_id=pool, identifier="sre-agent", scopes=scopes), marked("server"))
    return AppClient(name="gateway_client", user_pool_id=pool, client_name=f"{deployment}-gateway", scopes=SCOPES)


def _described(aws: Aws, id: str) -> Any:
    pool, _, client = id.partition("/")
    return aws.client("cognito-idp").describe_user_pool_client(UserPoolId=pool, ClientId=client)["UserPoolClient"]


def _update(aws: Aws, id: str, **settings: Any) -> None:
    pool, _, client = id.partition("/")
    aws.client("cognito-idp").update_user_pool_client(UserPoolId=pool, ClientId=client, **settings)


def test_a_client_from_creation_to_deletion(aws: Aws, marked: Marked, client: AppClient) -> None:
    """It is made as declared, found under its pool, and goes without a trace."""
    check_life_cycle(aws, client, marked("gateway_client"))


def test_the_id_of_a_client(aws: Aws, marked: Marked, client: AppClient) -> None:
    """A client is found again by its name in the pool, so that none is made twice."""
    assert client.natural_id(aws) == ""
    assert create(aws, client, marked("gateway_client")) == client.natural_id(aws)


def test_the_secret_of_a_client(aws: Aws, marked: Marked, client: AppClient) -> None:
    """It is the one that Cognito made, and can't be shown or written by accident."""
    id = create(aws, client, marked("gateway_client"))
    found = read(aws, client, id)
    secret = found.outputs["client_secret"]
    assert isinstance(secret, Secret)
    assert secret.reveal() == _described(aws, id)["ClientSecret"]
    assert secret.reveal() not in repr(found)
    assert found.outputs["client_id"] == id.partition("/")[2]


def test_what_a_client_may_do(aws: Aws, marked: Marked, client: AppClient) -> None:
    """It gets tokens by its secret and in no other way: no password, no browser."""
    described = _described(aws, create(aws, client, marked("gateway_client")))
    assert described["AllowedOAuthFlows"] == ["client_credentials"]
    assert described["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
    assert not described.get("CallbackURLs")


def test_a_client_that_differs(aws: Aws, marked: Marked, client: AppClient) -> None:
    """Name, scopes and times become what is declared, and the secret stays."""
    id = create(aws, client, marked("gateway_client"))
    secret = _described(aws, id)["ClientSecret"]
    check_repair(aws, client, id, scopes=SCOPES[:1], token_minutes=5, client_name="renamed")
    assert _described(aws, id)["ClientSecret"] == secret


def test_a_client_that_was_opened_by_hand(aws: Aws, marked: Marked, client: AppClient) -> None:
    """A client that also takes passwords is another client, until it is configured again."""
    id = create(aws, client, marked("gateway_client"))
    _update(aws, id, ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])
    assert "auth_flows" in {entry.field for entry in drift(aws, client, id)}
    client.configure(aws, id)
    assert drift(aws, client, id) == ()


def test_settings_of_a_client_that_are_not_ours(aws: Aws, marked: Marked, client: AppClient) -> None:
    """Configuring keeps settings of another owner: UpdateUserPoolClient alone would reset them."""
    id = create(aws, client, marked("gateway_client"))
    kept = {"TokenValidityUnits": {"IdToken": "minutes", "AccessToken": "minutes"}, "IdTokenValidity": 30, "AuthSessionValidity": 7}
    _update(aws, id, AccessTokenValidity=10, **kept)
    client.configure(aws, id)
    assert {key: _described(aws, id)[key] for key in kept} == kept
    assert drift(aws, client, id) == ()


def test_token_times_in_every_unit(aws: Aws, marked: Marked, client: AppClient) -> None:
    """A time that was set by hand in another unit is understood."""
    id = create(aws, client, marked("gateway_client"))
    for number, unit, minutes in ((2, "hours", 120), (1, "days", 1440), (900, "seconds", 15), (30, "minutes", 30)):
        _update(aws, id, AccessTokenValidity=number, TokenValidityUnits={"AccessToken": unit})
        assert read(aws, client, id).seen.token_minutes == minutes


def test_a_client_without_token_times(aws: Aws, marked: Marked, client: AppClient) -> None:
    """Cognito's own default is an hour."""
    pool = str(client.user_pool_id)
    made = aws.client("cognito-idp").create_user_pool_client(UserPoolId=pool, ClientName="plain")["UserPoolClient"]["ClientId"]
    assert read(aws, client, f"{pool}/{made}").seen.token_minutes == 60


def test_a_scope_that_is_not_known_yet(aws: Aws) -> None:
    """Scopes may name a resource server to come, in any order."""
    later = text("{server}/gateway.invoke", server=Ref("resource_server", "identifier"))
    one = AppClient(name="c", user_pool_id=Ref("user_pool", "user_pool_id"), client_name="c", scopes=(later, "a/b"))
    assert one == replace(one, scopes=("a/b", later))
    assert one.natural_id(aws) == ""


def test_a_scope_of_no_resource_server(aws: Aws, marked: Marked, client: AppClient) -> None:
    """The creation is refused, and the problem names the scope."""
    problem = refused(aws, replace(client, scopes=("nobody/knows",)), marked("gateway_client"))
    assert problem.code == "COGNITO-SCOPE-MISSING"
    assert "nobody/knows" in problem.what
