"""Attempts to connect to the front door (nginx, with the assistant behind it) and to the gateway, over real TLS.

One server for each state of a certificate: every client must be refused unless TLS, certificate and token are all good.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import RSAKey

from embedded_aws.world import ServerCertificate
from fixtures.ports import free_port
from sre_agent import runtime, transport
from sre_agent.jwt import Keys, Verifier
from sre_agent.oidc import Discovery
from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.nginx import NginxPaths, render_nginx_conf
from sre_core import clock, private_ca
from sre_core.machine import FrontDoor, Listener, Route, SecretRef

from .conftest import CLIENT, SCOPE, Aws, Issuer, jwt_authorizer, unique
from .test_inbound_authorization import signed_by_hand

CALLER, CALLER_SCOPE = "the-caller", "sre-agent/assistant.invoke"
VERSIONS = {
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": ssl.TLSVersion.TLSv1_2,
    "TLS 1.3": ssl.TLSVersion.TLSv1_3,
}
# The error if a server does not support the client's version: nginx sends an alert, the gateway closes the connection.
WRONG_VERSION = ("ALERT_PROTOCOL_VERSION", "UNEXPECTED_EOF_WHILE_READING")
# What a client that verifies says of each; nothing of the good one.
CERTIFICATES = {
    "valid": "",
    "expired": "certificate has expired",
    "not yet valid": "certificate is not yet valid",
    "of another host": "mismatch",
    "self-signed": "self-signed certificate",
    "of an unknown authority": "unable to get local issuer certificate",
}
# What a door answers to each. The assistant reads a request only after its token, and `{}` asks nothing.
TOKENS = {
    "valid": 0, "none": 401, "garbage": 401, "expired": 401, "not yet valid": 401, "of another client": 401, "without the scope": 403,
    "of another issuer": 401, "signed with another key": 401, "unsigned": 401, "HS256 with the public key": 401,
}  # fmt: skip
ACCEPTED = {"front door": 400, "gateway": 200}


@dataclass
class Certificates:
    """Acts as the certificate authority of the local AWS, and issues certificates in one state."""

    ca_file: Path
    """Of the local AWS, which trusts its issuers by it."""
    own_ca: Path
    state: str = "valid"

    def __post_init__(self) -> None:
        self._key, self._foreign_key = private_ca.new_key(), private_ca.new_key()
        self._authority = private_ca.issue_authority("An authority", self._key, timedelta(days=30))
        self._foreign = private_ca.issue_authority("A foreign authority", self._foreign_key, timedelta(days=30))
        self.own_ca.write_text(private_ca.pem(self._authority))

    def issue(self, *names: str) -> ServerCertificate:
        key, now, issuer, issuer_key = private_ca.new_key(), clock.now(), self._authority, self._key
        match self.state:
            case "self-signed":
                return ServerCertificate(private_ca.pem(self_signed(key)), private_ca.key_pem(key))
            case "expired":
                now -= timedelta(days=2)
            case "not yet valid":
                now += timedelta(days=2)
            case "of another host":
                names = ("elsewhere.example.com", "192.0.2.1")
            case "of an unknown authority":
                issuer, issuer_key = self._foreign, self._foreign_key
        leaf = private_ca.issue_server(names, key, issuer=issuer, issuer_key=issuer_key, life=timedelta(days=1), now=now)
        return ServerCertificate(private_ca.pem(leaf), private_ca.key_pem(key))


def self_signed(key: EllipticCurvePrivateKey) -> x509.Certificate:
    """Issue a server's own certificate. An authority's may sign no handshake, so that no door serves it over TLS 1.2."""
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")]), clock.now()
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(IPv4Address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
    return builder.add_extension(hosts, critical=False).sign(key, SHA256())


@dataclass(frozen=True)
class Doors:
    """The URL of each door with each certificate, and who issues tokens for them."""

    urls: Mapping[tuple[str, str], str]
    issuer: Issuer
    other: Issuer
    ca_file: Path

    def token(self, door: str, state: str) -> str:
        client, scope = (CALLER, CALLER_SCOPE) if door == "front door" else (CLIENT, SCOPE)
        good, now = {"client_id": client, "scope": scope}, int(time.time())
        made: Mapping[str, Callable[[], str]] = {
            "none": lambda: "",
            "garbage": lambda: "garbage",
            "expired": lambda: self.issuer.token(**good, exp=now - 1),
            "not yet valid": lambda: self.issuer.token(**good, nbf=now + 3600),
            "of another client": lambda: self.issuer.token(**{**good, "client_id": "another"}),
            "without the scope": lambda: self.issuer.token(**{**good, "scope": "sre-agent/other"}),
            "of another issuer": lambda: self.other.token(**good),
            "signed with another key": lambda: self.issuer.token(**good, key=self.other.key),
            "unsigned": lambda: signed_by_hand(self.issuer, "none", b""),
            "HS256 with the public key": lambda: signed_by_hand(self.issuer, "HS256", self.issuer.key.as_pem(private=False)),
            "valid": lambda: self.issuer.token(**good),
        }
        return made[state]()


@pytest.fixture(scope="module")
def doors(aws: Aws, control: Any, shared_gateway: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Six front doors of nginx before one assistant, and six gateways, each with a certificate in one state."""
    issuer, other = Issuer(), Issuer()
    other.key = RSAKey.generate_key(2048, {"kid": issuer.key.kid})
    for each in (issuer, other):
        each.published.append(each.key)
    folder = tmp_path_factory.mktemp("d")
    certificates = Certificates(aws.account.authority.ca_file, folder / "ca.pem")
    with contextlib.ExitStack() as opened:
        issuer.url, other.url = opened.enter_context(aws.https(issuer)), opened.enter_context(aws.https(other))
        opened.enter_context(assistant(aws, issuer, folder))
        urls = {}
        for state in CERTIFICATES:
            certificates.state = state
            urls["front door", state] = opened.enter_context(front_door(certificates.issue("127.0.0.1", "localhost"), folder, state))
            urls["gateway", state] = opened.enter_context(gateway(aws, control, shared_gateway, issuer, certificates))
        yield Doors(urls, issuer, other, certificates.own_ca)


