"""Settings of the Cognito user pool and its app client, with which users log in."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent_deploy.config.fault import Fault, Mode, required
from sre_agent_deploy.config.field_syntax import CLIENT_ID, COGNITO_DOMAIN, USER_POOL_ID
from sre_agent_deploy.config.secret_reference import SecretReference, plain_secret
from sre_agent_deploy.config.section import Section, setting


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
