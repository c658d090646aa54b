"""Who may log in: the Cognito user pool and its app client."""

from __future__ import annotations

from sre_agent_deploy.config.section import Section, described


class CredentialConfig(Section):
    """Amazon Cognito; everything empty means that the deployer creates a user pool of its own."""

    user_pool_id: str = described(
        "", "An existing user pool; empty creates one.", example="us-east-1_a1B2c3D4e", console="Cognito > User pools"
    )
    cognito_domain: str = described(
        "",
        "Prefix of the user pool's domain; empty generates one.",
        example="sre-login-4711",
        console="Cognito > User pools > Branding > Domain",
    )
    client_id: str = described(
        "",
        "An existing app client of that user pool; empty creates one.",
        example="1h57kf5cpq17m0eml12EXAMPLE",
        console="Cognito > User pools > Applications > App clients",
    )
    client_secret: str = described(
        "",
        "Where the app client's secret is kept; never the secret itself.",
        example="aws-secretsmanager:arn:aws:secretsmanager:us-east-1:123456789012:secret:sre-client-AbCdEf",
        console="Secrets Manager > Secrets",
    )
