"""Cognito's OAuth endpoints over the wire: discovery, keys and machine tokens."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from fixtures.embedded import EmbeddedAws


@dataclass(frozen=True)
class Pool:
    """A pool with a domain, a resource server of two scopes, and a machine client that is allowed one of them."""

    aws: EmbeddedAws
    pool_id: str
    domain: str
    client_id: str
    client_secret: str

    @property
    def token_endpoint(self) -> str:
        return str(self.discovery()["token_endpoint"])

    def discovery(self) -> dict[str, Any]:
        status, document = get(self.aws, f"{self.aws.endpoint}/{self.pool_id}/.well-known/openid-configuration")
        assert status == 200
        return document

    def ask(self, **changed: str | None) -> tuple[int, dict[str, Any]]:
        """Ask for a token by client_secret_post; a None leaves a field out."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret, "scope": "api/read"}
        fields = {name: value for name, value in {**form, **changed}.items() if value is not None}
        return get(self.aws, self.token_endpoint, urllib.parse.urlencode(fields).encode())


def get(aws: EmbeddedAws, url: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, body, {name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=aws.ca_file)) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


def new_pool(aws: EmbeddedAws, **client: Any) -> Pool:
    cognito, domain = aws.client("cognito-idp"), f"domain-{uuid.uuid4().hex[:10]}"
    pool_id = cognito.create_user_pool(PoolName="machines")["UserPool"]["Id"]
    scopes = [{"ScopeName": name, "ScopeDescription": name} for name in ("read", "write")]
    cognito.create_resource_server(UserPoolId=pool_id, Identifier="api", Name="api", Scopes=scopes)
    cognito.create_user_pool_domain(UserPoolId=pool_id, Domain=domain)
    settings = {
        "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthFlowsUserPoolClient": True,
        "AllowedOAuthScopes": ["api/read"],
        "GenerateSecret": True,
        **client,
    }
    made = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="machine", **settings)["UserPoolClient"]
    return Pool(aws, pool_id, domain, made["ClientId"], made.get("ClientSecret", ""))


@pytest.fixture(scope="session")
def pool(embedded: EmbeddedAws) -> Pool:
    return new_pool(embedded)


def test_discovery_says_where_everything_is(pool: Pool) -> None:
    """Issuer, keys and token endpoint; the endpoint is the domain's own."""
    document = pool.discovery()

    assert document["issuer"] == f"{pool.aws.endpoint}/{pool.pool_id}"
    assert document["jwks_uri"] == f"{pool.aws.endpoint}/{pool.pool_id}/.well-known/jwks.json"
    assert pool.domain in document["token_endpoint"]


def test_a_pool_without_a_domain_has_no_token_endpoint(embedded: EmbeddedAws) -> None:
    """As on AWS, the domain is what brings the OAuth endpoints."""
    pool_id = embedded.client("cognito-idp").create_user_pool(PoolName="no domain")["UserPool"]["Id"]
    _, document = get(embedded, f"{embedded.endpoint}/{pool_id}/.well-known/openid-configuration")

    assert "token_endpoint" not in document


def test_what_does_not_exist_has_no_documents(embedded: EmbeddedAws) -> None:
    """Neither a pool nor a domain is made up."""
    assert get(embedded, f"{embedded.endpoint}/us-east-1_Absent/.well-known/jwks.json")[0] == 400
    assert get(embedded, f"{embedded.endpoint}/oauth2-domains/absent/oauth2/token", b"grant_type=client_credentials")[0] == 404


def claims(pool: Pool, token: str) -> dict[str, Any]:
    """The claims, once the signature is verified with the keys that discovery points to."""
    _, keys = get(pool.aws, pool.discovery()["jwks_uri"])
    verified = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"])  # type: ignore[arg-type]
    return dict(verified.claims)


