"""Declare what runs on AgentCore, the gateway and with `assistant.runtime: agentcore` the assistant, and the login for both (pure)."""

from __future__ import annotations

from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Item
from sre_agent_deploy.instance.user_data import describe_assistant
from sre_agent_deploy.later import LaterText, Ref, decode_refs, text
from sre_agent_deploy.names import (
    API_KEY,
    CALLER_SCOPE,
    GATEWAY_SCOPE,
    RESOURCE_SERVER,
    api_key,
    authority,
    base_url,
    creates_parent,
    gateway_name,
    has_custom_domain,
    log_resource,
    prefix,
)
from sre_agent_deploy.policies import (
    bucket_key_statements,
    gateway_role_statements,
    gateway_trust,
    image_statements,
    model_statements,
    package_statements,
    runtime_role_statements,
    runtime_trust,
    session_statements,
)
from sre_agent_deploy.resources.agentcore_gateway import Gateway
from sre_agent_deploy.resources.agentcore_gateway_target import GatewayTarget
from sre_agent_deploy.resources.agentcore_runtime import AgentRuntime, RuntimeNetwork
from sre_agent_deploy.resources.agentcore_runtime_endpoint import RuntimeEndpoint
from sre_agent_deploy.resources.api_key_credential_provider import ApiKeyCredentialProvider
from sre_agent_deploy.resources.cognito_app_client import AppClient
from sre_agent_deploy.resources.cognito_domain import CustomDomain, UserPoolDomain
from sre_agent_deploy.resources.cognito_resource_server import ResourceServer
from sre_agent_deploy.resources.cognito_user_pool import UserPool
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.logs_log_group import LogGroup, name_runtime, name_runtime_log
from sre_agent_deploy.resources.policy_document import Statement
from sre_agent_deploy.resources.route53_record import AliasRecord
from sre_agent_deploy.resources.s3_object import Content, S3Object
from sre_agent_deploy.resources.secretsmanager_secret import ClientSecret
from sre_core import metrics, release, tracing

ENDPOINT = "runtime_endpoint"
SERVES = "live"
_TRIES = "DEFAULT"
"""The endpoint that AgentCore makes with the runtime: an update asks a new version there first."""


def declare_login(config: Config, id: str) -> tuple[Item, ...]:
    """Declare the user pool, its token endpoint, and one app client each for the gateway and the assistant."""
    pool, chosen = Ref("user_pool", "user_pool_id"), config.credentials
    named_client = f"{chosen.user_pool_id}/{chosen.client_id}" if chosen.client_id else ""
    named_domain = f"{chosen.user_pool_id}/{chosen.cognito_domain}" if chosen.user_pool_id and chosen.cognito_domain else ""
    scopes = ((GATEWAY_SCOPE, "Call tools through the gateway"), (CALLER_SCOPE, "Ask the assistant"))
    identifier = Ref("resource_server", "identifier")
    # A pool of the user may have other users too, so our resource server gets a name of its own there.
    server = id if chosen.user_pool_id else RESOURCE_SERVER
    users = UserPool(
        name="user_pool",
        pool_name=id,
        mfa=chosen.mfa,
        password_length=chosen.password_length,
        temporary_days=chosen.temporary_password_days,
    )
    return (
        Item(users, named=chosen.user_pool_id),
        Item(UserPoolDomain(name="user_pool_domain", user_pool_id=pool, domain=chosen.cognito_domain or id), named=named_domain),
        Item(ResourceServer(name="resource_server", user_pool_id=pool, identifier=server, scopes=scopes)),
        Item(
            AppClient(
                name="gateway_client",
                user_pool_id=pool,
                client_name=f"{id}-gateway",
                scopes=(text("{id}/" + GATEWAY_SCOPE, id=identifier),),
            ),
            named=named_client,
        ),
        Item(
            AppClient(
                name="caller_client", user_pool_id=pool, client_name=f"{id}-caller", scopes=(text("{id}/" + CALLER_SCOPE, id=identifier),)
            )
        ),
    )


def declare_custom_domain(config: Config, zone_name: str) -> tuple[Item, ...]:
    """Declare a name of the user's for the login, and its record where the hosted zone contains it; else that is the user's to make."""
    chosen, zone = config.credentials, config.deployment.hosted_zone_id
    if not has_custom_domain(config):
        return ()
    domain = CustomDomain(
        name="custom_domain",
        user_pool_id=Ref("user_pool", "user_pool_id"),
        domain=chosen.custom_domain,
        certificate_arn=chosen.custom_domain_certificate,
    )
    # Cognito refuses a domain whose parent has no address.
    item = Item(domain, after=("dns_record",) if creates_parent(config) else ())
    if not zone or not (zone_name == "" or lies_in(chosen.custom_domain, zone_name)):
        return (item,)
    address = Ref("custom_domain", "cloudfront_domain")
    record = AliasRecord(name="custom_domain_record", hosted_zone_id=zone, domain=chosen.custom_domain, address=address)
    return (item, Item(record))


