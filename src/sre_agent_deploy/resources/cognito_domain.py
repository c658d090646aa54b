"""AWS::Cognito::UserPoolDomain"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

from sre_agent_deploy.account import DEPLOYMENT_ID_PATTERN
from sre_agent_deploy.aws.attempt import or_none
from sre_agent_deploy.later import Later, require_known
from sre_agent_deploy.resource import CfnResource, Defaults, Failures, Found, Mark, Owned, Ready, Steps, Waiting, cfn
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws

_RESERVED = ("aws", "amazon", "cognito")
_DOCS = "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html"
_CUSTOM_DOCS = "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-add-custom-domain.html"


@dataclass(frozen=True, kw_only=True)
class UserPoolDomain(Defaults):
    """Gives a user pool its token endpoint. The prefix is shared by everybody in the region."""

    KIND: ClassVar[str] = "AWS::Cognito::UserPoolDomain"
    UNIQUE: ClassVar[bool] = True
    FIXED: ClassVar[frozenset[str]] = frozenset({"user_pool_id", "domain"})
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset({("CreateUserPoolDomain", "InvalidParameterException")})
    LOSES: ClassVar[str] = "address"
    PARENT: ClassVar[str] = UserPool.KIND
    UNCHANGEABLE: ClassVar[frozenset[str]] = frozenset({"user_pool_id", "domain"})
    NAME_FIELD: ClassVar[str] = "domain"

    name: str
    user_pool_id: Later[str]
    domain: str

    def natural_id(self, aws: Aws) -> str:
        return f"{self.user_pool_id}/{self.domain}" if isinstance(self.user_pool_id, str) else ""

    @classmethod
    def owned(cls, aws: Aws, deployment: str) -> tuple[Owned, ...]:
        return tuple(domain for pool in UserPool.owned(aws, deployment) for domain in _list_domains(aws, pool.id))

    @classmethod
    def within(cls, aws: Aws, parent: str, deployment: str) -> tuple[Owned, ...]:
        return tuple(domain for domain in _list_domains(aws, parent) if domain.name.startswith(deployment))

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        pool, _, domain = id.partition("/")
        seen = _describe_domain(aws, domain)
        if seen.get("UserPoolId") != pool:
            return None
        # Until it is really gone its pool can't be deleted and its prefix is not free.
        going = "it is being deleted" if seen.get("Status") == "DELETING" else ""
        return Found(id, cls(name=name, user_pool_id=pool, domain=domain), {"domain": domain}, broken=going)

    def create(self, aws: Aws, mark: Mark) -> str:
        pool = require_known(self.user_pool_id)
        aws.client("cognito-idp").create_user_pool_domain(UserPoolId=pool, Domain=self.domain)
        return f"{pool}/{self.domain}"

    def ready(self, aws: Aws, id: str) -> Ready | Waiting | Problem:
        described = _describe_domain(aws, self.domain)
        status = described.get("Status", "ACTIVE") if described else "not shown yet"
        if status == "FAILED":
            return self._not_made()
        return Ready() if status == "ACTIVE" else Waiting(f"domain {self.domain} is {status}")

    @classmethod
    def delete(cls, aws: Aws, id: str) -> None:
        pool, _, domain = id.partition("/")
        # Cognito refuses to delete an absent domain as it refuses a bad value, so the domain is read first.
        if _describe_domain(aws, domain).get("Status", "DELETING") != "DELETING":
            or_none(
                lambda: aws.client("cognito-idp").delete_user_pool_domain(UserPoolId=pool, Domain=domain), ("ResourceNotFoundException",)
            )

    @classmethod
    def blockers(cls, aws: Aws, id: str, code: str) -> Waiting | Problem | None:
        domain = id.partition("/")[2]
        seen = _describe_domain(aws, domain)
        # No other deployment uses this id as prefix; Cognito frees it some time after it stops showing the domain.
        late = seen.get("Status") == "DELETING" or (not seen and re.fullmatch(DEPLOYMENT_ID_PATTERN, domain))
        return Waiting(f"Cognito to free the domain prefix {domain}, which was deleted") if late else None

    def console(self) -> Steps:
        return (
            f"Amazon Cognito > User pools > {self.user_pool_id} > Branding > Domain",
            "Actions > Create Cognito domain",
            f"Cognito domain: {self.domain}",
            "Create Cognito domain",
        )

    def template(self) -> CfnResource:
        return cfn(self.KIND, {"domain": "Ref"}, UserPoolId=self.user_pool_id, Domain=self.domain)

    def alternative(self) -> str:
        """Suggest another prefix that keeps AWS's rules."""
        plain = re.sub("[^a-z0-9-]", "-", self.domain.lower())
        for word in _RESERVED:
            plain = plain.replace(word, "")
        return f"{plain.strip('-')[:58] or 'sre-agent'}-auth"

    def _not_made(self) -> Problem:
        broken = broken_rule(self.domain)
        return Problem(
            code="COGNITO-DOMAIN-INVALID" if broken else "COGNITO-DOMAIN-TAKEN",
            what=f"Domain {self.domain} was not created.",
            why=broken or "Another user pool, perhaps of another account, has this prefix; prefixes are shared by everybody in a region.",
            do=(f"Choose another prefix, for example {self.alternative()}.", "Run the same command again."),
            aws_docs=_DOCS,
        )

    FAILURES: ClassVar[Failures] = {
        # AWS says InvalidParameterException for both a prefix against the rules and one that is taken; the rules are known.
        ("CreateUserPoolDomain", "InvalidParameterException"): _not_made,
        ("CreateUserPoolDomain", "LimitExceededException"): lambda domain: Problem(
            code="COGNITO-DOMAIN-QUOTA",
            what=f"Domain {domain.domain} was not created.",
            why="This user pool has its one Cognito domain already, or the account has as many as its quota allows.",
            do=(
                "Open the pool under Amazon Cognito > User pools > Branding > Domain and delete the domain that is not needed.",
                "Run the same command again.",
            ),
        ),
    }