@contextlib.contextmanager
def assistant(aws: Aws, issuer: Issuer, folder: Path) -> Iterator[None]:
    """Serve the assistant on its socket, as its process does; no attempt reaches what answers questions."""
    nobody: Any = None
    http = transport.create_client(ca_file=str(aws.account.authority.ca_file))
    discovery = Discovery(http, issuer.discovery_url)
    verifier = Verifier(Keys(http, discovery), discovery, client_id=CALLER, scope=CALLER_SCOPE)
    path = layout_in(folder, "any").socket("assistant")
    path.parent.mkdir(parents=True)
    server = uvicorn.Server(
        uvicorn.Config(
            runtime.build_app(nobody, verifier, nobody),
            uds=str(path),
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            lifespan="off",
        )
    )
    aws.loop.run(start(server))
    try:
        yield
    finally:
        aws.loop.run(server.shutdown())
        aws.loop.run(http.aclose())


async def start(server: uvicorn.Server) -> None:
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()


def layout_in(folder: Path, state: str) -> Layout:
    place = folder / state.replace(" ", "-")
    return Layout(place / "release", place / "root", place / "etc", folder / "run")


@contextlib.contextmanager
def front_door(certificate: ServerCertificate, folder: Path, state: str) -> Iterator[str]:
    layout = layout_in(folder, state)
    layout.certificate.parent.mkdir(parents=True)
    layout.certificate.write_text(certificate.chain)
    layout.key.write_text(certificate.key)
    (layout.root / "tmp").mkdir(parents=True)
    port = free_port()
    place = NginxPaths(layout.root / "pid", layout.root, layout.root / "tmp", "user root;" if os.geteuid() == 0 else "", "127.0.0.1")
    door = FrontDoor("", SecretRef("arn:c"), (Listener(port, "public", (Route("/", "assistant"),)),), None)
    conf = layout.root / "nginx.conf"
    conf.write_text(render_nginx_conf(door, layout, place))
    with subprocess.Popen(["nginx", "-c", str(conf), "-g", "daemon off;"]) as server:
        try:
            wait_for(port)
            yield f"https://127.0.0.1:{port}/invocations"
        finally:
            server.terminate()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def gateway(aws: Aws, control: Any, like: Any, issuer: Issuer, certificates: Certificates) -> Iterator[str]:
    role = control.get_gateway(gatewayIdentifier=like["gatewayId"])["roleArn"]
    usual, aws.account.authority = aws.account.authority, certificates  # type: ignore[assignment]  # what listeners ask of it, it has
    try:
        authorizer = jwt_authorizer(issuer, allowedScopes=[SCOPE])
        made = control.create_gateway(name=unique("door"), roleArn=role, protocolType="MCP", **authorizer)
    finally:
        aws.account.authority = usual
    found = aws.wait_for_status(lambda: control.get_gateway(gatewayIdentifier=made["gatewayId"]))
    yield found["gatewayUrl"]
    control.delete_gateway(gatewayIdentifier=made["gatewayId"])


