"""A gateway accepts valid tokens only, and each refusal has an answer and exactly one event."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from .conftest import CLIENT, SCOPE, jwt_authorizer

LIST = {"jsonrpc": "2.0", "id": "the-id", "method": "tools/list"}


@pytest.fixture
def denials(capfd: pytest.CaptureFixture[str]) -> Any:
    """The security events since the last look."""

    def look() -> list[Any]:
        return [json.loads(line) for line in capfd.readouterr().err.splitlines() if "security.access_denied" in line]

    return look


def wrong_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "first"})


TOKENS: dict[str, tuple[Any, str]] = {
    "no token": (lambda issuer: "", "missing_token"),
    "no JWT": (lambda issuer: "abc", "invalid_token"),
    "three dots and nothing": (lambda issuer: "..", "invalid_token"),
    "expired": (lambda issuer: issuer.token(exp=int(time.time()) - 1), "expired_token"),
    "no expiry": (lambda issuer: issuer.token(exp=None), "invalid_token"),
    "not yet valid": (lambda issuer: issuer.token(nbf=int(time.time()) + 3600), "invalid_token"),
    "another client": (lambda issuer: issuer.token(client_id="another"), "wrong_client"),
    "no client": (lambda issuer: issuer.token(client_id=None), "wrong_client"),
    "another issuer": (lambda issuer: issuer.token(iss="https://elsewhere"), "invalid_token"),
    "signed by another key": (lambda issuer: issuer.token(key=wrong_key()), "invalid_token"),
    "an unknown key": (lambda issuer: issuer.token(key=RSAKey.generate_key(2048, {"kid": "unknown"})), "invalid_token"),
    "the public key as HMAC secret": (lambda issuer: signed_by_hand(issuer, "HS256", issuer.key.as_pem(private=False)), "invalid_token"),
    "no signature": (lambda issuer: signed_by_hand(issuer, "none", b""), "invalid_token"),
    "too long": (lambda issuer: issuer.token(filler="x" * 20_000), "invalid_token"),
}


def signed_by_hand(issuer: Any, algorithm: str, secret: bytes) -> str:
    """A token as an attacker makes it: libraries refuse to write these."""
    header = {"alg": algorithm, "kid": "first"}
    claims = {"iss": issuer.url, "client_id": CLIENT, "exp": int(time.time()) + 300}
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims))
    signature = hmac.digest(secret, text.encode(), "sha256") if secret else b""
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


@pytest.mark.parametrize("kind", TOKENS)
def test_a_caller_who_is_not_let_in(shared_gateway: Any, issuer: Any, caller_of: Any, denials: Any, kind: str) -> None:
    """401 with the request's own id, where to get a token, and one event with a reason and no token in it."""
    make, reason = TOKENS[kind]
    token = make(issuer)
    denials()
    answer = caller_of(shared_gateway, token).post(LIST)
    host = shared_gateway["gatewayUrl"].removesuffix("/mcp")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        f'Bearer error="invalid_token", resource_metadata="{host}/.well-known/oauth-protected-resource"'
    )
    assert answer.json() == {"jsonrpc": "2.0", "id": "the-id", "error": {"code": -32001, "message": "Invalid Bearer token"}}
    (event,) = denials()
    assert (event["status_detail"], event["unmapped"]["gateway_id"]) == (reason, shared_gateway["gatewayId"])
    assert event["http_request"]["url"]["path"] == "/mcp"
    assert event["metadata"]["correlation_uid"] == answer.headers["x-amzn-requestid"]
    assert not token or token not in json.dumps(event)


def test_a_token_without_the_scope(make_gateway: Any, issuer: Any, caller_of: Any, denials: Any) -> None:
    """The token is good and not enough: 403, and the scopes that would be."""
    gateway = make_gateway(**jwt_authorizer(issuer, allowedScopes=[SCOPE]))
    denials()
    answer = caller_of(gateway, issuer.token(scope="tests/other")).post(LIST)
    assert answer.status_code == 403
    assert f'error="insufficient_scope", scope="{SCOPE}"' in answer.headers["www-authenticate"]
    assert [event["status_detail"] for event in denials()] == ["insufficient_scope"]
    assert caller_of(gateway, issuer.token(scope=f"a {SCOPE}")).post(LIST).status_code == 200


def test_an_audience(make_gateway: Any, issuer: Any, caller_of: Any) -> None:
    """With allowedAudience, `aud` decides, one or many; machine tokens without `aud` are refused, as on AWS."""
    gateway = make_gateway(**jwt_authorizer(issuer, allowedAudience=["mine"]))
    statuses = [
        caller_of(gateway, issuer.token(**claims)).post(LIST).status_code
        for claims in ({"aud": "mine"}, {"aud": ["other", "mine"]}, {"aud": "other"}, {})
    ]
    assert statuses == [200, 200, 401, 401]


