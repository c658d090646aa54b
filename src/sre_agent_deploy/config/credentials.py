"""Settings of the Cognito user pool and its app client, with which users log in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sre_agent_deploy.config import Fault, Mode, ignored, required
from sre_agent_deploy.config.environment import SecretReference, plain_secret
from sre_agent_deploy.config.field_syntax import ACM_CERTIFICATE, CLIENT_ID, COGNITO_DOMAIN, CUSTOM_DOMAIN, USER_POOL_ID
from sre_agent_deploy.config.section import Section, setting

PASSWORD_LENGTHS = range(6, 100)
TEMPORARY_DAYS = range(1, 366)  # Cognito takes 0 and uses 7 days then

_OF_A_NEW_POOL = ("mfa", "password_length", "temporary_password_days", "custom_domain", "custom_domain_certificate")


class CredentialConfig(Section):
    """Amazon Cognito; everything empty means that the deployer creates a user pool of its own."""

    user_pool_id: str = setting(
        "", "An existing user pool; empty creates one.", example="us-east-1_a1B2c3D4e", console="Cognito > User pools"
    )
    cognito_domain: str = setting(
        "",
        "Prefix of the user pool's domain; empty generates one.",
        example="sre-login-4711",
        console="Cognito > User pools > Branding > Domain",
    )
    custom_domain: str = setting(
        "", "A name of yours for the user pool's login and token endpoint, beside the prefix; empty for none.", example="auth.example.com"
    )
    custom_domain_certificate: str = setting(
        "",
        "The certificate of custom_domain in AWS Certificate Manager, which must be in us-east-1 in every case.",
        example=ACM_CERTIFICATE.example,
        console="Certificate Manager (N. Virginia) > Certificates",
    )
    client_id: str = setting(
        "",
        "An existing app client of that user pool; empty creates one.",
        example="1h57kf5cpq17m0eml12EXAMPLE",
        console="Cognito > User pools > Applications > App clients",
    )
    client_secret: str = setting(
        "",
        "Where the app client's secret is kept; never the secret itself.",
        example="aws-secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:sre-client-AbCdEf",
        console="Secrets Manager > Secrets",
    )
    mfa: Literal["OFF", "OPTIONAL", "ON"] = setting(
        "OPTIONAL",
        "Multi-factor authentication of the people in the user pool that is created, with an authenticator app: OFF, OPTIONAL or ON. "
        "Programs get their tokens without it.",
        example="ON",
        console="Cognito > User pools > Authentication > Sign-in",
    )
    password_length: int = setting(14, "Least length of their passwords: 6 to 99 characters.", example="16")
    temporary_password_days: int = setting(1, "Days for which the first password of an invitation is valid: 1 to 365.", example="3")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Yield a fault for each ID that Cognito would refuse, and for an app client without its user pool or its secret."""
        yield from USER_POOL_ID.faults("user_pool_id", self.user_pool_id)
        yield from CLIENT_ID.faults("client_id", self.client_id)
        yield from COGNITO_DOMAIN.faults("cognito_domain", self.cognito_domain)
        if self.client_secret and not SecretReference.parse(self.client_secret):
            yield plain_secret("client_secret")
        if self.client_id and not self.user_pool_id:
            yield required("user_pool_id", USER_POOL_ID.example, "An existing app client belongs to an existing user pool.")
        if self.client_id and not self.client_secret:
            yield required("client_secret", "env:COGNITO_CLIENT_SECRET", "Tokens of an existing app client need its secret.")
        if self.client_secret and not self.client_id:
            yield required("client_id", CLIENT_ID.example, "A client secret belongs to an app client.")
        yield from password_faults("password_length", self.password_length, PASSWORD_LENGTHS, "14")
        yield from password_faults("temporary_password_days", self.temporary_password_days, TEMPORARY_DAYS, "1")
        yield from CUSTOM_DOMAIN.faults("custom_domain", self.custom_domain)
        yield from ACM_CERTIFICATE.faults("custom_domain_certificate", self.custom_domain_certificate)
        if self.custom_domain and not self.custom_domain_certificate:
            why = "Cognito serves custom_domain with a certificate of yours."
            yield required("custom_domain_certificate", ACM_CERTIFICATE.example, why)
        if self.custom_domain_certificate and not self.custom_domain:
            yield required("custom_domain", CUSTOM_DOMAIN.example, "A certificate belongs to a name.")
        if self.user_pool_id:
            yield from ignored(self, _OF_A_NEW_POOL, "user_pool_id names a user pool")


def password_faults(field: str, value: int, allowed: range, correction: str) -> Iterator[Fault]:
    """Yield a fault for a number that a user pool's password policy does not take."""
    if value not in allowed:
        yield Fault(
            code="CONFIG-PASSWORD-POLICY",
            path=(field,),
            what=f"{field} is not a number that Cognito takes.",
            why=f"It must be {allowed.start} to {allowed.stop - 1}.",
            do=(f"Write it like this: {field}: {correction}",),
            correction=correction,
            aws_docs="https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_PasswordPolicyType.html",
        )
