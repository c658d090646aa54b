"""Check the user pool that the user named: it and its app client can be used, and it does not let strangers in;
and the certificate of its custom domain: CloudFront takes it from AWS Certificate Manager in us-east-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.preflight import Context, ask
from sre_agent_deploy.resources.cognito_app_client import AppClient
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_core.problem import Problem

# The least that Cognito's own advice has for people: https://docs.aws.amazon.com/cognito/latest/developerguide/managing-users-passwords.html
_SHORTEST_PASSWORD = 8


@dataclass(frozen=True)
class PoolFacts:
    """A pool and its app client, as Cognito shows them; None where they do not exist."""

    pool_id: str
    client_id: str
    pool: UserPool | None = None
    client: AppClient | None = None


def _look(world: Context) -> PoolFacts | Problem:
    chosen, aws = world.config.credentials, world.aws
    pool = ask(lambda: UserPool.read(aws, chosen.user_pool_id, "user_pool"), "cognito-idp:DescribeUserPool")
    if isinstance(pool, Problem):
        return pool
    if pool is None or not chosen.client_id:
        return PoolFacts(chosen.user_pool_id, chosen.client_id, pool.seen if pool else None)
    id = f"{chosen.user_pool_id}/{chosen.client_id}"
    client = ask(lambda: AppClient.read(aws, id, "gateway_client"), "cognito-idp:DescribeUserPoolClient")
    if isinstance(client, Problem):
        return client
    return PoolFacts(chosen.user_pool_id, chosen.client_id, pool.seen, client.seen if client else None)


class PoolUsable:
    """The named pool exists, and its named app client issues tokens to machines."""

    id: ClassVar[str] = "cognito.pool"
    proves: ClassVar[str] = "the named user pool and app client exist, and the client gets tokens with its secret"
    requirements: ClassVar[tuple[str, ...]] = ("2.3", "3.5")
    required: ClassVar[bool] = True

    def probe(self, world: Context) -> PoolFacts | Problem:
        return _look(world)

    def judge(self, facts: PoolFacts) -> Verdict:
        if facts.pool is None:
            return Verdict(False, f"there is no user pool {facts.pool_id}", _not_found("user pool", facts.pool_id, "user_pool_id"))
        if facts.client_id and facts.client is None:
            return Verdict(False, f"there is no app client {facts.client_id}", _not_found("app client", facts.client_id, "client_id"))
        if facts.client and "client_credentials" not in facts.client.flows:
            return Verdict(False, f"app client {facts.client_id} gets no tokens by itself", _no_flow(facts))
        return Verdict(True, f"user pool {facts.pool_id} can be used")


class PoolProtected:
    """The named pool lets in only whom its owner adds."""

    id: ClassVar[str] = "cognito.pool_protected"
    proves: ClassVar[str] = "the named user pool has no sign-up, asks for long passwords, and offers a second factor"
    requirements: ClassVar[tuple[str, ...]] = ("2.3", "3.5")
    required: ClassVar[bool] = False

    def probe(self, world: Context) -> PoolFacts | Problem:
        return _look(world)

    def judge(self, facts: PoolFacts) -> Verdict:
        gaps = list_gaps(facts.pool) if facts.pool else {}
        if gaps:
            return Verdict(False, f"user pool {facts.pool_id}: {', '.join(gaps)}", _unprotected(facts, gaps))
        return Verdict(True, f"user pool {facts.pool_id} lets in only whom its owner adds")


def list_gaps(pool: UserPool) -> dict[str, str]:
    """Map what a pool lacks to what to set (pure)."""
    gaps = {
        "people may sign up by themselves": "AdminCreateUserConfig: AllowAdminCreateUserOnly=true" if pool.self_registration else "",
        "passwords may be short": f"Policies: PasswordPolicy MinimumLength {_SHORTEST_PASSWORD} or more"
        if pool.password_length < _SHORTEST_PASSWORD
        else "",
        "no second factor": "MFA: OPTIONAL or ON, with an authenticator app" if pool.mfa == "OFF" else "",
    }
    return {gap: setting for gap, setting in gaps.items() if setting}


def _not_found(kind: str, id: str, setting: str) -> Problem:
    return Problem(
        code="COGNITO-NAMED-NOT-FOUND",
        what=f"The {kind} {id}, which credentials.{setting} names, does not exist.",
        why="What is named is used and never created; its id is misspelled, of another region, or it was deleted.",
        do=(f"Correct credentials.{setting} (Cognito > User pools), or leave it empty to have one created.",),
    )


def _no_flow(facts: PoolFacts) -> Problem:
    return Problem(
        code="COGNITO-NAMED-CLIENT",
        what=f"The app client {facts.client_id}, which credentials.client_id names, gets no token by itself.",
        why="Its OAuth flows do not include client_credentials, which needs a client with a secret.",
        do=(
            "Allow the client credentials grant: Cognito > User pools > App clients > Login pages > Edit > OAuth grant types.",
            "Or leave credentials.client_id empty to have a client created in this pool.",
        ),
        aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/federation-endpoints-oauth-grants.html",
    )


def _unprotected(facts: PoolFacts, gaps: dict[str, str]) -> Problem:
    return Problem(
        code="COGNITO-NAMED-UNPROTECTED",
        what=f"The user pool {facts.pool_id}, which credentials.user_pool_id names, is less strict than one that is created.",
        why=f"In it: {', '.join(gaps)}. A pool that is named is never changed.",
        do=tuple(f"Set {setting}." for setting in gaps.values()),
        aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/security_best_practices.html",
    )


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