def attempt(doors: Doors, door: str, version: ssl.TLSVersion, certificate: str, token: str, source: str) -> int | str:
    """Connect as a client that verifies certificates and speaks one version of TLS; the status, or why there is no answer."""
    context = ssl.create_default_context(cafile=str(doors.ca_file))
    with warnings.catch_warnings():
        # The client offers what the door must refuse.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}' if door == "gateway" else b"{}"
    way = httpx2.HTTPTransport(verify=context, local_address=source, trust_env=False)
    with httpx2.Client(transport=way, timeout=60) as client:
        try:
            return client.post(doors.urls[door, certificate], content=body, headers=headers).status_code
        except httpx2.ConnectError as refused:
            return str(refused)


# Doors refuse an address that fails again and again for a while, so that attempts come from many.
SOURCES = st.integers(1, 2**16 - 2).map(lambda number: f"127.77.{number // 256}.{number % 256}")


@pytest.mark.needs("nginx")
@pytest.mark.property(2)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    door=st.sampled_from(sorted(ACCEPTED)),
    version=st.sampled_from(sorted(VERSIONS)),
    certificate=st.sampled_from(sorted(CERTIFICATES)),
    token=st.sampled_from(sorted(TOKENS)),
    source=SOURCES,
)
def test_any_attempt_to_connect(doors: Doors, door: str, version: str, certificate: str, token: str, source: str) -> None:
    """**Feature: aws-ec2-production-deployment, Property 2: SSL and Authentication Security**

    For any connection attempt, the system should require valid SSL certificates and properly authenticate requests through
    Cognito JWT tokens.

    At both doors: no answer over TLS 1.0 or 1.1, nor to a client that verifies if the certificate is not good in every way; and
    over a good connection an answer to a good token only.
    """
    answer = attempt(doors, door, VERSIONS[version], certificate, doors.token(door, token), source)
    if version in ("TLS 1.0", "TLS 1.1"):
        assert any(error in str(answer) for error in WRONG_VERSION), answer
    elif certificate != "valid":
        assert isinstance(answer, str) and CERTIFICATES[certificate] in answer, answer
    else:
        assert answer == (TOKENS[token] or ACCEPTED[door]), answer


@pytest.mark.needs("nginx")
@pytest.mark.parametrize("door", sorted(ACCEPTED))
def test_each_state_by_itself(doors: Doors, door: str) -> None:
    """With all else good, each version, certificate and token has its own answer, also where no example above had it."""
    for version, certificate, token in (
        *((version, "valid", "valid") for version in VERSIONS),
        *((version, certificate, "valid") for version in ("TLS 1.2", "TLS 1.3") for certificate in CERTIFICATES),
        *(("TLS 1.2", "valid", token) for token in TOKENS),
    ):
        test_any_attempt_to_connect.hypothesis.inner_test(doors, door, version, certificate, token, "127.78.0.1")
