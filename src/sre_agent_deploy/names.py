"""Names and addresses that several resources of a deployment share (pure)."""

from __future__ import annotations

from sre_agent_deploy.config.models import Config
from sre_agent_deploy.later import LaterText, Ref, text

RESOURCE_SERVER = "sre-agent"
GATEWAY_SCOPE = "gateway.invoke"
CALLER_SCOPE = "assistant.invoke"


def gateway_name(config: Config, id: str) -> str:
    return config.gateway.gateway_name or id


def prefix(config: Config, id: str) -> str:
    """Where in the bucket this deployment keeps its objects."""
    return "/".join(part for part in (config.gateway.s3_path_prefix.strip("/"), id) if part)


def address(output: str) -> Ref:
    return Ref("address", output)


def base_url(config: Config) -> LaterText:
    """Where people and the gateway reach this deployment."""
    return text("https://{authority}", authority=authority(config))


def authority(config: Config) -> LaterText:
    """Host, and a port only where AWS's answer says that 443 is another one."""
    domain = config.deployment.domain_name
    return text("{domain}{suffix}", domain=domain, suffix=address("https_suffix")) if domain else address("https_authority")
