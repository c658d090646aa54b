"""The assistant as the program that runs on a machine: a Unix socket, an environment, a credential file."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx2
from agent_backends import tools_and_backend
from agent_gateway import Gateway
from agent_https import Authority
from agent_issuer import CALLER_CLIENT, CALLER_SCOPE, GATEWAY_CLIENT, GATEWAY_SCOPE, Issuer

from fixtures.otlp import receiver
from fixtures.ports import free_port
from sre_core import tracing

COMMAND = [sys.executable, "-m", "sre_agent", "serve", "--socket"]


def environment(gateway_url: str, issuer: Issuer, authority: Authority, credentials: Path) -> dict[str, str]:
    """Return the environment that machine.json gives the assistant."""
    credentials.mkdir()
    (credentials / "gateway-client-secret").write_text(issuer.secrets[GATEWAY_CLIENT] + "\n")
    return {
        **os.environ,
        "GATEWAY_URL": gateway_url,
        "OIDC_DISCOVERY_URL": issuer.discovery_url,
        "GATEWAY_CLIENT_ID": GATEWAY_CLIENT,
        "GATEWAY_SCOPE": GATEWAY_SCOPE,
        "CALLER_CLIENT_ID": CALLER_CLIENT,
        "CALLER_SCOPE": CALLER_SCOPE,
        "CREDENTIALS_DIRECTORY": str(credentials),
        "SSL_CERT_FILE": str(authority.ca_file),
    }


def test_serving_until_sigterm(tmp_path: Path, issuer: Issuer, authority: Authority) -> None:
    """It answers on its socket with what the environment says, and ends by itself on SIGTERM."""
    path = tmp_path / "a.sock"
    tools, backend = tools_and_backend("healthy")
    with Gateway.running(tools, backend, issuer, authority) as gateway, receiver() as traced:
        environ = {**environment(gateway.url, issuer, authority, tmp_path / "credentials"), "LOGS_DIRECTORY": str(tmp_path)}
        environ[tracing.VARIABLE] = traced.url
        process = subprocess.Popen([*COMMAND, str(path)], env=environ, stderr=subprocess.PIPE)
        try:
            while not path.exists():
                assert process.poll() is None
                time.sleep(0.02)
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            answer = asyncio.run(_ask(str(path), issuer.token()))
            asyncio.run(_ask(str(path), "x.y.z"))
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=120)
    assert answer["output"]["report"]["verdict"] == "nothing_wrong"
    assert [span.name for span in traced.spans].count("investigation") == 1, "the last spans were not sent"
    assert process.returncode in (0, -signal.SIGTERM)
    assert b"Traceback" not in errors
    assert b'"ip": "203.0.113.9"' in errors
    assert stat.S_IMODE((tmp_path / "usage.log").stat().st_mode) == 0o640
    [line] = (tmp_path / "usage.log").read_text().splitlines()
    used = json.loads(line)
    assert (used["event"], used["outcome"], used["kind"], used["failed_calls"]) == (
        "investigation.finished",
        "nothing_wrong",
        "diagnosis",
        0,
    )
    assert used["calls"] >= 10
    assert used["investigation"] == answer["output"]["report"]["investigation_id"]


def test_serving_a_port(tmp_path: Path, issuer: Issuer, authority: Authority) -> None:
    """By the contract of AgentCore Runtime it answers on a port: /ping is Healthy, and the headers name session and user.

    Every client of a port can write X-Forwarded-For: the refused caller is the peer of the connection.
    """
    port = free_port()
    tools, backend = tools_and_backend("healthy")
    with Gateway.running(tools, backend, issuer, authority) as gateway:
        environ = {**environment(gateway.url, issuer, authority, tmp_path / "credentials"), "SRE_LOG": "info"}
        command = [*COMMAND[:-1], "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
        try:
            headers = {"authorization": f"Bearer {issuer.token()}", "x-amzn-bedrock-agentcore-runtime-session-id": "session-of-the-header"}
            answer = _ask_port(f"http://127.0.0.1:{port}", headers, process)
            refused = {"authorization": "Bearer x.y.z", "x-forwarded-for": "203.0.113.9"}
            _ask_port(f"http://127.0.0.1:{port}", refused, process)
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=120)
    assert answer["output"]["report"]["verdict"] == "nothing_wrong"
    assert '"session": "session-of-the-header"' in errors
    assert '"ip": "127.0.0.1"' in errors
    assert "203.0.113.9" not in errors


def _ask_port(url: str, headers: dict[str, str], process: subprocess.Popen[str]) -> dict[str, dict[str, dict[str, str]]]:
    with httpx2.Client(base_url=url, timeout=120) as http:
        while True:
            assert process.poll() is None
            try:
                ping = http.get("/ping")
                break
            except httpx2.ConnectError:
                time.sleep(0.02)
        assert (ping.status_code, ping.json()["status"]) == (200, "Healthy")
        answer: dict[str, dict[str, dict[str, str]]] = http.post(
            "/invocations", json={"input": {"prompt": "What is wrong?"}}, headers=headers
        ).json()
        return answer


def test_an_environment_that_lacks_everything(tmp_path: Path) -> None:
    """Everything that is missing is said at once, and nothing starts."""
    bare = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"} or name.startswith(("PYTHON", "COVERAGE"))}
    environ = {**bare, "GATEWAY_URL": "http://127.0.0.1/mcp", "SRE_REASONER": "oracle"}
    done = subprocess.run([*COMMAND, str(tmp_path / "a.sock")], env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    for code in ("ASSISTANT-SETTING-MISSING", "ASSISTANT-SETTING-NOT-HTTPS", "ASSISTANT-REASONER-UNKNOWN", "ASSISTANT-CREDENTIAL-MISSING"):
        assert code in done.stderr
    assert "Traceback" not in done.stderr


async def _ask(socket: str, token: str) -> dict[str, dict[str, dict[str, str]]]:
    transport = httpx2.AsyncHTTPTransport(uds=socket)
    async with httpx2.AsyncClient(transport=transport, base_url="http://assistant", timeout=120) as http:
        assert (await http.get("/ping")).json()["status"] == "Healthy"
        response = await http.post(
            "/invocations",
            json={"input": {"prompt": "What is wrong?"}},
            headers={"authorization": f"Bearer {token}", "x-forwarded-for": "203.0.113.9"},
        )
        answer: dict[str, dict[str, dict[str, str]]] = response.json()
        return answer