@dataclass(frozen=True, kw_only=True)
class CustomDomain(UserPoolDomain):
    """Gives the user pool a name of the user's, beside its prefix. Cognito serves it by CloudFront, with a certificate of ACM."""

    LISTS_KIND: ClassVar[bool] = False
    BLOCKERS: ClassVar[frozenset[tuple[str, str]]] = frozenset()

    certificate_arn: str

    @classmethod
    def read(cls, aws: Aws, id: str, name: str) -> Found[Self] | None:
        pool, _, domain = id.partition("/")
        seen = _describe_domain(aws, domain)
        if seen.get("UserPoolId") != pool:
            return None
        certificate = seen.get("CustomDomainConfig", {}).get("CertificateArn", "")
        # One that has failed stays so: only another one can work.
        broken = {"DELETING": "it is being deleted", "FAILED": "Cognito could not set it up"}.get(seen.get("Status", ""), "")
        outputs = {"domain": domain, "cloudfront_domain": seen.get("CloudFrontDistribution", "")}
        return Found(id, cls(name=name, user_pool_id=pool, domain=domain, certificate_arn=certificate), outputs, broken=broken)

    def create(self, aws: Aws, mark: Mark) -> str:
        pool = require_known(self.user_pool_id)
        aws.client("cognito-idp").create_user_pool_domain(
            UserPoolId=pool, Domain=self.domain, CustomDomainConfig={"CertificateArn": self.certificate_arn}
        )
        return f"{pool}/{self.domain}"

    def configure(self, aws: Aws, id: str) -> None:
        pool, _, domain = id.partition("/")
        seen = _describe_domain(aws, domain).get("CustomDomainConfig", {})
        if seen.get("CertificateArn") != self.certificate_arn:
            # With what else is set there, such as the security policy.
            changed: Any = seen | {"CertificateArn": self.certificate_arn}
            aws.client("cognito-idp").update_user_pool_domain(UserPoolId=pool, Domain=domain, CustomDomainConfig=changed)

    def console(self) -> Steps:
        return (
            f"Amazon Cognito > User pools > {self.user_pool_id} > Branding > Domain",
            "Actions > Create custom domain",
            f"Custom domain: {self.domain}; ACM certificate: {self.certificate_arn}",
            "Create custom domain; its alias target is the name in CloudFront that its DNS record leads to",
        )

    def template(self) -> CfnResource:
        return cfn(
            self.KIND,
            {"domain": "Ref", "cloudfront_domain": "CloudFrontDistribution"},
            UserPoolId=self.user_pool_id,
            Domain=self.domain,
            CustomDomainConfig={"CertificateArn": self.certificate_arn},
        )

    def _not_made(self) -> Problem:
        return _not_set_up(self, "created")

    FAILURES: ClassVar[Failures] = {
        # AWS says InvalidParameterException for each of the causes.
        ("CreateUserPoolDomain", "InvalidParameterException"): _not_made,
        ("UpdateUserPoolDomain", "InvalidParameterException"): lambda domain: _not_set_up(domain, "given its certificate"),
        ("CreateUserPoolDomain", "LimitExceededException"): lambda domain: Problem(
            code="COGNITO-DOMAIN-QUOTA",
            what=f"Domain {domain.domain} was not created.",
            why="This user pool has its one custom domain already, or the account has as many (4) as its quota allows.",
            do=(
                "Open the pool under Amazon Cognito > User pools > Branding > Domain and delete the domain that is not needed.",
                "Run the same command again.",
            ),
        ),
    }


