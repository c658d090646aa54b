"""The assistant accepts valid tokens only, decided with real keys and a real JWKS endpoint."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time

import pytest
from agent_https import Authority, connect
from agent_issuer import CALLER_CLIENT, CALLER_SCOPE, GATEWAY_CLIENT, Issuer, new_key
from joserfc.jwk import RSAKey

from sre_agent.jwt import FRESH_FOR, Caller, Denial, Keys, Verifier
from sre_agent.oidc import Discovery


def checked(issuer: Issuer, authority: Authority, *authorizations: str | None) -> list[Caller | Denial]:
    """Return the decisions of one verifier about each header, one after the other."""

    async def run() -> list[Caller | Denial]:
        async with connect(authority) as http:
            discovery = Discovery(http, issuer.discovery_url)
            verifier = Verifier(Keys(http, discovery), discovery, client_id=CALLER_CLIENT, scope=CALLER_SCOPE)
            return [await verifier.check(header) for header in authorizations]

    return asyncio.run(run())


def test_a_good_token(issuer: Issuer, authority: Authority) -> None:
    """A token of the caller client with the caller scope is accepted, in any case of the scheme."""
    token = issuer.token()
    assert checked(issuer, authority, f"Bearer {token}", f"bearer {token}") == [Caller(CALLER_CLIENT, CALLER_CLIENT)] * 2


def _part(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer  ", "Basic YTpi"])
def test_no_token(issuer: Issuer, authority: Authority, header: str | None) -> None:
    """Without a bearer token the answer is 401, and the challenge names no error."""
    (denial,) = checked(issuer, authority, header)
    assert denial == Denial("missing_token")
    assert (denial.status, denial.challenge) == (401, "Bearer")


def test_a_token_signed_by_another_key(issuer: Issuer, authority: Authority) -> None:
    """A key that the issuer does not publish proves nothing, even under a known key id."""
    stranger = new_key()
    known_id = type(stranger).import_key({**stranger.as_dict(private=True), "kid": issuer.keys[-1].kid})
    assert (
        checked(issuer, authority, f"Bearer {issuer.token(key=stranger)}", f"Bearer {issuer.token(key=known_id)}")
        == [Denial("invalid_token")] * 2
    )


def test_algorithm_confusion(issuer: Issuer, authority: Authority) -> None:
    """Only RS256 counts: not a MAC made with the public key, not `none`, not another RSA algorithm."""
    signed_part = f"{_part({'alg': 'HS256', 'kid': issuer.keys[-1].kid})}.{issuer.token().split('.')[1]}"
    digest = hmac.digest(issuer.keys[-1].as_pem(private=False), signed_part.encode(), "sha256")
    mac = f"{signed_part}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
    unsigned = f"{_part({'alg': 'none', 'kid': issuer.keys[-1].kid})}.{issuer.token().split('.')[1]}."
    published = issuer.keys[-1].as_dict(private=True)
    other = issuer.token(key=RSAKey.import_key({name: value for name, value in published.items() if name != "alg"}), algorithm="RS512")
    assert checked(issuer, authority, f"Bearer {mac}", f"Bearer {unsigned}", f"Bearer {other}") == [Denial("invalid_token")] * 3


@pytest.mark.parametrize(
    ("changes", "reason", "status"),
    [
        ({"exp": int(time.time()) - 60}, "expired_token", 401),
        ({"exp": None}, "invalid_token", 401),
        ({"exp": "tomorrow"}, "invalid_token", 401),
        ({"nbf": int(time.time()) + 3600}, "invalid_token", 401),
        ({"iss": "https://elsewhere.example"}, "invalid_token", 401),
        ({"token_use": "id"}, "invalid_token", 401),
        ({"client_id": GATEWAY_CLIENT}, "wrong_client", 401),
        ({"client_id": None}, "wrong_client", 401),
        ({"scope": "sre-agent/gateway.invoke"}, "insufficient_scope", 403),
        ({"scope": f"{CALLER_SCOPE}.more"}, "insufficient_scope", 403),
    ],
)
def test_claims_that_do_not_fit(issuer: Issuer, authority: Authority, changes: dict[str, object], reason: str, status: int) -> None:
    """Each claim is checked, and the reason is a fixed word."""
    (denial,) = checked(issuer, authority, f"Bearer {issuer.token(**changes)}")
    assert isinstance(denial, Denial)
    assert (denial.reason, denial.status) == (reason, status)


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c", "....", "é.é.é", "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "[" * 2000])
def test_garbage(issuer: Issuer, authority: Authority, token: str) -> None:
    """A text that is no token is refused, and breaks nothing."""
    assert checked(issuer, authority, f"Bearer {token}") == [Denial("invalid_token")]


def test_a_key_that_was_rotated(issuer: Issuer, authority: Authority) -> None:
    """A new key is found by reading the key set again; a flood of unknown key ids reads it once."""
    issuer.keys.append(new_key())
    before = issuer.asked.count("jwks")
    strangers = [f"Bearer {issuer.token(key=new_key())}" for _ in range(3)]
    decisions = checked(issuer, authority, *strangers, f"Bearer {issuer.token()}")
    assert decisions[:3] == [Denial("invalid_token")] * 3
    assert isinstance(decisions[3], Caller)
    assert issuer.asked.count("jwks") == before + 1


def test_a_key_that_the_issuer_has_withdrawn(issuer: Issuer, authority: Authority) -> None:
    """Its tokens are accepted for five minutes at most, also when no token names another key."""
    moment, key = [1000.0], new_key()
    issuer.keys.append(key)
    token = f"Bearer {issuer.token(key=key)}"

    async def run() -> list[Caller | Denial]:
        async with connect(authority) as http:
            discovery = Discovery(http, issuer.discovery_url)
            keys = Keys(http, discovery, now=lambda: moment[0])
            verifier = Verifier(keys, discovery, client_id=CALLER_CLIENT, scope=CALLER_SCOPE)
            seen = [await verifier.check(token)]
            issuer.keys.remove(key)
            for seconds in (FRESH_FOR - 1, 2):
                moment[0] += seconds
                seen.append(await verifier.check(token))
            return seen

    accepted = Caller(CALLER_CLIENT, CALLER_CLIENT)
    assert asyncio.run(run()) == [accepted, accepted, Denial("invalid_token")]
