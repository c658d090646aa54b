"""Declare the gateway: its role, the provider of its key, and for each backend a target with its OpenAPI document (pure)."""

from __future__ import annotations

from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Item
from sre_agent_deploy.later import LaterText, Ref, text
from sre_agent_deploy.names import (
    API_KEY,
    api_key,
    authority,
    base_url,
    gateway_name,
    prefix,
)
from sre_agent_deploy.policies import (
    gateway_role_statements,
    gateway_trust,
)
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.agentcore_gateway_target import GatewayTarget
from sre_agent_deploy.resources.api_key_credential_provider import ApiKeyCredentialProvider
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.s3_object import Content, S3Object
from sre_core import release, tracing


def declare_gateway_role(config: Config, facts: AccountFacts, id: str) -> Item:
    chosen = config.aws.role_name.rpartition("/")[2]
    name = f"{id}-gateway"
    return Item(
        IamRole(
            name="gateway_role",
            role_name=chosen or name,
            path=f"/sre-agent/{id}/",
            service="bedrock-agentcore.amazonaws.com",
            permissions_boundary=config.aws.permissions_boundary,
            trust_conditions=gateway_trust(facts.partition, facts.region, facts.account_id, gateway_name(config, id)),
            statements=gateway_role_statements(
                facts.partition, facts.region, facts.account_id, gateway_name(config, id), api_key(config).secret_arn
            ),
        ),
        named=chosen,
    )


def declare_provider(config: Config, id: str) -> Item:
    provider = ApiKeyCredentialProvider(
        name="credential_provider", provider_name=f"{id}-backends", secret_arn=Ref("backend_key", "secret_arn"), json_key=API_KEY
    )
    return Item(provider, named=config.gateway.provider_arn.rpartition("/")[2])


def declare_gateway(config: Config, id: str) -> Item:
    """Declare the gateway. Only tokens of its client pass: Cognito's machine tokens have no audience, so the client is checked."""
    return Item(
        Gateway(
            name="gateway",
            gateway_name=gateway_name(config, id),
            description=config.gateway.description,
            role_arn=Ref("gateway_role", "role_arn"),
            discovery_url=Ref("user_pool", "discovery_url"),
            allowed_clients=(Ref("gateway_client", "client_id"),),
            search=config.gateway.search,
            debug=config.gateway.debug,
        )
    )


def declare_targets(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    """Declare for each backend its OpenAPI document, with its final address, and the gateway target that reads it."""
    return tuple(item for service in release.backends() for item in declare_target(config, facts, id, service))


def declare_target(config: Config, facts: AccountFacts, id: str, service: release.Service) -> tuple[Item, Item]:
    document, name = facts.openapi[service.name], f"openapi_{service.name}"
    located = text(
        '{"servers":[{"url":"{base}' + service.route.rstrip("/") + '"}],' + document.lstrip()[1:], base=base_url(config, facts.https_suffix)
    )
    # A gateway target reads its document once; another address or document must be another key, or it would go unnoticed.
    key = text("openapi/{host}/" + f"{service.name}.json", host=authority(config, facts.https_suffix))
    return (
        Item(declare_object(config, id, name, key=key, body=located, content_type="application/json")),
        Item(
            GatewayTarget(
                name=f"target_{service.name}",
                gateway_id=Ref("gateway", "gateway_id"),
                target_name=service.name,
                description=f"The {service.name} API of {id}",
                schema_uri=Ref(name, "uri"),
                provider_arn=Ref("credential_provider", "provider_arn"),
                ca_uri=Ref("private_ca", "uri") if facts.private_ca else "",
                passed_headers=(tracing.HEADER,) if config.monitoring.traces else (),
            )
        ),
    )


def declare_object(config: Config, id: str, name: str, *, key: LaterText, body: LaterText | bytes, content_type: str) -> S3Object:
    return S3Object(
        name=name,
        bucket_name=Ref("bucket", "bucket_name"),
        key=text(f"{prefix(config, id)}/{{key}}", key=key),
        content=Content(body),
        content_type=content_type,
    )
