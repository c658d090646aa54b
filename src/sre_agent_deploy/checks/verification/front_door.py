"""Check the front door: its name leads to its address, nothing is answered without TLS, and the certificate does not expire soon."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Endpoints
from sre_agent_deploy.tls import expiry
from sre_core import clock
from sre_core.problem import Problem


@dataclass(frozen=True)
class ServedCertificate:
    """The validity of the served certificate, and the time of the check."""

    host: str
    not_before: datetime
    not_after: datetime
    now: datetime
    source: expiry.Source | None = None


class CertificateLasts:
    """The certificate on 443 is valid, and no renewal of it is late. A warning: it does not make a deployment incomplete."""

    id: ClassVar[str] = "certificate.lasts"
    proves: ClassVar[str] = "the certificate lasts, or is renewed in time"
    requirements: ClassVar[tuple[str, ...]] = ("2.1", "2.4")
    required: ClassVar[bool] = False

    def probe(self, world: Endpoints) -> ServedCertificate | Problem:
        parts = urlsplit(world.base_url)
        host = parts.hostname or ""
        try:
            with (
                socket.create_connection((world.public_ip, parts.port or 443), timeout=world.timeout) as connection,
                world.trust.wrap_socket(connection, server_hostname=host) as tls,
            ):
                return replace(_read_served(host, tls), source=expiry.parse_source(world.certificate_source))
        except OSError as error:
            return world.explain(world.base_url, error)

    def judge(self, facts: ServedCertificate) -> Verdict:
        problem = expiry.judge_expiry(facts.host, facts.not_before, facts.not_after, facts.now, facts.source)
        days = expiry.days_left(facts.not_after, facts.now)
        values = {"days_left": f"{days}", "not_after": clock.stamp(facts.not_after)}
        return Verdict(problem is None, f"the certificate has {days} days left", problem, values=values)


def _read_served(host: str, tls: ssl.SSLSocket) -> ServedCertificate:
    from cryptography import x509

    leaf = x509.load_der_x509_certificate(tls.getpeercert(binary_form=True) or b"")
    return ServedCertificate(host, leaf.not_valid_before_utc, leaf.not_valid_after_utc, clock.now())


class PlainHttpRefused:
    """Plain HTTP on the HTTPS port gets an error at most, never content of a service."""

    id: ClassVar[str] = "endpoint.plain_http"
    proves: ClassVar[str] = "plain HTTP is refused"
    requirements: ClassVar[tuple[str, ...]] = ("1.3", "2.1")
    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> Answer | Problem:
        authority = world.base_url.removeprefix("https://")
        url = f"http://{authority if ':' in authority else f'{authority}:443'}/ping"
        answer = world.http("GET", url)
        if not isinstance(answer, Problem):
            return answer
        # A connection that is closed at once is a refusal; one that can't be made proves nothing.
        return world.explain_no_connection(url) or Answer(0, b"", {})

    def judge(self, facts: Answer) -> Verdict:
        if facts.status == 0:
            return Verdict(True, "plain HTTP gets no answer")
        if 300 <= facts.status < 500:
            return Verdict(True, f"plain HTTP is answered {facts.status}")
        return Verdict(False, f"plain HTTP was answered {facts.status}", _answered_without_tls(facts.status))


def _answered_without_tls(status: int) -> Problem:
    return Problem(
        code="ENDPOINT-PLAIN-HTTP",
        what=f"A request without TLS was answered {status}.",
        why="The front door listens without TLS on a port that must have it.",
        do=(
            "Run `sre-agent-deploy deploy` again: it repairs the front door. If that does not help, see which program listens on the port.",
        ),
    )


@dataclass(frozen=True)
class NameFacts:
    """The addresses that this machine finds for a name, and the deployment's own. `public` is False for a name of a local AWS."""

    host: str
    addresses: tuple[str, ...]
    expected: str
    public: bool = True


class NameResolves:
    """The domain's name leads to the deployment's address. An address without a name needs none."""

    id: ClassVar[str] = "endpoint.name"
    proves: ClassVar[str] = "the deployment's name leads to its address"
    requirements: ClassVar[tuple[str, ...]] = ("1.3", "4.3", "5.3")
    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> NameFacts | Problem:
        host = urlsplit(world.base_url).hostname or ""
        if _is_address(host) or not world.public_names:
            return NameFacts(host, (host,) if _is_address(host) else (), world.public_ip, public=world.public_names)
        try:
            found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
        except socket.gaierror as error:
            return world.explain(world.base_url, error)
        return NameFacts(host, tuple(sorted({str(entry[4][0]) for entry in found})), world.public_ip)

    def judge(self, facts: NameFacts) -> Verdict:
        if _is_address(facts.host):
            return Verdict(True, f"no name is needed: {facts.host} is an address")
        if not facts.public:
            return Verdict(None, f"not tried: {facts.host} is a name of a local AWS", _not_public(facts), optional=True)
        if facts.expected in facts.addresses:
            return Verdict(True, f"{facts.host} leads to {facts.expected}")
        return Verdict(False, f"{facts.host} leads to {', '.join(facts.addresses)}", _elsewhere(facts))


@dataclass(frozen=True)
class Ipv6Facts:
    """The IPv6 addresses that this machine finds for a name, the deployment's own, and how it answered: its status, 0 for no way there."""

    host: str
    addresses: tuple[str, ...]
    expected: str
    status: int = 0
    why: str = ""


