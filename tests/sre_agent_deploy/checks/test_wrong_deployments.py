"""Verification of addresses without a good deployment: it passes nothing that it could not see."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sre_agent_deploy.checks import Finding, is_complete, run_checks
from sre_agent_deploy.checks.suite import verification_checks
from sre_agent_deploy.checks.verification.access import ExpiredTokenRefused
from sre_agent_deploy.checks.verification.endpoint_client import Client, Endpoints
from sre_agent_deploy.tls import local_ca
from sre_agent_deploy.tls.local_ca import LocalCa
from sre_core.secret import Secret

CLIENT = Client("client", Secret("secret"), "scope")


class _Answers(BaseHTTPRequestHandler):
    """Gives everybody the same answer: `server.says`, in which {url} is its own address."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        assert isinstance(self.server, _Server)
        status, text = self.server.says
        body = text.replace("{url}", f"https://127.0.0.1:{self.server.server_port}").encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    """A server with one answer."""

    says: tuple[int, str] = 200, ""
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that close the connection: some tests need them."""


@pytest.fixture
def authority(tmp_path: Path) -> LocalCa:
    return local_ca.open_local_ca(tmp_path)


@contextmanager
def answering(authority: LocalCa, folder: Path, status: int, text: str) -> Iterator[Endpoints]:
    """Serve a "deployment" whose every address gives this one answer, over TLS with a valid certificate."""
    issued = authority.issue(("127.0.0.1",))
    (folder / "server.pem").write_text(issued.chain + issued.private_key.reveal())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    server = _Server(("127.0.0.1", 0), _Answers)
    server.says = status, text
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield at(server.server_port, str(authority.ca_file))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def at(port: int, *ca_files: str) -> Endpoints:
    url = f"https://127.0.0.1:{port}"
    return Endpoints(url, "127.0.0.1", f"{url}/mcp", f"{url}/.well-known/openid-configuration", CLIENT, CLIENT, ca_files)


def verified(world: Endpoints) -> dict[str, Finding]:
    findings = run_checks(verification_checks(), world)
    assert not is_complete(findings)
    assert all(finding.problem for finding in findings if finding.status != "passed"), "each says what to do"
    return {finding.check: finding for finding in findings}


def test_the_authorities_are_read_once(authority: LocalCa) -> None:
    """Checks that wait longer, or ask at another address, use what the first check has read of the system's authorities."""
    world = at(1, str(authority.ca_file))
    assert replace(world, timeout=1.0, public_ip="127.0.0.2").trust is world.trust


def test_nothing_listens() -> None:
    """Nothing could be seen, so nothing passes, not even the refusal of plain HTTP; and every problem names the hop."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: no other program can get this port
        found = verified(at(taken.getsockname()[1]))
    assert "passed" not in {finding.status for check, finding in found.items() if check != "endpoint.name"}
    codes = {finding.problem.code for finding in found.values() if finding.problem}
    assert codes <= {"ENDPOINT-UNREACHABLE", "GATEWAY-UNREACHABLE"}


def test_a_certificate_that_is_not_trusted(authority: LocalCa, tmp_path: Path) -> None:
    """No secret is sent to a server with an untrusted certificate, and the problem names the certificate."""
    with answering(authority, tmp_path, 200, "{}") as world:
        found = verified(at(int(world.base_url.rpartition(":")[2])))
    codes = {finding.problem.code for finding in found.values() if finding.problem}
    assert codes == {"ENDPOINT-TLS"}
    assert found["endpoint.plain_http"].status == "passed", "it listens, and closes the connection"


def test_a_deployment_that_is_open_to_everybody(authority: LocalCa, tmp_path: Path) -> None:
    """A deployment that lets everybody in fails each refusal that needs no token, and the others could not be tried."""
    with answering(authority, tmp_path, 200, "{}") as world:
        found = verified(world)
    for name, finding in found.items():
        if name.endswith((".no_token", ".no_key", ".bad_key")):
            assert (finding.status, finding.problem and finding.problem.code) == ("failed", "ACCESS-NOT-REFUSED"), name
        elif name.startswith(("gateway.", "assistant.", "token.")):
            assert finding.status == "unknown", name


TOKENS = {
    "no JWT": "abc",
    "no JSON": "a.b.c",
    "a list": "e30.W10.e30",
    "another client's": "e30.eyJjbGllbnRfaWQiOiAiYW5vdGhlciJ9.e30",
}


@pytest.mark.parametrize("kind", TOKENS)
def test_an_issuer_of_odd_tokens(authority: LocalCa, tmp_path: Path, kind: str) -> None:
    """A token without the required claims never passes, and it is in no message."""
    document = {"issuer": "{url}", "token_endpoint": "{url}/token", "access_token": TOKENS[kind]}
    with answering(authority, tmp_path, 200, json.dumps(document)) as world:
        found = verified(world)
    for name in ("token.gateway_client", "token.caller_client"):
        assert found[name].status in {"failed", "unknown"}
        assert TOKENS[kind] not in json.dumps(found[name].to_json())


@pytest.mark.parametrize(("seconds", "status", "required"), [(2, "failed", True), (3600, "unknown", False)])
def test_an_expired_token_that_is_accepted(authority: LocalCa, tmp_path: Path, seconds: int, status: str, required: bool) -> None:
    """Verification waits until a token really expires and tries it; it does not wait for one that lives longer than its limit."""
    claims = base64.urlsafe_b64encode(json.dumps({"exp": int(time.time()) + seconds}).encode()).decode().rstrip("=")
    document = {"token_endpoint": "{url}/token", "access_token": f"e30.{claims}.e30"}
    with answering(authority, tmp_path, 200, json.dumps(document)) as world:
        [finding] = run_checks((ExpiredTokenRefused(),), world)
    assert (finding.status, finding.required) == (status, required)


def test_a_front_door_whose_services_are_down(authority: LocalCa, tmp_path: Path) -> None:
    """502 at every address is no refusal: services are unhealthy, and the access rules could not be checked."""
    with answering(authority, tmp_path, 502, '{"error": {"code": "bad_gateway"}}') as world:
        found = verified(world)
    assert {finding.status for name, finding in found.items() if name.startswith("service.")} == {"failed"}
    assert "passed" not in {finding.status for name, finding in found.items() if name.endswith(("_token", "_key"))}
