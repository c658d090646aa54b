"""Check the user's own certificate: readable files, matching key, domain, complete chain, validity."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.tls import expiry, files
from sre_agent_deploy.tls.files import CertificateFiles
from sre_core.problem import Problem


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
