"""A real issuer, a real gateway and real TLS on loopback, for every test of the assistant."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the parts beside this file, which are no tests

from agent_asking import Investigate
from agent_backends import tools_and_backend
from agent_gateway import Gateway
from agent_https import BUSY, Authority, connect
from agent_issuer import GATEWAY_CLIENT, SCOPES, Issuer

from sre_agent.assistant import Assistant
from sre_agent.oidc import Discovery
from sre_agent.reasoners import Reasoner
from sre_agent.reasoners.rules.reasoner import Rules
from sre_agent.report import Report
from sre_agent.tokens import BearerAuth, Client, TokenSource
from sre_core.secret import Secret


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority of this test run."""
    return Authority.create(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def issuer(authority: Authority) -> Iterator[Issuer]:
    """A token issuer as Cognito is one, with keys of this test run."""
    with Issuer.running(authority) as running:
        yield running


@pytest.fixture(scope="session")
def gateway(authority: Authority, issuer: Issuer) -> Iterator[Gateway]:
    """One gateway for all investigations; each puts its own recording behind it."""
    with Gateway.running(*tools_and_backend("healthy"), issuer, authority) as running:
        yield running


@pytest.fixture
def investigate(gateway: Gateway, authority: Authority, issuer: Issuer) -> Investigate:
    """`broken` names targets whose backend answers 500."""

    def ask(recording: str, prompt: str = "What is wrong?", *, broken: Collection[str] = (), reasoner: Reasoner | None = None) -> Report:
        _, backend = tools_and_backend(recording)

        async def some(tool: str, arguments: Mapping[str, Any]) -> tuple[int, str]:
            return (500, "broken") if tool.partition("___")[0] in broken else await backend(tool, arguments)

        async def run() -> Report:
            http = connect(authority)
            client = Client(GATEWAY_CLIENT, Secret(issuer.secrets[GATEWAY_CLIENT]), SCOPES[GATEWAY_CLIENT])
            auth = BearerAuth(TokenSource(http, Discovery(http, issuer.discovery_url), client))
            gateway_http = connect(authority, auth)
            assistant = Assistant(gateway.url, gateway_http, http, reasoner=reasoner or Rules(), call_seconds=BUSY)
            try:
                return await assistant.investigate(prompt)
            finally:
                await assistant.close()

        gateway.backend = some
        return asyncio.run(run())

    return ask