def test_a_machine_gets_a_token(pool: Pool) -> None:
    """Its claims are those of Cognito's machine tokens: no audience, and the client as subject."""
    status, answer = pool.ask()
    found = claims(pool, answer["access_token"])

    assert status == 200
    assert answer["token_type"] == "Bearer"
    assert answer["expires_in"] == 3600
    assert set(found) == {"sub", "token_use", "scope", "auth_time", "iss", "exp", "iat", "version", "jti", "client_id"}
    assert found["sub"] == found["client_id"] == pool.client_id
    assert (found["iss"], found["token_use"], found["scope"], found["version"]) == (pool.discovery()["issuer"], "access", "api/read", 2)
    assert found["exp"] - found["iat"] == 3600


def test_two_tokens_differ(pool: Pool) -> None:
    """Each has an id of its own."""
    assert pool.ask()[1]["access_token"] != pool.ask()[1]["access_token"]


def test_the_secret_in_the_authorization_header(pool: Pool) -> None:
    """client_secret_basic, which most libraries use first."""
    basic = base64.b64encode(f"{pool.client_id}:{pool.client_secret}".encode()).decode()
    body = b"grant_type=client_credentials&scope=api%2Fread"

    assert get(pool.aws, pool.token_endpoint, body, Authorization=f"Basic {basic}")[0] == 200
    assert get(pool.aws, pool.token_endpoint, body, Authorization="Basic !")[1] == {"error": "invalid_client"}


def test_all_allowed_scopes_where_none_is_named(pool: Pool) -> None:
    """A request without a scope gets what its client is allowed."""
    assert claims(pool, pool.ask(scope=None)[1]["access_token"])["scope"] == "api/read"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_secret": "guessed"}, "invalid_client"),
        ({"client_secret": None}, "invalid_client"),
        ({"client_id": "unknown"}, "invalid_client"),
        ({"scope": "api/write"}, "invalid_scope"),
        ({"scope": "api/read api/absent"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "invalid_grant"),
        ({"grant_type": None}, "invalid_request"),
    ],
)
def test_refusals(pool: Pool, changed: dict[str, str | None], error: str) -> None:
    """Each is 400 with the OAuth error that Cognito answers, and no word more."""
    assert pool.ask(**changed) == (400, {"error": error})


def test_a_client_without_the_flow_is_refused(embedded: EmbeddedAws) -> None:
    """A client's own setting decides which flows it may use."""
    assert new_pool(embedded, AllowedOAuthFlows=["code"]).ask() == (400, {"error": "unauthorized_client"})
    assert new_pool(embedded, AllowedOAuthFlowsUserPoolClient=False).ask() == (400, {"error": "unauthorized_client"})
    assert new_pool(embedded, AllowedOAuthScopes=[]).ask() == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(("amount", "unit", "seconds"), [(5, "minutes", 300), (1, "days", 86400), (2, None, 7200)])
def test_tokens_live_as_long_as_the_client_says(embedded: EmbeddedAws, amount: int, unit: str | None, seconds: int) -> None:
    """AccessTokenValidity in the unit of TokenValidityUnits, hours where none is named."""
    units = {"TokenValidityUnits": {"AccessToken": unit}} if unit else {}

    assert new_pool(embedded, AccessTokenValidity=amount, **units).ask()[1]["expires_in"] == seconds


def test_each_pool_has_its_own_key(embedded: EmbeddedAws, pool: Pool) -> None:
    """A token of one pool does not verify with another's key, and no pool has moto's published key."""
    other = new_pool(embedded)
    _, keys = get(embedded, pool.discovery()["jwks_uri"])
    _, others = get(embedded, other.discovery()["jwks_uri"])

    assert keys["keys"][0]["n"] != others["keys"][0]["n"]
    assert keys["keys"][0]["kid"] not in ("dummy", others["keys"][0]["kid"])


def test_the_endpoints_take_their_own_methods_only(pool: Pool) -> None:
    """A token is never given for a GET, where it would end in logs."""
    assert get(pool.aws, pool.token_endpoint)[0] == 405
    assert get(pool.aws, pool.discovery()["jwks_uri"], b"x")[0] == 405
    assert get(pool.aws, pool.token_endpoint, b"{}", Content_Type="application/json") == (400, {"error": "invalid_request"})
