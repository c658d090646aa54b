"""Faults that exist only where the assistant runs: verification names their hop from there, once, and what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from agent_backends import tools_and_backend
from agent_gateway import Gateway
from agent_https import BUSY, Authority, connect, https
from agent_issuer import CALLER_CLIENT, CALLER_SCOPE, GATEWAY_CLIENT, GATEWAY_SCOPE, Issuer
from agent_running import assistant_app
from starlette.applications import Starlette

from sre_agent.connectivity import Connectivity, Way
from sre_agent.tokens import Client as OwnClient
from sre_agent_deploy.checks import run_checks
from sre_agent_deploy.checks.verification.endpoint_client import Client, Endpoints
from sre_agent_deploy.checks.verification.services import HopsFromAssistant, InvestigationAnswers
from sre_agent_deploy.report.report import find_causes, prove_hops_from_assistant
from sre_core.hops import HOPS
from sre_core.secret import Secret

TRIED = HOPS[:-1]


@pytest.fixture(scope="module")
def gateway(authority: Authority, issuer: Issuer) -> Iterator[Gateway]:
    tools, backend = tools_and_backend("crash-loop")
    with Gateway.running(tools, backend, issuer, authority) as running:
        yield running


@contextmanager
def mute(authority: Authority) -> Iterator[str]:
    """Accept connections with TLS, and close each without a word."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    context.wrap_socket(connection, server_side=True).close()
                except ssl.SSLError:
                    continue
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/mcp"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@contextmanager
def closed(_: Authority) -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        yield f"https://127.0.0.1:{taken.getsockname()[1]}/mcp"


@contextmanager
def untrusted(authority: Authority, folder: Any) -> Iterator[str]:
    with https(Starlette(), Authority.create(folder)) as url:
        yield f"{url}/mcp"


def addresses(url: str, issuer: Issuer, authority: Authority) -> Endpoints:
    """The addresses under which the deployer verifies: from here, login and assistant work."""
    unused = Client("", Secret(""), "")
    caller = Client(CALLER_CLIENT, Secret(issuer.secrets[CALLER_CLIENT]), CALLER_SCOPE)
    return Endpoints(url, "127.0.0.1", "", issuer.discovery_url, unused, caller, (str(authority.ca_file),), BUSY)


@contextmanager
def settings(authority: Authority, folder: Any, fault: str, gateway: Gateway) -> Iterator[dict[str, str]]:
    """The settings of a machine on which one thing is wrong."""
    if fault == "no name server":
        yield {"gateway_url": "https://gateway.invalid/mcp"}
    elif fault == "wrong secret":
        yield {"secret": "another"}
    elif fault == "another gateway":
        yield {"gateway_url": gateway.url.replace("/mcp", "/other")}
    elif fault == "issuer out of reach":
        with closed(authority) as url:
            yield {"discovery_url": url}
    else:
        opened = {
            "no way out": closed(authority),
            "strange certificate": untrusted(authority, folder),
            "closed by a firewall": mute(authority),
        }
        with opened[fault] as url:
            yield {"gateway_url": url}


@pytest.mark.parametrize(
    ("fault", "hop", "parts"),
    [
        ("no name server", "dns", "gateway"),
        ("no way out", "tcp", "gateway"),
        ("issuer out of reach", "tcp", "login"),
        ("strange certificate", "tls", "gateway"),
        ("closed by a firewall", "http", "gateway"),
        ("wrong secret", "token", "login"),
        ("another gateway", "gateway", "gateway"),
    ],
)
def test_a_fault_of_the_machine(
    gateway: Gateway, issuer: Issuer, authority: Authority, tmp_path: Any, fault: str, hop: str, parts: str
) -> None:
    """The check fails at that hop, the hops before it work from there, and the investigation's failure is its effect, not another cause."""
    with settings(authority, tmp_path, fault, gateway) as given:
        app = assistant_app(given.pop("gateway_url", gateway.url), issuer, authority, **given)
        with https(app, authority) as url:
            findings = run_checks((HopsFromAssistant(), InvestigationAnswers()), addresses(url, issuer, authority))
    [cause] = find_causes(findings)
    assert (cause.problem.code, cause.hop, cause.problem.context["part"]) == ("ASSISTANT-HOP-BROKEN", hop, parts)
    assert cause.problem.what.startswith(f"From the instance, hop {hop} does not work: ")
    assert set(cause.checks) == {"assistant.hops", "assistant.investigation"}
    assert len(cause.problem.do) == 2
    works = [name for name, proven in prove_hops_from_assistant(findings).items() if proven]
    # While it can't check tokens, it refuses everybody, and shows no hop.
    assert works == ([] if parts == "login" and hop == "tcp" else list(HOPS[: HOPS.index(hop)]))
    secrets = {*issuer.secrets.values(), "another"}
    assert not [secret for secret in secrets if secret in str(findings)]


def test_targets_and_backends(gateway: Gateway, issuer: Issuer, authority: Authority) -> None:
    """A target without tools, and a backend that fails, are named from there; where nothing is wrong, every hop works."""
    tools, backend = gateway.tools, gateway.backend

    async def failing(name: str, arguments: Mapping[str, Any]) -> tuple[int, str]:
        return (500, "no key") if name.startswith("logs") else await backend(name, arguments)

    client = OwnClient(GATEWAY_CLIENT, Secret(issuer.secrets[GATEWAY_CLIENT]), GATEWAY_SCOPE)
    way = Way(gateway.url, issuer.discovery_url, client, lambda auth: connect(authority, auth), call_seconds=BUSY)

    async def run() -> list[Any]:
        found = [await Connectivity(way).report()]
        gateway.tools = [tool for tool in tools if not tool.name.startswith("metrics___")]
        found.append(await Connectivity(way).report())
        gateway.tools, gateway.backend = tools, failing
        return [*found, await Connectivity(way).report()]

    try:
        good, missing, broken = asyncio.run(run())
    finally:
        gateway.tools, gateway.backend = tools, backend
    assert good == {"works": list(TRIED)}
    assert (missing["broken"]["hop"], missing["broken"]["parts"]) == ("target", ("metrics",))
    assert (broken["broken"]["hop"], broken["broken"]["parts"]) == ("backend", ("logs",))
    assert "no key" in broken["broken"]["why"]


def test_many_who_ask(gateway: Gateway, issuer: Issuer, authority: Authority) -> None:
    """Any number of requests within some seconds tries the hops once; without a token there is no answer."""
    with https(assistant_app(gateway.url, issuer, authority), authority) as url:

        async def run() -> list[int]:
            async with connect(authority) as http:
                question, given = {"input": {"check": "connectivity"}}, {"authorization": f"Bearer {issuer.token()}"}
                refused = await http.post(f"{url}/invocations", json=question)
                gateway.calls.clear()
                answers = [await http.post(f"{url}/invocations", json=question, headers=given) for _ in range(5)]
                return [refused.status_code, *(answer.status_code for answer in answers)]

        assert asyncio.run(run()) == [401, *[200] * 5]
        assert len(gateway.calls) == 4
