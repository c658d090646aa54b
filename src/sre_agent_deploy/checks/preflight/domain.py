"""Check the domain: its zone in public DNS and in Route 53, CAA, and the user's own certificate for it.

Of that certificate: readable files, matching key, domain, complete chain, validity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Context, ask
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.names import creates_parent
from sre_agent_deploy.tls import expiry, files
from sre_agent_deploy.tls.files import CertificateFiles
from sre_core.problem import Problem

if TYPE_CHECKING:
    from dns.resolver import Resolver


_PATIENCE = 3.0  # seconds for one question


@dataclass(frozen=True)
class DnsFacts:
    """The public records of a domain. `zone` is the nearest existing zone at or above it; `issuers` is None without CAA records."""

    domain: str
    zone: str
    addresses: tuple[str, ...]
    issuers: tuple[str, ...] | None
    made_by_us: bool
    authority: str = ""
    """The name in CAA records of the authority that will certify it; empty where any may."""

    @property
    def forbidden(self) -> bool:
        """Say if CAA records allow no authority, or not the one that will certify it."""
        return self.issuers == () or bool(self.issuers and self.authority and self.authority not in self.issuers)


@dataclass(frozen=True)
class DomainKnown:
    """The domain is in a public zone. Not required: its record can be made after the deployment, when the address is known."""

    nameserver: str = ""
    port: int = 53

    id: ClassVar[str] = "dns.domain"
    proves: ClassVar[str] = "the domain's zone exists, and an authority may certify it"
    requirements: ClassVar[tuple[str, ...]] = ("1.3", "2.1", "4.1")
    required: ClassVar[bool] = False

    def probe(self, world: Context) -> DnsFacts | Problem:
        from dns.exception import DNSException

        chosen = world.config.deployment
        resolver = self._resolver()
        try:
            zone = next((name for name in _parent_names(chosen.domain_name) if _resolve(resolver, name, "SOA")), "")
            addresses = _resolve(resolver, chosen.domain_name, "A")
            # RFC 8659: the nearest name at or above the domain that has CAA records decides.
            issuers = next((found for name in _parent_names(chosen.domain_name) if (found := _resolve(resolver, name, "CAA"))), None)
        except (DNSException, OSError) as error:
            return _no_answer(chosen.domain_name, error)
        tls = world.config.tls
        authority = "letsencrypt.org" if tls.source == "letsencrypt" and not tls.directory_url else ""
        return DnsFacts(chosen.domain_name, zone, addresses, _issuers(issuers), bool(chosen.hosted_zone_id), authority)

    def judge(self, facts: DnsFacts) -> Verdict:
        if not facts.zone:
            return Verdict(False, f"no zone of {facts.domain} exists in public DNS", _unknown_name(facts.domain))
        if facts.forbidden:
            whom = facts.authority or "any authority"
            return Verdict(False, f"CAA records of {facts.domain} do not allow {whom} to certify it", _caa_forbids(facts))
        if not facts.addresses and not facts.made_by_us:
            return Verdict(False, f"{facts.domain} has no address yet", _no_address(facts.domain))
        certified = f"; CAA allows {', '.join(facts.issuers)}" if facts.issuers else ""
        return Verdict(True, f"{facts.domain} lies in the zone {facts.zone}{certified}")

    def _resolver(self) -> Resolver:
        from dns.resolver import Resolver

        resolver = Resolver(configure=not self.nameserver)
        if self.nameserver:
            resolver.nameservers, resolver.port = [self.nameserver], self.port
        resolver.lifetime = _PATIENCE
        return resolver


def _parent_names(domain: str) -> Iterator[str]:
    """List the domain and every name above it except the top-level domain."""
    labels = domain.rstrip(".").split(".")
    for first in range(max(1, len(labels) - 1)):
        yield ".".join(labels[first:])


def _resolve(resolver: Resolver, name: str, kind: str) -> tuple[str, ...]:
    from dns.resolver import NXDOMAIN, NoAnswer

    try:
        return tuple(record.to_text() for record in resolver.resolve(name, kind, search=False))
    except (NXDOMAIN, NoAnswer):
        return ()


def _issuers(records: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """List the authorities that `issue` records name; empty where they forbid all (`0 issue ";"`)."""
    if records is None:
        return None
    values = [record.split(" ", 2)[2].strip('"').partition(";")[0].strip() for record in records if record.split(" ", 2)[1] == "issue"]
    return tuple(filter(None, values)) if values else None


def _no_answer(domain: str, error: Exception) -> Problem:
    return Problem(
        code="DNS-UNREACHABLE",
        what=f"No DNS server answered the query for {domain}.",
        why=f"{str(error) or type(error).__name__}. This does not stop the deployment.",
        do=(
            "Check this machine's name servers (`cat /etc/resolv.conf`).",
            f"Check the name again after the deployment: `dig +short {domain}`.",
        ),
    )


def _unknown_name(domain: str) -> Problem:
    return Problem(
        code="DNS-NAME-UNKNOWN",
        what=f"No zone in public DNS contains {domain}.",
        why="The domain is misspelled, is not registered, or is not delegated to its name servers yet.",
        do=("Check deployment.domain_name.", "Register the domain, or delegate it to its name servers, and wait until `dig SOA` answers."),
        aws_docs="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/domain-register.html",
    )


def _caa_forbids(facts: DnsFacts) -> Problem:
    if facts.issuers:
        what, named = f"Let's Encrypt may not certify {facts.domain}.", f"only {', '.join(facts.issuers)}"
    else:
        what, named = f"No certificate authority may certify {facts.domain}.", 'no authority (`0 issue ";"`)'
    return Problem(
        code="DNS-CAA-FORBIDS",
        what=what,
        why=f"Its CAA records, or those of a name above it, name {named}.",
        do=(f'Add a CAA record for your authority, for example: {facts.domain}. CAA 0 issue "letsencrypt.org"',),
        aws_docs="https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html",
    )


def _no_address(domain: str) -> Problem:
    return Problem(
        code="DNS-RECORD-MISSING",
        what=f"{domain} has no address yet.",
        why="deployment.hosted_zone_id is empty, so the deployment does not create its record.",
        do=(
            "After the deployment create an A record for it with the Elastic IP: `sre-agent-deploy output public_ip` prints it.",
            "Or set deployment.hosted_zone_id to the domain's Route 53 zone.",
        ),
    )


@dataclass(frozen=True)
class ParentFacts:
    """A custom domain, its parent, and the parent's addresses."""

    domain: str
    parent: str
    addresses: tuple[str, ...]
    created: bool = False
    """The parent is the deployment's own domain, whose record this deployment creates first."""


