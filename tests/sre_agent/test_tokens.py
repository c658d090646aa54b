"""Tokens are asked for once, renewed in time, and never shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from agent_https import Authority, connect
from agent_issuer import GATEWAY_CLIENT, GATEWAY_SCOPE, Issuer

from sre_agent import transport
from sre_agent.oidc import Discovery
from sre_agent.tokens import Client, TokenSource
from sre_core.problem import Refused
from sre_core.secret import Secret


@pytest.fixture
def short_lived(issuer: Issuer) -> Iterator[Issuer]:
    """The issuer while its tokens are good for two seconds."""
    usual, issuer.lifetime = issuer.lifetime, 0
    yield issuer
    issuer.lifetime = usual


def with_source[T](
    issuer: Issuer, authority: Authority, use: Callable[[TokenSource], Awaitable[T]], *, secret: str = "", scope: str = GATEWAY_SCOPE
) -> T:
    """Return the result of `use` with a token source of the gateway's client."""

    async def run() -> T:
        async with connect(authority) as http:
            client = Client(GATEWAY_CLIENT, Secret(secret or issuer.secrets[GATEWAY_CLIENT]), scope)
            return await use(TokenSource(http, Discovery(http, issuer.discovery_url), client))

    return asyncio.run(run())


@pytest.mark.parametrize("known", [True, False], ids=["with the prefix", "without"])
def test_a_custom_domain_without_a_record(issuer: Issuer, authority: Authority, known: bool) -> None:
    """While the shown endpoint can't be connected to, tokens come from the pool's prefix; without one, the Problem names the endpoint."""
    issuer.shown_endpoint = "https://auth.example.invalid/oauth2/token"

    async def run() -> Secret:
        async with connect(authority) as http:
            client = Client(GATEWAY_CLIENT, Secret(issuer.secrets[GATEWAY_CLIENT]), GATEWAY_SCOPE)
            prefix = f"{issuer.url}/oauth2/token" if known else ""
            return await TokenSource(http, Discovery(http, issuer.discovery_url), client, prefix).token()

    try:
        if known:
            assert asyncio.run(run()).reveal()
        else:
            with pytest.raises(Refused, match=r"auth\.example\.invalid"):
                asyncio.run(run())
    finally:
        issuer.shown_endpoint = ""


def test_an_untrusted_custom_domain(issuer: Issuer, authority: Authority, tmp_path: Path) -> None:
    """A certificate that is not trusted is reported: no token is requested at the prefix instead, though it would be issued there."""
    before = issuer.asked.count("token")

    async def run() -> Secret:
        async with connect(authority) as http:
            client = Client(GATEWAY_CLIENT, Secret(issuer.secrets[GATEWAY_CLIENT]), GATEWAY_SCOPE)
            return await TokenSource(http, Discovery(http, issuer.discovery_url), client, f"{issuer.url}/oauth2/token").token()

    with Issuer.running(Authority.create(tmp_path)) as strange:
        issuer.shown_endpoint = f"{strange.url}/oauth2/token"
        try:
            with pytest.raises(Refused) as refused:
                asyncio.run(run())
        finally:
            issuer.shown_endpoint = ""
    assert refused.value.problems[0].code == "OIDC-TLS-NOT-VERIFIED"
    assert issuer.asked.count("token") == before


def test_many_askers(issuer: Issuer, authority: Authority) -> None:
    """Twenty who ask at once share one token and one request."""
    before = issuer.asked.count("token")

    async def use(source: TokenSource) -> list[Secret]:
        return await asyncio.gather(*(source.token() for _ in range(20)))

    tokens = with_source(issuer, authority, use)
    assert len({token.reveal() for token in tokens}) == 1
    assert issuer.asked.count("token") == before + 1


def test_a_token_that_is_about_to_expire(short_lived: Issuer, authority: Authority) -> None:
    """A token too old to be used is replaced before it is given out."""
    before = short_lived.asked.count("token")

    async def use(source: TokenSource) -> None:
        await source.token()
        await source.token()

    with_source(short_lived, authority, use)
    assert short_lived.asked.count("token") == before + 2


def test_a_token_that_a_server_refused(issuer: Issuer, authority: Authority) -> None:
    """Only the token that was refused is dropped, not its replacement."""

    async def use(source: TokenSource) -> int:
        first = await source.token()
        await source.forget(first)
        await source.token()
        count = issuer.asked.count("token")
        await source.forget(Secret("another"))
        await source.token()
        return issuer.asked.count("token") - count

    assert with_source(issuer, authority, use) == 0


@pytest.mark.parametrize(("secret", "scope", "reason"), [("wrong", GATEWAY_SCOPE, "invalid_client"), ("", "other/scope", "invalid_scope")])
def test_a_client_that_is_refused(issuer: Issuer, authority: Authority, secret: str, scope: str, reason: str) -> None:
    """The Problem says what the issuer said and what to do, and holds no secret."""

    async def use(source: TokenSource) -> Secret:
        return await source.token()

    with pytest.raises(Refused) as refused:
        with_source(issuer, authority, use, secret=secret, scope=scope)
    (problem,) = refused.value.problems
    assert problem.code == "AUTH-NO-TOKEN"
    assert reason in problem.why
    assert issuer.secrets[GATEWAY_CLIENT] not in str(problem)


def test_an_issuer_that_is_not_trusted(issuer: Issuer) -> None:
    """Without its authority nothing is sent, and the Problem says that the certificate is the matter."""

    async def run() -> None:
        async with transport.create_client() as http:
            await Discovery(http, issuer.discovery_url).issuer()

    with pytest.raises(Refused) as refused:
        asyncio.run(run())
    assert refused.value.problems[0].code == "OIDC-TLS-NOT-VERIFIED"


def test_a_page_that_is_no_discovery_document(issuer: Issuer, authority: Authority) -> None:
    """JSON without an issuer is named as what it is."""

    async def run() -> None:
        async with connect(authority) as http:
            await Discovery(http, f"{issuer.url}/pool/.well-known/jwks.json").issuer()

    with pytest.raises(Refused) as refused:
        asyncio.run(run())
    assert refused.value.problems[0].code == "OIDC-NOT-A-DISCOVERY-DOCUMENT"
