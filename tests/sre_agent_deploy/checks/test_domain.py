"""The domain's public DNS, asked from a real name server of this test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.checks import Finding, run_checks
from sre_agent_deploy.checks.preflight import Context
from sre_agent_deploy.checks.preflight.domain import DomainKnown, ParentResolves
from sre_agent_deploy.checks.suite import dns_checks
from sre_agent_deploy.config.deployment import TLSConfig
from sre_agent_deploy.config.models import Config, CredentialConfig, DeploymentConfig

DOMAIN = "sre.shop.example.com"
SOA = "ns.example.com. admin.example.com. 1 3600 600 86400 60"


@dataclass
class NameServer:
    """Answers from `records` on loopback, over UDP."""

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    socket: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port

    def serve(self) -> None:
        while True:
            try:
                question, asker = self.socket.recvfrom(4096)
            except OSError:
                return
            self.socket.sendto(self.answer(dns.message.from_wire(question)).to_wire(), asker)

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        [asked] = query.question
        name, kind = asked.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(asked.rdtype)
        if values := self.records.get((name, kind)):
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *values))
        elif not any(known.endswith(name) for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer({("example.com", "SOA"): [SOA]})
    server.socket.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.socket.close()


def looked(names: NameServer, *, zone: str = "", **tls: str) -> Finding:
    config = Config(deployment=DeploymentConfig(domain_name=DOMAIN, hosted_zone_id=zone), tls=TLSConfig(**tls))
    world = Context(config, Aws(region="us-east-1"), datetime.now(UTC))
    [finding] = run_checks([DomainKnown("127.0.0.1", names.port)], world)
    assert not finding.required
    return finding


def test_a_domain_that_points_somewhere(names: NameServer) -> None:
    """The check finds the zone above the domain, and reports which authorities may issue its certificate."""
    names.records |= {(DOMAIN, "A"): ["192.0.2.10"], ("shop.example.com", "CAA"): ['0 issue "letsencrypt.org"', '0 iodef "mailto:a@b"']}
    finding = looked(names)
    assert finding.status == "passed"
    assert "zone example.com" in finding.what
    assert "letsencrypt.org" in finding.what


def test_a_record_that_the_deployment_will_make(names: NameServer) -> None:
    """With a hosted zone no address is needed before the deployment."""
    assert looked(names, zone="Z0123456789ABCDEFGHIJ").status == "passed"


@pytest.mark.parametrize(
    ("issuer", "directory", "status"),
    [("letsencrypt.org", "", "passed"), ("amazon.com", "", "failed"), ("ca.example", "https://ca.example/dir", "passed")],
)
def test_the_authority_that_the_machine_orders_from(names: NameServer, issuer: str, directory: str, status: str) -> None:
    """CAA records that name only others forbid Let's Encrypt; the names of other authorities are not known here."""
    names.records |= {(DOMAIN, "A"): ["192.0.2.10"], ("example.com", "CAA"): [f'0 issue "{issuer}; validationmethods=http-01"']}
    finding = looked(names, source="letsencrypt", directory_url=directory)
    assert finding.status == status
    if finding.problem:
        assert (finding.problem.code, finding.problem.what) == ("DNS-CAA-FORBIDS", f"Let's Encrypt may not certify {DOMAIN}.")
        assert "only amazon.com" in finding.problem.why


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ({}, "DNS-RECORD-MISSING"),
        ({("example.com", "CAA"): ['0 issue ";"']}, "DNS-CAA-FORBIDS"),
        ({("example.com", "SOA"): []}, "DNS-NAME-UNKNOWN"),
    ],
)
def test_what_will_stand_in_the_way(names: NameServer, records: dict[tuple[str, str], list[str]], code: str) -> None:
    """Each obstacle has its own problem, and none of them stops a deployment."""
    names.records |= records
    finding = looked(names)
    assert (finding.status, finding.problem and finding.problem.code) == ("failed", code)


@pytest.mark.parametrize(
    ("addresses", "own", "status", "first"),
    [
        (["192.0.2.10"], "", "passed", ""),
        ([], "", "failed", "Add an A record of shop.example.com"),
        ([], "sre.shop.example.com", "failed", "Add an A record of shop.example.com"),
        ([], "shop.example.com", "passed", ""),
    ],
)
def test_the_name_above_a_custom_domain(names: NameServer, addresses: list[str], own: str, status: str, first: str) -> None:
    """Cognito asks for its address, so a deployment stops where there is none. This deployment creates its own."""
    names.records |= {("shop.example.com", "A"): addresses}
    deployment = DeploymentConfig(domain_name=own, hosted_zone_id="Z0123456789ABCDEFGHIJ" if own else "")
    config = Config(deployment=deployment, credentials=CredentialConfig(custom_domain="auth.shop.example.com"))
    [finding] = run_checks([ParentResolves("127.0.0.1", names.port)], Context(config, Aws(region="us-east-1"), datetime.now(UTC)))
    assert (finding.status, finding.required) == (status, True)
    assert finding.status == "passed" or (finding.problem and finding.problem.do[0].startswith(first))


def test_a_name_server_that_does_not_answer() -> None:
    """The result is unknown: neither passed nor failed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        server = NameServer(socket=silent)
        finding = looked(server)
    assert finding.status == "unknown"
    assert finding.problem
    assert finding.problem.code == "DNS-UNREACHABLE"


def test_public_dns_is_not_asked_about_another_aws() -> None:
    """Against an AWS that is not Amazon's no public name server gets a query."""
    from sre_agent_deploy.aws import Endpoint

    config = Config(deployment=DeploymentConfig(domain_name=DOMAIN))
    assert dns_checks(config, Aws(region="us-east-1"))
    assert not dns_checks(config, Aws(region="us-east-1", endpoint=Endpoint("https://127.0.0.1:1")))
