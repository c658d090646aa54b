"""Declares the assistant on AgentCore Runtime: its package, its role, the runtime, and the endpoint that callers reach (pure)."""

from __future__ import annotations

from sre_agent_deploy.account.facts import AccountFacts
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.graph import Item
from sre_agent_deploy.instance.user_data import describe_assistant
from sre_agent_deploy.later import LaterText, Ref, decode_refs
from sre_agent_deploy.names import prefix
from sre_agent_deploy.policies import (
    bucket_key_statements,
    image_statements,
    model_statements,
    package_statements,
    runtime_role_statements,
    runtime_trust,
    session_statements,
)
from sre_agent_deploy.resources.agentcore_runtime import AgentRuntime
from sre_agent_deploy.resources.agentcore_runtime_endpoint import RuntimeEndpoint
from sre_agent_deploy.resources.agentcore_runtime_network import RuntimeNetwork
from sre_agent_deploy.resources.iam_role import IamRole
from sre_agent_deploy.resources.policy_document import Statement
from sre_agent_deploy.resources.s3_object import Content, S3Object

ENDPOINT = "runtime_endpoint"
_SERVES = "live"


def declare_runtime(config: Config, facts: AccountFacts, id: str) -> tuple[Item, ...]:
    """Declare all of it, or nothing where the assistant runs on the instance."""
    if not config.assistant.on_runtime:
        return ()
    package = () if config.assistant.image else (Item(_package(config, facts, id)),)
    return (*package, Item(_role(config, facts, id)), Item(_runtime(config, id)), Item(_endpoint()))


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
        *runtime_role_statements(*where, _name(id)),
        *(image_statements(partition, image) if image else package_statements(Ref("runtime_package", "key"))),
        *(() if image else bucket_key_statements(region, config.gateway.kms_key_arn)),
        *model_statements(*where, config.assistant.models),
        *(session_statements() if config.assistant.sessions == "dynamodb" else ()),
    )


def _runtime(config: Config, id: str) -> AgentRuntime:
    """Declare the runtime. AgentCore checks Cognito's tokens and passes them on, so that the assistant checks them too."""
    secret: dict[str, LaterText] = {"GATEWAY_CLIENT_SECRET_ARN": Ref("gateway_client_secret", "secret_arn")}
    environment = {name: decode_refs(value) for name, value in describe_assistant(config).items()} | secret
    image = config.assistant.image
    return AgentRuntime(
        name="runtime",
        runtime_name=_name(id),
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
        endpoint_name=_SERVES,
        version=Ref("runtime", "version"),
        description="The version that callers reach",
    )


def _name(id: str) -> str:
    """Name the runtime: AgentCore allows letters, digits and underscores."""
    return id.replace("-", "_")
