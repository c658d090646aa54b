"""The mission's models: frozen, in AWS's terms, each able to say whether it can be deployed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sre_agent_deploy.config.models import (
    AssistantConfig,
    AWSConfig,
    Config,
    CredentialConfig,
    DeploymentConfig,
    GatewayConfig,
    ValidationResult,
)


@pytest.mark.parametrize(
    "section",
    [
        AWSConfig(account_id="123456789012", region="eu-central-1"),
        CredentialConfig(),
        GatewayConfig(gateway_name="sre", s3_bucket="sre-specs"),
        DeploymentConfig(domain_name="sre.example.com"),
    ],
    ids=lambda section: type(section).__name__,
)
def test_a_section_that_can_be_deployed(section: AWSConfig) -> None:
    """Valid, with nothing to say."""
    assert section.validate() == ValidationResult(is_valid=True)


@pytest.mark.parametrize(
    ("section", "word"),
    [
        (AWSConfig(account_id="12"), "12 digits"),
        (CredentialConfig(cognito_domain="my-cognito"), "cognito"),
        (GatewayConfig(s3_bucket="No_Capitals"), "lower-case"),
        (DeploymentConfig(instance_type="t3.small", domain_name="sre.example.com"), "too small"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_section_that_cannot_be_deployed(section: AWSConfig, word: str) -> None:
    """Invalid, with an error that says why and a suggestion."""
    result = section.validate()
    assert not result.is_valid
    assert word in result.errors[0]
    assert result.suggestions


def test_a_warning_is_no_error() -> None:
    """A configuration with a warning is valid."""
    result = DeploymentConfig(instance_type="z9.xlarge", domain_name="sre.example.com").validate()
    assert result.is_valid
    assert "could not be checked" in result.warnings[0]
    assert AWSConfig(account_id="123456789012", region="ap-southeast-9").validate().is_valid
    assert GatewayConfig(s3_bucket="sre.specs").validate().warnings
    named = CredentialConfig(user_pool_id="us-east-1_a1B2c3D4e", mfa="ON").validate()
    assert named.is_valid
    assert "mfa has no effect" in named.warnings[0]


def test_a_whole_configuration_judges_for_its_own_mode() -> None:
    """A local configuration is not asked for an account."""
    assert Config(mode="local").validate().is_valid
    assert any("aws.account_id" in error for error in Config(mode="production").validate().errors)


def test_sections_can_not_be_changed() -> None:
    """A configuration that was validated stays the one that was validated."""
    with pytest.raises(ValidationError, match="frozen"):
        AWSConfig().region = "eu-west-1"


def test_compose_where_nothing_reaches_docker() -> None:
    """Before a deployment a warning says what will be absent; Ubuntu has a package of its own, and Docker alone is Amazon Linux's."""
    chosen = DeploymentConfig(libraries="machine-libraries", domain_name="sre.example.com")
    assert "download.docker.com" in chosen.validate().warnings[0]
    for other in ({"software": "docker"}, {"software": "none"}, {"operating_system": "ubuntu-22.04"}, {"libraries": ""}):
        assert not chosen.model_copy(update=other).validate().warnings


def test_ipv6_without_a_record() -> None:
    """A warning says that the machine's address changes with each update, unless a hosted zone names it."""
    ipv6 = AWSConfig(account_id="123456789012", ipv6=True)
    unnamed = Config(mode="production", aws=ipv6).validate().warnings
    assert any("nothing names the machine's IPv6 address" in each for each in unnamed)
    named = DeploymentConfig(domain_name="sre.example.com", hosted_zone_id="Z0123456789ABCDEFGHIJ")
    assert not any("IPv6" in each for each in Config(mode="production", aws=ipv6, deployment=named).validate().warnings)


def test_too_many_tags() -> None:
    """AWS's limit leaves room for the deployer's own tags."""
    tags = {f"tag{number}": "x" for number in range(41)}
    assert "too many" in Config(mode="local", tags=tags).validate().errors[0]


def test_a_secret_of_another_account() -> None:
    """A reference to Secrets Manager is in the account and region of the deployment."""
    reference = "aws-secretsmanager:arn:aws:secretsmanager:us-east-1:210987654321:secret:sre-AbCdEf"
    credentials = CredentialConfig(user_pool_id="us-east-1_a1B2c3D4e", client_id="abc", client_secret=reference)
    result = Config(mode="local", aws=AWSConfig(account_id="123456789012"), credentials=credentials).validate()
    assert any("another account" in error for error in result.errors)


def test_the_network_of_a_runtime() -> None:
    """Without the runtime it has no effect, which is a warning; of subnets and security groups AgentCore takes sixteen each."""
    groups = ("sg-0a1b2c3d4e5f60718",)
    unused = AssistantConfig(subnet_ids=("subnet-0a1b2c3d4e5f60718",), security_group_ids=groups).validate()
    assert (unused.is_valid, "no effect" in unused.warnings[0]) == (True, True)
    many = tuple(f"subnet-0a1b2c3d4e5f607{number}" for number in range(10, 27))
    production = {"runtime": "agentcore", "libraries": "libraries", "security_group_ids": groups}
    assert AssistantConfig.model_validate({**production, "subnet_ids": many[:16]}).validate() == ValidationResult(is_valid=True)
    assert "more than 16 entries" in AssistantConfig.model_validate({**production, "subnet_ids": many}).validate().errors[0]