def test_a_token_ends_while_it_is_known(shared_gateway: Any, issuer: Any, caller_of: Any) -> None:
    """A token that was accepted before is refused once it has expired."""
    for seconds in (4, 16, 64):  # on a busy machine the first call may take seconds
        ends = int(time.time()) + seconds
        caller = caller_of(shared_gateway, issuer.token(exp=ends))
        if accepted := caller.post(LIST).status_code == 200:
            break
    assert accepted
    time.sleep(ends + 0.1 - time.time())
    assert caller.post(LIST).status_code == 401


def test_a_key_that_the_issuer_has_just_begun_to_use(shared_gateway: Any, issuer: Any, caller_of: Any) -> None:
    """An unknown key id is looked up again, and not more than once a second."""
    caller_of(shared_gateway).post(LIST)
    rotated = RSAKey.generate_key(2048, {"kid": "second"})
    invented = [issuer.token(key=RSAKey.import_key(rotated.as_dict(private=True), {"kid": f"invented-{number}"})) for number in range(5)]
    issuer.published.append(rotated)
    time.sleep(1.1)
    before, began = len(issuer.fetches), time.monotonic()
    assert caller_of(shared_gateway, issuer.token(key=rotated)).post(LIST).status_code == 200
    assert {caller_of(shared_gateway, token).post(LIST).status_code for token in invented} == {401}
    # A look is two requests: the discovery document and the keys. On a slow machine there is time for a second look.
    assert len(issuer.fetches) - before <= 2 * (1 + int(time.monotonic() - began))
    issuer.published.remove(rotated)


def test_the_metadata_needs_no_token(make_gateway: Any, issuer: Any, http: Any) -> None:
    """RFC 9728: how a client that has no token learns where to get one."""
    gateway = make_gateway(**jwt_authorizer(issuer, allowedScopes=[SCOPE]))
    host = gateway["gatewayUrl"].removesuffix("/mcp")
    assert http.get(f"{host}/.well-known/oauth-protected-resource").json() == {
        "authorization_servers": [issuer.url],
        "resource": gateway["gatewayUrl"],
        "scopes_supported": [SCOPE],
    }


def test_another_clients_after_an_update(*, aws: Any, control: Any, gateway: Any, role_arn: str, issuer: Any, caller_of: Any) -> None:
    """The allowed clients are looked up at each request, not cached with the token."""
    caller = caller_of(gateway)
    assert caller.post(LIST).status_code == 200
    names = {"gatewayIdentifier": gateway["gatewayId"], "name": gateway["name"], "roleArn": role_arn}
    control.update_gateway(**names, **jwt_authorizer(issuer, allowedClients=["others-only"]))
    assert caller.post(LIST).status_code == 401
    assert CLIENT != "others-only"


def test_an_open_gateway(make_gateway: Any, caller_of: Any) -> None:
    """authorizerType NONE asks for nothing; Host and Origin are still looked at."""
    caller = caller_of(make_gateway(authorizerType="NONE", authorizerConfiguration=None), "")
    assert caller.post(LIST).status_code == 200
    assert caller.post(LIST, headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        ({"host": "evil.example"}, 421, "foreign_host"),
        ({"host": "127.0.0.1:1"}, 421, "foreign_host"),
        ({"origin": "https://evil.example"}, 403, "foreign_origin"),
        ({"origin": "null"}, 403, "foreign_origin"),
    ],
)
def test_a_page_on_another_site(*, shared_gateway: Any, caller_of: Any, denials: Any, headers: Any, status: int, reason: str) -> None:
    """Neither a page of another origin nor a name that was pointed here reaches a gateway, even with a good token."""
    denials()
    answer = caller_of(shared_gateway).post(LIST, headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers
    assert [event["status_detail"] for event in denials()] == [reason]


def test_the_gateways_own_origin(shared_gateway: Any, caller_of: Any) -> None:
    """A request that names the gateway itself as its origin is no stranger's."""
    own = shared_gateway["gatewayUrl"].removesuffix("/mcp")
    assert caller_of(shared_gateway).post(LIST, headers={"origin": own}).status_code == 200


def test_an_issuer_outside_this_aws(make_gateway: Any, issuer: Any, caller_of: Any) -> None:
    """A discovery URL elsewhere is not called: no gateway becomes a way out of this machine."""
    gateway = make_gateway(**jwt_authorizer(issuer, discoveryUrl="https://192.0.2.1/.well-known/openid-configuration"))
    assert caller_of(gateway).post(LIST).status_code == 401