def _not_set_up(domain: CustomDomain, what: str) -> Problem:
    parent = domain.domain.partition(".")[2]
    return Problem(
        code="COGNITO-CUSTOM-DOMAIN",
        what=f"The custom domain {domain.domain} was not {what}.",
        why=f"{parent} has no A record, the certificate is not one for {domain.domain} that is issued in us-east-1, or the name is in use.",
        do=(
            f"Check that `dig +short {parent}` answers an address. If not, add an A record for it: any address will do.",
            f"Check the certificate: `aws acm describe-certificate --region us-east-1 --certificate-arn {domain.certificate_arn}`.",
            f"Check that no other user pool and no CloudFront distribution has the name {domain.domain}; one that was deleted "
            "keeps it for some minutes.",
            "Run the same command again.",
        ),
        aws_docs=_CUSTOM_DOCS,
    )


def broken_rule(domain: str) -> str:
    """Name the rule for domain prefixes that `domain` breaks; empty if it breaks none."""
    if not re.fullmatch("[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", domain):
        return "A domain prefix has 1 to 63 lowercase letters, digits and hyphens, and no hyphen at its ends."
    reserved = [word for word in _RESERVED if word in domain]
    return f"A domain prefix can't contain {reserved[0]!r}." if reserved else ""


def _describe_domain(aws: Aws, domain: str) -> dict[str, Any]:
    """Read the domain as Cognito shows it; an unknown one has an empty description, or is an error."""
    seen: Any = or_none(
        lambda: aws.client("cognito-idp").describe_user_pool_domain(Domain=domain)["DomainDescription"], ("ResourceNotFoundException",)
    )
    return seen or {}


def _list_domains(aws: Aws, pool: str) -> tuple[Owned, ...]:
    """List the domains of a pool: its prefix, and a custom domain that may have been added by hand."""
    seen = aws.client("cognito-idp").describe_user_pool(UserPoolId=pool)["UserPool"]
    return tuple(Owned(f"{pool}/{domain}", domain) for domain in (seen.get("Domain"), seen.get("CustomDomain")) if domain)
