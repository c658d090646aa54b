"""A deployment that is reached over IPv6, too: its AAAA record, and a front door at ::1."""

from __future__ import annotations

import dataclasses
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest

from behaviours import certificates
from sre_agent_deploy.checks import run_checks
from sre_agent_deploy.checks.verification.endpoint_client import Client, Endpoints
from sre_agent_deploy.checks.verification.front_door import AnswersOverIpv6, Ipv6Facts
from sre_core.secret import Secret

NOBODY = Client("", Secret(""), "")


class Door(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


class Ping(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    folder = tmp_path_factory.mktemp("door")
    certificates.written(folder, "sre.example.com")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "fullchain.pem", folder / "privkey.pem")
    try:
        server = Door(("::1", 0), Ping)
    except OSError as absent:
        pytest.skip(f"no IPv6: {absent}")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://sre.example.com:{server.server_port}"
    yield Endpoints(url, "192.0.2.1", "", "", NOBODY, NOBODY, ca_files=(str(folder / "ca.pem"),), timeout=5, ipv6_address="::1")
    server.shutdown()
    server.server_close()


def test_a_machine_that_answers(door: Endpoints) -> None:
    """The check connects to the machine's own address, and requires the certificate of the name."""
    [finding] = run_checks((AnswersOverIpv6(named=False),), door)
    assert (finding.status, finding.what) == ("passed", "::1 answered with 200")


@pytest.mark.parametrize(
    ("facts", "status", "code"),
    [
        (Ipv6Facts("sre.example.com", ("2001:db8::1",), "2001:db8:0::1", 200), True, ""),
        (Ipv6Facts("sre.example.com", ("2001:db8::2",), "2001:db8::1", 200), False, "ENDPOINT-NAME-ELSEWHERE"),
        (Ipv6Facts("sre.example.com", (), "2001:db8::1", 200), False, "ENDPOINT-NAME-ELSEWHERE"),
        (Ipv6Facts("sre.example.com", (), "2001:db8::1", why="this machine has no IPv6"), None, "ENDPOINT-IPV6-NOT-SEEN"),
    ],
)
def test_what_is_judged(facts: Ipv6Facts, status: bool | None, code: str) -> None:
    """The record must lead to the machine. A computer without IPv6 proves nothing about the deployment, and stops none."""
    verdict = AnswersOverIpv6().judge(facts)
    assert (verdict.holds, verdict.problem.code if verdict.problem else "", verdict.optional) == (status, code, status is None)


def test_a_local_aws_is_not_asked(door: Endpoints) -> None:
    """Its addresses are reserved for documentation, so nothing is sent to them."""
    [finding] = run_checks((AnswersOverIpv6(),), dataclasses.replace(door, ipv6_address="2001:db8::1", public_names=False))
    assert (finding.status, finding.required) == ("unknown", False)
