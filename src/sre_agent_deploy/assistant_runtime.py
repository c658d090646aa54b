"""Declares the assistant on AgentCore Runtime: its package, its role, the runtime, and the endpoint that callers reach (pure)."""

from __future__ import annotations

from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Item
from sre_agent_deploy.instance.user_data import describe_assistant
from sre_agent_deploy.later import LaterText, Ref, decode_refs
from sre_agent_deploy.names import log_resource, prefix
from sre_agent_deploy.policies import (
    bucket_key_statements,
    image_statements,
    model_statements,
    package_statements,
    runtime_role_statements,
    runtime_trust,
    session_statements,
)
from sre_agent_deploy.resources.agentcore_runtime import AgentRuntime, RuntimeNetwork
from sre_agent_deploy.resources.agentcore_runtime_endpoint import RuntimeEndpoint
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.logs_log_group import LogGroup, name_runtime, name_runtime_log
from sre_agent_deploy.resources.policy_document import Statement
from sre_agent_deploy.resources.s3_object import Content, S3Object
from sre_core import metrics

ENDPOINT = "runtime_endpoint"
SERVES = "live"
_TRIES = "DEFAULT"
"""The endpoint that AgentCore makes with the runtime: an update asks a new version there first."""


def declare_runtime(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    """Declare all of it, or nothing where the assistant runs on the instance."""
    if not config.assistant.on_runtime:
        return ()
    package = () if config.assistant.image else (Item(_package(config, facts, id)),)
    logs = tuple(Item(_log(config, endpoint)) for endpoint in (SERVES, _TRIES))
    # Before anybody can ask: otherwise AgentCore would make the groups, which then keep their lines for ever.
    endpoint = Item(_endpoint(), after=tuple(item.name for item in logs))
    return (*package, Item(_role(config, facts, id)), Item(_runtime(config, id)), *logs, endpoint)


def _log(config: Config, endpoint: str) -> LogGroup:
    return LogGroup(
        name=log_resource(metrics.RUNTIME if endpoint == SERVES else f"{metrics.RUNTIME}-{endpoint.lower()}"),
        log_group_name=name_runtime_log(Ref("runtime", "runtime_id"), endpoint),
        retention_days=config.monitoring.log_retention_days,
        kms_key=config.monitoring.kms_key_arn,
    )


def _package(config: Config, facts: AccountFacts, id: str) -> S3Object:
    return S3Object(
        name="runtime_package",
        bucket_name=Ref("bucket", "bucket_name"),
        # Another package must be another key: AgentCore reads it once for each version.
        key=f"{prefix(config, id)}/runtime/{facts.package_sha256}.zip",
        content=Content(facts.package),
        content_type="application/zip",
    )


def _role(config: Config, facts: AccountFacts, id: str) -> IamRole:
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


def _endpoint() -> RuntimeEndpoint:
    return RuntimeEndpoint(
        name=ENDPOINT,
        runtime_id=Ref("runtime", "runtime_id"),
        endpoint_name=SERVES,
        version=Ref("runtime", "version"),
        description="The version that callers reach",
    )
