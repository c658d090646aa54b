"""Names and addresses that several resources of a deployment share (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from sre_agent_deploy.config.models import Config
from sre_agent_deploy.later import LaterText, Ref, text

RESOURCE_SERVER = "sre-agent"
GATEWAY_SCOPE = "gateway.invoke"
CALLER_SCOPE = "assistant.invoke"
API_KEY = "api_key"
SESSION_TABLE = "session_table"
"""The name in the blueprint of the table of the assistant's sessions."""


def gateway_name(config: Config, id: str) -> str:
    return config.gateway.gateway_name or id


@dataclass(frozen=True)
class ApiKey:
    """The location of the key that the gateway sends and the backends ask for: a secret's ARN, and the key in its JSON."""

    secret_arn: Ref
    json_key: str | Ref


def api_key(config: Config) -> ApiKey:
    """Locate the API key: our own, or the one of the credential provider that the user named; the gateway sends no other."""
    if config.gateway.provider_arn:
        return ApiKey(Ref("credential_provider", "secret_arn"), Ref("credential_provider", "json_key"))
    return ApiKey(Ref("backend_key", "secret_arn"), API_KEY)


def prefix(config: Config, id: str) -> str:
    """Return the prefix of this deployment's objects in the bucket."""
    return "/".join(part for part in (config.gateway.s3_path_prefix.strip("/"), id) if part)


def has_custom_domain(config: Config) -> bool:
    """Return True if the user pool gets a name of the user's beside its prefix. A pool of the user's is not changed."""
    return bool(config.credentials.custom_domain and not config.credentials.user_pool_id)


def prefix_token_endpoint(domain: LaterText, region: str) -> LaterText:
    """Return the token endpoint at the prefix of a pool on Amazon's AWS.

    Cognito's discovery document shows the custom domain alone, which leads nowhere before its DNS record is made:
    https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain.html
    """
    return text("https://{domain}.auth." + region + ".amazoncognito.com/oauth2/token", domain=domain)


def log_resource(name: str) -> str:
    """Return the name in the blueprint of one of the log groups of `sre_core/metrics.py`."""
    return f"log_{name.replace('-', '_')}"


def address(output: str) -> Ref:
    return Ref("address", output)


def moves_by_name(config: Config) -> bool:
    """Return True if a DNS record says which machine serves, so that each machine has an address of its own."""
    return bool(config.deployment.domain_name and config.deployment.hosted_zone_id)


def creates_parent(config: Config) -> bool:
    """Return True if the name above the custom domain is the deployment's own, whose record the deployment creates."""
    parent = config.credentials.custom_domain.partition(".")[2]
    return moves_by_name(config) and parent.lower() == config.deployment.domain_name.rstrip(".").lower()


def base_url(config: Config, https_suffix: str) -> LaterText:
    """Return the URL of this deployment for people and for the gateway."""
    return text("https://{authority}", authority=authority(config, https_suffix))


def authority(config: Config, https_suffix: str) -> LaterText:
    """Return the host, and a port only where AWS's answer says that 443 is another one."""
    domain = config.deployment.domain_name
    if moves_by_name(config):
        # An address that changes with its machine must not change the documents of the gateway's targets.
        return f"{domain}{https_suffix}"
    return text("{domain}{suffix}", domain=domain, suffix=address("https_suffix")) if domain else address("https_authority")