@dataclass(frozen=True)
class AnswersOverIpv6:
    """The front door answers at its IPv6 address, to which the AAAA record leads. A machine without IPv6 can't see that."""

    named: bool = True
    """The record leads there already; that of an update does not yet."""

    id: ClassVar[str] = "endpoint.ipv6"
    proves: ClassVar[str] = "the deployment answers over IPv6"
    requirements: ClassVar[tuple[str, ...]] = ("1.3", "4.3", "5.3")
    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> Ipv6Facts | Problem:
        host, address = urlsplit(world.base_url).hostname or "", world.ipv6_address
        if not world.public_names:
            return Ipv6Facts(host, (), address, why="the address is one of a local AWS")
        try:
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as unconnected:
                # Nothing is sent: connecting a datagram socket only chooses the route.
                unconnected.connect((address, 443))
            found = socket.getaddrinfo(host, None, socket.AF_INET6, socket.SOCK_STREAM) if self.named else ()
        except socket.gaierror:
            found = ()
        except OSError as absent:
            return Ipv6Facts(host, (), address, why=f"this machine has no IPv6: {absent.strerror}")
        answer = replace(world, public_ip=address).http("GET", f"{world.base_url}/ping")
        seen = tuple(sorted({str(entry[4][0]) for entry in found})) if self.named else (address,)
        return answer if isinstance(answer, Problem) else Ipv6Facts(host, seen, address, answer.status)

    def judge(self, facts: Ipv6Facts) -> Verdict:
        if not facts.status:
            return Verdict(None, f"not tried: {facts.why}", _no_ipv6(facts), optional=True)
        if ipaddress.ip_address(facts.expected) not in map(ipaddress.ip_address, facts.addresses):
            elsewhere = NameFacts(facts.host, facts.addresses or ("no IPv6 address",), facts.expected)
            return Verdict(False, f"{facts.host} leads to {', '.join(elsewhere.addresses)}", _elsewhere(elsewhere, "AAAA"))
        return Verdict(True, f"{facts.expected} answered with {facts.status}")


def _no_ipv6(facts: Ipv6Facts) -> Problem:
    return Problem(
        code="ENDPOINT-IPV6-NOT-SEEN",
        what=f"It could not be seen that {facts.host} answers over IPv6, at {facts.expected}.",
        why=f"{facts.why[:1].upper()}{facts.why[1:]}. What was seen over IPv4 holds.",
        do=(
            "Nothing needs to be done for a local AWS.",
            f"Where there is IPv6: `curl -6 https://{facts.host}/ping`, or run `sre-agent-deploy verify` there.",
        ),
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _not_public(facts: NameFacts) -> Problem:
    return Problem(
        code="ENDPOINT-NAME-NOT-SEEN",
        what=f"It could not be seen that {facts.host} leads to {facts.expected}.",
        why="The deployment is in an AWS that is not Amazon's, so public DNS does not know its name.",
        do=(
            "Nothing needs to be done for a local AWS.",
            f"On Amazon's AWS: `dig +short {facts.host}` answers the address.",
        ),
    )


def _elsewhere(facts: NameFacts, kind: str = "A") -> Problem:
    return Problem(
        code="ENDPOINT-NAME-ELSEWHERE",
        what=f"{facts.host} leads to {', '.join(facts.addresses)}, and the deployment's address is {facts.expected}.",
        why=f"The {kind} record is old, or was made for another deployment, or a proxy of your DNS provider is in between.",
        do=(
            f"Set the {kind} record of {facts.host} to {facts.expected}, or set deployment.hosted_zone_id and run "
            "`sre-agent-deploy deploy`.",
            "Wait until the old record's TTL is over; then run `sre-agent-deploy verify` again.",
        ),
        context={"part": "front door"},
    )


@dataclass(frozen=True)
class LoginNameFacts:
    """The look-up of the user pool's own name: if this machine finds an address, and what its record must lead to."""

    domain: str
    target: str
    found: bool


class LoginNameResolves:
    """The user pool's custom domain leads somewhere. Not required: until it does, tokens are issued at the pool's prefix."""

    id: ClassVar[str] = "login.name"
    proves: ClassVar[str] = "the custom domain of the user pool has a DNS record"
    requirements: ClassVar[tuple[str, ...]] = ("1.3", "2.2")
    required: ClassVar[bool] = False

    def probe(self, world: Endpoints) -> LoginNameFacts | Problem:
        try:
            socket.getaddrinfo(world.custom_domain, 443, type=socket.SOCK_STREAM)
        except socket.gaierror:
            return LoginNameFacts(world.custom_domain, world.cloudfront_domain, found=False)
        return LoginNameFacts(world.custom_domain, world.cloudfront_domain, found=True)

    def judge(self, facts: LoginNameFacts) -> Verdict:
        if facts.found:
            return Verdict(True, f"{facts.domain} has an address")
        return Verdict(False, f"{facts.domain} has no address yet", _no_login_record(facts))


def _no_login_record(facts: LoginNameFacts) -> Problem:
    return Problem(
        code="LOGIN-NAME-UNKNOWN",
        what=f"The custom domain {facts.domain} has no DNS record that this machine finds.",
        why="Its hosted zone is not deployment.hosted_zone_id, or the record is new. Until it answers, tokens are issued at the prefix.",
        do=(
            f"Create a CNAME record of {facts.domain} that leads to {facts.target}.",
            "Wait until the record is known; then run `sre-agent-deploy verify` again.",
        ),
        context={"part": "login"},
    )