@dataclass(frozen=True)
class ParentResolves(DomainKnown):
    """Cognito creates a custom domain only if the name above it has an address."""

    id: ClassVar[str] = "dns.custom_domain"
    proves: ClassVar[str] = "the name above the custom domain has an address"
    requirements: ClassVar[tuple[str, ...]] = ("2.2", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> ParentFacts | Problem:  # type: ignore[override]  # other facts
        from dns.exception import DNSException

        domain = world.config.credentials.custom_domain
        parent = domain.partition(".")[2]
        if creates_parent(world.config):
            return ParentFacts(domain, parent, (), created=True)
        try:
            return ParentFacts(domain, parent, _resolve(self._resolver(), parent, "A"))
        except (DNSException, OSError) as error:
            return _no_answer(parent, error)

    def judge(self, facts: ParentFacts) -> Verdict:  # type: ignore[override]  # other facts
        if facts.created:
            return Verdict(True, f"this deployment creates the record of {facts.parent} first")
        if facts.addresses:
            return Verdict(True, f"{facts.parent} has an address")
        return Verdict(False, f"{facts.parent} has no address", _no_parent(facts))


def _no_parent(facts: ParentFacts) -> Problem:
    return Problem(
        code="COGNITO-CUSTOM-DOMAIN",
        what=f"The custom domain {facts.domain} can't be created.",
        why=f"Cognito creates it only if the name above it, {facts.parent}, has an A record.",
        do=(f"Add an A record of {facts.parent}; any address will do.", "Or choose another credentials.custom_domain."),
        aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-add-custom-domain.html",
    )


_ABSENT = ("NoSuchHostedZone", "InvalidInput")


@dataclass(frozen=True)
class HostedZoneFacts:
    """A hosted zone as Route 53 shows it; `name` is empty where it does not exist."""

    hosted_zone_id: str
    domain: str
    name: str
    private: bool = False

    def holds(self) -> bool:
        """Say if the domain is the zone's own name or below it."""
        domain, name = self.domain.rstrip(".").lower(), self.name.rstrip(".").lower()
        return domain == name or domain.endswith(f".{name}")


class HostedZoneFits:
    """The DNS record can be created in a public zone of the domain."""

    id: ClassVar[str] = "dns.hosted_zone"
    proves: ClassVar[str] = "the hosted zone exists, is public, and is the domain's"
    requirements: ClassVar[tuple[str, ...]] = ("2.1", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> HostedZoneFacts | Problem:
        chosen = world.config.deployment
        route53 = world.aws.client("route53")
        answer = ask(lambda: or_none(lambda: route53.get_hosted_zone(Id=chosen.hosted_zone_id), _ABSENT), "route53:GetHostedZone")
        if isinstance(answer, Problem):
            return answer
        if answer is None:
            return HostedZoneFacts(chosen.hosted_zone_id, chosen.domain_name, "")
        zone = answer["HostedZone"]
        return HostedZoneFacts(chosen.hosted_zone_id, chosen.domain_name, zone["Name"], bool(zone.get("Config", {}).get("PrivateZone")))

    def judge(self, facts: HostedZoneFacts) -> Verdict:
        if not facts.name:
            return Verdict(False, f"there is no hosted zone {facts.hosted_zone_id}", _absent(facts))
        if not facts.holds():
            return Verdict(False, f"hosted zone {facts.hosted_zone_id} is {facts.name}", _other_domain(facts))
        if facts.private:
            return Verdict(False, f"hosted zone {facts.hosted_zone_id} is private", _private(facts))
        return Verdict(True, f"hosted zone {facts.hosted_zone_id} ({facts.name.rstrip('.')}) is the domain's")


def _absent(facts: HostedZoneFacts) -> Problem:
    return Problem(
        code="DNS-ZONE-NOT-FOUND",
        what=f"This account has no hosted zone {facts.hosted_zone_id}.",
        why="The id is misspelled, or the zone is in another account.",
        do=(
            f"Take the id of {facts.domain}'s zone: `aws route53 list-hosted-zones --query 'HostedZones[].[Id,Name]'`.",
            "Or leave deployment.hosted_zone_id empty and create the record at the domain's DNS provider.",
        ),
    )


def _other_domain(facts: HostedZoneFacts) -> Problem:
    return Problem(
        code="DNS-ZONE-OTHER-DOMAIN",
        what=f"Hosted zone {facts.hosted_zone_id} is {facts.name.rstrip('.')}, and {facts.domain} does not lie in it.",
        why="A zone answers for its own name and what is below it; Route 53 refuses any other record.",
        do=("Correct deployment.hosted_zone_id or deployment.domain_name, so that the domain ends in the zone's name.",),
        aws_docs="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-values-shared.html",
    )


def _private(facts: HostedZoneFacts) -> Problem:
    return Problem(
        code="DNS-ZONE-PRIVATE",
        what=f"Hosted zone {facts.hosted_zone_id} is private: {facts.domain} would resolve inside its VPCs only.",
        why="The gateway reaches the backends by this name from outside of your VPCs, and so do the assistant's users.",
        do=(
            "Set deployment.hosted_zone_id to the public zone of the same name.",
            "Or leave it empty and create a public record yourself.",
        ),
        aws_docs="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/hosted-zones-private.html",
    )


@dataclass(frozen=True)
class CertificateFacts:
    """The problems of the certificate's files, or the time in which they are valid."""

    domain: str
    problems: tuple[Problem, ...]
    now: datetime
    not_before: datetime | None = None
    not_after: datetime | None = None

    def about(self, codes: frozenset[str]) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.code in codes)


@dataclass(frozen=True)
class CertificateHolds:
    """One thing that must be true of the certificate. Each is a check of its own, so that all faults are reported at once."""

    aspect: str
    proves: str
    codes: frozenset[str]

    requirements: ClassVar[tuple[str, ...]] = ("2.1", "4.1")
    required: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return f"certificate.{self.aspect}"

    def probe(self, world: Context) -> CertificateFacts:
        return read_certificate(world.config, world.now)

    def judge(self, facts: CertificateFacts) -> Verdict:
        found = facts.about(self.codes)
        if not found:
            return Verdict(True, self.proves)
        first, *others = found
        # A finding has one Problem; other files with the same fault are named in its context.
        also = {str(other.where or other.code): other.what for other in others}
        return Verdict(False, first.what, first.with_context(**also) if also else first)


class CertificateLasts:
    """The certificate is not due for renewal (`expiry.RENEWAL`). It works today, so this is only a warning."""

    id: ClassVar[str] = "certificate.renewal"
    proves: ClassVar[str] = "the certificate is not due for renewal"
    requirements: ClassVar[tuple[str, ...]] = ("2.4",)
    required: ClassVar[bool] = False

    def probe(self, world: Context) -> CertificateFacts | Problem:
        facts = read_certificate(world.config, world.now)
        return facts if facts.not_after else facts.problems[0]

    def judge(self, facts: CertificateFacts) -> Verdict:
        if facts.not_before is None or facts.not_after is None:
            return Verdict(False, "the certificate could not be read", facts.problems[0])
        left = f"the certificate has {expiry.days_left(facts.not_after, facts.now)} days left"
        problem = expiry.judge_expiry(facts.domain, facts.not_before, facts.not_after, facts.now, "files")
        return Verdict(problem is None, left, problem)


def read_certificate(config: Config, now: datetime) -> CertificateFacts:
    """Read the certificate's files. They are small, so each check reads them again."""
    chosen = config.deployment
    hosts = (chosen.domain_name,) if chosen.domain_name else ()
    certificate, key = files.find_certificate_files(chosen.domain_name, chosen.ssl_cert_path, chosen.ssl_key_path)
    loaded = files.load_certificate_files(certificate, key, ca_path=chosen.ssl_ca_path, hosts=hosts, now=now)
    if isinstance(loaded, CertificateFiles):
        return CertificateFacts(chosen.domain_name, (), now, loaded.not_before, loaded.not_after)
    return CertificateFacts(chosen.domain_name, loaded, now)


def certificate_checks() -> tuple[CertificateHolds | CertificateLasts, ...]:
    """List the checks of the user's own certificate."""
    return (
        CertificateHolds(
            "files",
            "the certificate's files can be read",
            frozenset({"TLS-FILE-UNREADABLE", "TLS-FILE-DAMAGED", "TLS-KEY-UNUSABLE"}),
        ),
        CertificateHolds("key", "the private key is the certificate's", frozenset({"TLS-KEY-MISMATCH"})),
        CertificateHolds("domain", "the certificate names the domain", frozenset({"TLS-NAME-MISSING"})),
        CertificateHolds("chain", "the certificate's chain is complete and in order", frozenset({"TLS-CHAIN-BROKEN", "TLS-SELF-SIGNED"})),
        CertificateHolds("strength", "the certificate's key and signatures are strong enough", frozenset({"TLS-TOO-WEAK"})),
        CertificateHolds("validity", "the certificate is valid now", frozenset({"TLS-EXPIRED", "TLS-NOT-YET-VALID"})),
        CertificateLasts(),
    )
