"""Tell each backend service from which systems it answers (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from sre_agent_deploy.config import duration
from sre_agent_deploy.config.environment import SecretReference
from sre_agent_deploy.config.fault import FieldPath
from sre_agent_deploy.config.models import Config, ModelKey
from sre_agent_deploy.config.sources import Source, name_sources
from sre_agent_deploy.later import Ref, encode_ref
from sre_agent_deploy.names import SESSION_TABLE, has_custom_domain, prefix_token_endpoint
from sre_agent_deploy.policies import source_statements
from sre_core.machine import SecretRef

VARIABLE = "SRE_SOURCES"
NO_SOURCE, RUNBOOKS = "none", "runbooks"


@dataclass(frozen=True)
class ServiceSources:
    """What one service reads about its sources besides what every release gives it."""

    environment: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, SecretRef] = field(default_factory=dict)
    uses_role: bool = False
    """It calls AWS, with the role of the instance."""
    keeps_state: bool = False
    """It keeps files on the disk of the instance."""


def describe_sources(config: Config) -> dict[str, ServiceSources]:
    """Describe the sources of each service; nothing where all answer from the recording.

    Once one system is the user's own, nothing recorded is mixed with it: a service without a source then has none. Runbooks are
    no system: those of the recording stay until there are others, and others change nothing else.
    """
    live = config.services.live()
    systems = any(sources for service, sources in live.items() if service != RUNBOOKS)
    found = {service: _describe(service, sources) for service, sources in live.items() if sources or (systems and service != RUNBOOKS)}
    model, sessions = _describe_model(config), _describe_sessions(config)
    assistant = ServiceSources(
        {**_describe_login(config), **model.environment, **sessions.environment},
        model.credentials,
        model.uses_role or sessions.uses_role,
        sessions.keeps_state,
    )
    return {**found, **({"assistant": assistant} if assistant.environment else {})}


def _describe_login(config: Config) -> dict[str, str]:
    """Tell the assistant where else tokens are issued, while the custom domain of the user pool leads nowhere."""
    if not has_custom_domain(config) or config.mode == "local" or config.aws.endpoint_url:
        return {}
    endpoint = prefix_token_endpoint(encode_ref(Ref("user_pool_domain", "domain")), config.aws.region)
    return {"PREFIX_TOKEN_ENDPOINT": str(endpoint)}


def _describe_sessions(config: Config) -> ServiceSources:
    """Tell the assistant where it keeps the questions of sessions, and for how long; nothing where it keeps none."""
    store, kept_for = config.assistant.sessions, duration.parse(config.assistant.session_ttl)
    if store == "none" or kept_for is None:
        return ServiceSources()
    table = {"SRE_SESSION_TABLE": encode_ref(Ref(SESSION_TABLE, "arn"))} if store == "dynamodb" else {}
    given = {"SRE_SESSION_STORE": store, "SRE_SESSION_SECONDS": str(int(kept_for.total_seconds())), **table}
    return ServiceSources(given, uses_role=store == "dynamodb", keeps_state=store == "sqlite")


def _describe_model(config: Config) -> ServiceSources:
    """Describe the language model to the assistant; nothing where it answers by rules."""
    chosen, privacy = config.assistant, config.privacy
    if chosen.reasoner == "rules":
        return ServiceSources()
    given = {
        "SRE_REASONER": chosen.reasoner,
        "SRE_MODEL": chosen.model,
        "SRE_MODEL_FALLBACK": chosen.fallback_model,
        "SRE_MODEL_URL": chosen.url,
        "SRE_MODEL_REGION": config.aws.region if chosen.reasoner == "bedrock" else "",
        "SRE_MODEL_TOKENS": str(chosen.tokens_per_question),
        "SRE_MODEL_REQUESTS": str(chosen.requests_per_question),
        "SRE_MODEL_SECONDS": str(chosen.seconds_per_question),
        "SRE_MODEL_DOLLARS": str(chosen.usd_per_question),
        "SRE_PRIVACY_HIDE": json.dumps(privacy.hide) if privacy.hide else "",
        "SRE_PRIVACY_ADDRESSES": privacy.addresses,
    }
    key = {"model-api-key": SecretRef(encode_ref(Ref(secret_name("assistant"), "secret_arn")), "api_key")} if chosen.api_key else {}
    return ServiceSources({name: value for name, value in given.items() if value}, key, bool(chosen.models))


def secret_name(service: str) -> str:
    """Name the resource that keeps the secrets of a service's sources."""
    return f"source_{service}"


@dataclass(frozen=True)
class Credential:
    """One secret of a source: the service that reads it, its key in that service's secret, and where the configuration has it."""

    service: str
    key: str
    path: FieldPath
    source: Source
    reference: SecretReference


def list_credentials(config: Config) -> tuple[Credential, ...]:
    """List every secret of every source, and the key of the assistant's model."""
    found = [
        Credential(service, f"{name}-{field}", ("services", service, number, field), source, reference)
        for service, sources in config.services.live().items()
        for number, (name, source) in enumerate(name_sources(sources))
        for field, reference in source.references().items()
    ]
    if config.assistant.reasoner != "rules" and config.assistant.api_key:
        key = ModelKey(api_key=config.assistant.api_key)
        found += [Credential("assistant", field, ("assistant", field), key, each) for field, each in key.references().items()]
    return tuple(found)


def group_credentials(config: Config) -> dict[str, list[str]]:
    """Return the keys of the secret of each service that has one."""
    grouped: dict[str, list[str]] = {}
    for credential in list_credentials(config):
        grouped.setdefault(credential.service, []).append(credential.key)
    return grouped


def _describe(service: str, sources: tuple[Source, ...]) -> ServiceSources:
    if not sources:
        return ServiceSources({VARIABLE: json.dumps([{"source": NO_SOURCE}])})
    arn = encode_ref(Ref(secret_name(service), "secret_arn"))
    named = name_sources(sources)
    entries = [
        {**source.plain_values(), "name": name, **{field: f"source-{name}-{field}" for field in source.references()}}
        for name, source in named
    ]
    keys = [f"{name}-{field}" for name, source in named for field in source.references()]
    return ServiceSources({VARIABLE: json.dumps(entries)}, {f"source-{key}": SecretRef(arn, key) for key in keys}, _uses_role(sources))


def _uses_role(sources: tuple[Source, ...]) -> bool:
    """Say if the role of the instance has a permission for one of these sources."""
    return bool(source_statements("", "", "", sources))


def keep_source(sources: ServiceSources, name: str) -> ServiceSources:
    """Keep one of several sources of a service, with its credentials."""
    entry = next(each for each in json.loads(sources.environment[VARIABLE]) if each["name"] == name)
    return ServiceSources(
        {VARIABLE: json.dumps([entry])},
        {file: secret for file, secret in sources.credentials.items() if file in entry.values()},
        sources.uses_role,
    )