def lies_in(domain: str, zone_name: str) -> bool:
    """Return True if a domain is a zone's own name or below it."""
    domain, zone_name = domain.rstrip(".").lower(), zone_name.rstrip(".").lower()
    return domain == zone_name or domain.endswith(f".{zone_name}")


def declare_client_secrets(id: str) -> tuple[Item, ...]:
    """Declare one secret with the credentials of each app client."""
    return tuple(
        Item(
            ClientSecret(
                name=f"{client}_secret",
                secret_name=f"{id}/{client.replace('_', '-')}",
                client_id=Ref(client, "client_id"),
                client_secret=Ref(client, "client_secret"),
            )
        )
        for client in ("gateway_client", "caller_client")
    )


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


def declare_runtime(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    """Declare all of it, or nothing where the assistant runs on the instance."""
    if not config.assistant.on_runtime:
        return ()
    package = () if config.assistant.image else (Item(_runtime_package(config, facts, id)),)
    logs = tuple(Item(_runtime_log(config, endpoint)) for endpoint in (SERVES, _TRIES))
    # Before anybody can ask: otherwise AgentCore would make the groups, which then keep their lines for ever.
    endpoint = Item(_runtime_endpoint(), after=tuple(item.name for item in logs))
    return (*package, Item(_runtime_role(config, facts, id)), Item(_runtime(config, id)), *logs, endpoint)


def _runtime_log(config: Config, endpoint: str) -> LogGroup:
    return LogGroup(
        name=log_resource(metrics.RUNTIME if endpoint == SERVES else f"{metrics.RUNTIME}-{endpoint.lower()}"),
        log_group_name=name_runtime_log(Ref("runtime", "runtime_id"), endpoint),
        retention_days=config.monitoring.log_retention_days,
        kms_key=config.monitoring.kms_key_arn,
    )


def _runtime_package(config: Config, facts: AccountFacts, id: str) -> S3Object:
    # Another package must be another key: AgentCore reads it once for each version.
    key = f"runtime/{facts.package_sha256}.zip"
    return declare_object(config, id, "runtime_package", key=key, body=facts.package, content_type="application/zip")


def _runtime_role(config: Config, facts: AccountFacts, id: str) -> IamRole:
    where = (facts.partition, facts.region, facts.account_id)
    return IamRole(
        name="runtime_role",
        role_name=f"{id}-runtime",
        path=f"/sre-agent/{id}/",
        service="bedrock-agentcore.amazonaws.com",
        permissions_boundary=config.aws.permissions_boundary,
        trust_conditions=runtime_trust(*where),
        statements=runtime_statements(config, where, id),
    )


def runtime_statements(config: Config, where: tuple[str, str, str], id: str) -> tuple[Statement, ...]:
    """List what the assistant may do on AgentCore Runtime. `where` is partition, region and account."""
    partition, region, _ = where
    image = config.assistant.image
    return (
        *runtime_role_statements(*where, name_runtime(id)),
        *(image_statements(partition, image) if image else package_statements(Ref("runtime_package", "key"))),
        *(() if image else bucket_key_statements(region, config.gateway.kms_key_arn)),
        *model_statements(*where, config.assistant.models),
        *(session_statements() if config.assistant.sessions == "dynamodb" else ()),
    )


def _runtime(config: Config, id: str) -> AgentRuntime:
    """Declare the runtime. AgentCore checks Cognito's tokens and passes them on, so that the assistant checks them too."""
    secret: dict[str, LaterText] = {"GATEWAY_CLIENT_SECRET_ARN": Ref("gateway_client_secret", "secret_arn")}
    environment = {name: decode_refs(value) for name, value in describe_assistant(config).items()} | secret
    # Into the log of its endpoint, from which the metrics of questions are made.
    environment[metrics.USAGE_VARIABLE] = metrics.USAGE_PRINTED
    image = config.assistant.image
    return AgentRuntime(
        name="runtime",
        runtime_name=name_runtime(id),
        description=f"SRE assistant {config.name}",
        role_arn=Ref("runtime_role", "role_arn"),
        bucket_name="" if image else Ref("bucket", "bucket_name"),
        artifact=image or Ref("runtime_package", "key"),
        discovery_url=Ref("user_pool", "discovery_url"),
        allowed_clients=(Ref("caller_client", "client_id"),),
        environment=tuple(environment.items()),
        network=RuntimeNetwork(config.assistant.subnet_ids, config.assistant.security_group_ids),
    )


def _runtime_endpoint() -> RuntimeEndpoint:
    return RuntimeEndpoint(
        name=ENDPOINT,
        runtime_id=Ref("runtime", "runtime_id"),
        endpoint_name=SERVES,
        version=Ref("runtime", "version"),
        description="The version that callers reach",
    )


def declare_object(config: Config, id: str, name: str, *, key: LaterText, body: LaterText | bytes, content_type: str) -> S3Object:
    return S3Object(
        name=name,
        bucket_name=Ref("bucket", "bucket_name"),
        key=text(f"{prefix(config, id)}/{{key}}", key=key),
        content=Content(body),
        content_type=content_type,
    )
