"""Check the certificate of the user pool's custom domain: CloudFront takes it from AWS Certificate Manager in us-east-1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.preflight.context import Context, ask
from sre_core.problem import Problem

REGION = "us-east-1"


@dataclass(frozen=True)
class CertificateFacts:
    """A certificate as ACM shows it; `status` is empty where it does not exist."""

    domain: str
    arn: str
    status: str = ""
    names: tuple[str, ...] = ()

    def covers(self) -> bool:
        """Say if one of the names is the domain, or a wildcard one label above it."""
        return any(name in (self.domain, f"*.{self.domain.partition('.')[2]}") for name in self.names)


class LoginCertificateFits:
    """The certificate of the custom domain exists, is issued, and names the domain."""

    id: ClassVar[str] = "login.certificate"
    proves: ClassVar[str] = "the custom domain's certificate is issued in us-east-1 and names it"
    requirements: ClassVar[tuple[str, ...]] = ("2.2", "4.1")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> CertificateFacts | Problem:
        chosen = world.config.credentials
        acm = world.aws.in_region(REGION).client("acm")
        read = lambda: acm.describe_certificate(CertificateArn=chosen.custom_domain_certificate)["Certificate"]  # noqa: E731
        found = ask(lambda: or_none(read, ("ResourceNotFoundException",)), "acm:DescribeCertificate")
        if isinstance(found, Problem):
            return found
        names = (found.get("DomainName", ""), *found.get("SubjectAlternativeNames", ())) if found else ()
        return CertificateFacts(
            chosen.custom_domain, chosen.custom_domain_certificate, found.get("Status", "") if found else "", tuple(filter(None, names))
        )

    def judge(self, facts: CertificateFacts) -> Verdict:
        if not facts.status:
            return Verdict(False, f"there is no certificate {facts.arn}", _unusable(facts, "it does not exist in this account"))
        if facts.status != "ISSUED":
            return Verdict(False, f"the certificate is {facts.status}", _unusable(facts, f"it is {facts.status}, not ISSUED"))
        if not facts.covers():
            return Verdict(
                False, f"the certificate is for {', '.join(facts.names)}", _unusable(facts, f"it names {', '.join(facts.names)}")
            )
        return Verdict(True, f"the certificate is issued for {facts.domain}")


def _unusable(facts: CertificateFacts, why: str) -> Problem:
    return Problem(
        code="COGNITO-CUSTOM-DOMAIN-CERTIFICATE",
        what=f"The certificate of credentials.custom_domain_certificate can't serve {facts.domain}.",
        why=f"In Certificate Manager of {REGION}, {why}.",
        do=(
            f"Request one: aws acm request-certificate --region {REGION} --domain-name {facts.domain} --validation-method DNS",
            "Prove the domain with the record that ACM shows, wait until it is ISSUED, and write its ARN into the configuration.",
        ),
        aws_docs="https://docs.aws.amazon.com/acm/latest/userguide/acm-public-certificates.html",
    )
