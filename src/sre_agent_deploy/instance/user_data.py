"""Describe the machine of a deployment, with the systems from which its services answer, and render its user data (pure).

User data is small: machine.json, and one program that fetches the release that machine.json names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from textwrap import indent

from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.config import FieldPath
from sre_agent_deploy.config.environment import SecretReference
from sre_agent_deploy.config.models import Config, ModelKey
from sre_agent_deploy.config.operations import XRAY
from sre_agent_deploy.config.sources import Source, name_sources
from sre_agent_deploy.later import Ref, encode_ref
from sre_agent_deploy.names import (
    CALLER_SCOPE,
    GATEWAY_SCOPE,
    SESSION_TABLE,
    api_key,
    has_custom_domain,
    log_resource,
    prefix,
    prefix_token_endpoint,
)
from sre_agent_deploy.policies import source_statements
from sre_core import duration, metrics, release, tracing
from sre_core.machine import (
    BACKUPS_FOLDER,
    MACHINE_FILE,
    STATUS_FOLDER,
    Backups,
    FrontDoor,
    Listener,
    Machine,
    MachineService,
    Monitoring,
    Route,
    SecretRef,
    Updates,
)

VARIABLE = "SRE_SOURCES"
NO_SOURCE, RUNBOOKS = "none", "runbooks"


@dataclass(frozen=True)
class ServiceSources:
    """The settings of one service's sources, in addition to those that are the same in every deployment."""

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


FIRST_STAGE_FILE = "/opt/sre-agent/first_stage.py"
# EC2's limit, before base64.
LARGEST = 16 * 1024
REDIRECT_PORT = 80
HTTPS_PORT = 443


def describe_machine(config: Config, account: AccountFacts, id: str) -> Machine:
    """Describe what runs on the instance. Values that AWS has yet to choose appear as encoded Refs."""
    return Machine(
        deployment_id=id,
        name="instance",
        region=account.region,
        release_uri=encode_ref(Ref("release", "uri")),
        release_sha256=account.release_sha256,
        status_uri=f"s3://{encode_ref(Ref('bucket', 'bucket_name'))}/{prefix(config, id)}/{STATUS_FOLDER}/",
        services=add_traces(
            add_sources(
                select_services(_environment(config), _credentials(config), services=list_services(config)), describe_sources(config)
            ),
            config.monitoring.traces_address,
        ),
        front_door=FrontDoor(
            domain=config.deployment.domain_name,
            certificate=SecretRef(encode_ref(Ref("certificate", "secret_arn"))),
            listeners=plan_listeners(list_services(config)),
            redirect_port=REDIRECT_PORT,
            certificate_source=config.tls.source,
            ipv6=config.aws.ipv6,
        ),
        monitoring=_describe_monitoring(config, id) if config.is_monitored(config.mode) else None,
        # Local mode has no machine of its own.
        updates=Updates(config.updates.reboot_window) if config.updates.automatic and config.mode == "production" else None,
        backups=_describe_backups(config, id) if config.backups.at else None,
        software=config.deployment.software.replace("none", "") if config.mode == "production" else "",
    )


def list_services(config: Config) -> tuple[release.Service, ...]:
    """List the services that run on the instance: all, or only the backends where the assistant runs on AgentCore Runtime."""
    return release.backends() if config.assistant.on_runtime else release.services()


def describe_assistant(config: Config) -> dict[str, str]:
    """Describe the assistant's environment where it runs on AgentCore Runtime. Values that AWS has yet to choose are encoded Refs."""
    assistant, environment = next(service for service in release.services() if service.name == "assistant"), _environment(config)
    model = describe_sources(config).get("assistant", ServiceSources())
    address = config.monitoring.traces_address
    # On AgentCore Runtime no agent listens on a port of the machine.
    traces = {tracing.VARIABLE: address} if address.startswith("https://") else {}
    return {**{name: environment[name] for name in assistant.environment}, **model.environment, **traces}


def select_services(
    environment: Mapping[str, str], credentials: Mapping[str, SecretRef], *, services: tuple[release.Service, ...] | None = None
) -> tuple[MachineService, ...]:
    """Give each service of the release the values it needs. KeyError names one that is missing: a fault of the caller.

    `environment` and `credentials` are keyed by the names that `release.json` uses.
    """
    return tuple(
        MachineService(
            name=service.name,
            command=service.command,
            environment={name: environment[name] for name in service.environment},
            credentials={name: credentials[name] for name in service.credentials},
            health_path=service.health_path,
        )
        for service in services or release.services()
    )


def add_sources(services: tuple[MachineService, ...], sources: Mapping[str, ServiceSources]) -> tuple[MachineService, ...]:
    """Add to each service what it reads about its sources."""
    return tuple(_add_source(service, sources.get(service.name, ServiceSources())) for service in services)


def add_traces(services: tuple[MachineService, ...], address: str) -> tuple[MachineService, ...]:
    """Tell each service where it sends its spans; nothing without an address."""
    if not address:
        return services
    return tuple(replace(service, environment={**service.environment, tracing.VARIABLE: address}) for service in services)


def _add_source(service: MachineService, own: ServiceSources) -> MachineService:
    environment, credentials = {**service.environment, **own.environment}, {**service.credentials, **own.credentials}
    return replace(service, environment=environment, credentials=credentials, uses_role=own.uses_role, keeps_state=own.keeps_state)


def plan_listeners(services: tuple[release.Service, ...]) -> tuple[Listener, ...]:
    """Publish all services by path on 443, and each backend on its own port inside the VPC."""
    public = Listener(HTTPS_PORT, "public", tuple(Route(service.route, service.name) for service in services))
    inside = (Listener(service.port, "vpc", (Route("/", service.name),)) for service in services if service.port)
    return (public, *inside)


def render_user_data(machine: Machine) -> str:
    """Render `#cloud-config` text; the same machine gives the same text, and it holds no secret."""
    first_stage = files("sre_agent_deploy.instance").joinpath("first_stage.py").read_text(encoding="utf-8")
    return "\n".join(
        (
            "#cloud-config",
            "write_files:",
            _write_file(MACHINE_FILE, "0600", machine.text()),
            _write_file(FIRST_STAGE_FILE, "0755", first_stage),
            "runcmd:",
            f" - [python3, {FIRST_STAGE_FILE}]",
            "",
        )
    )


def _describe_monitoring(config: Config, id: str) -> Monitoring:
    groups = {name: encode_ref(Ref(log_resource(name), "log_group_name")) for name in metrics.LOG_GROUPS}
    return Monitoring(metrics.namespace(id), groups, xray=config.monitoring.traces == XRAY)


def _describe_backups(config: Config, id: str) -> Backups:
    chosen, bucket = config.backups, config.backups.bucket or encode_ref(Ref("bucket", "bucket_name"))
    uri = f"s3://{bucket}/{prefix(config, id)}/{BACKUPS_FOLDER}/"
    return Backups(at=chosen.at, keep_days=chosen.keep_days, uri=uri, kms_key_arn=config.gateway.kms_key_arn)


def _environment(config: Config) -> dict[str, str]:
    identifier, own_recording = encode_ref(Ref("resource_server", "identifier")), Path(config.services.recording).is_dir()
    return {
        "SRE_RECORDING": "recording" if own_recording else config.services.recording,
        "GATEWAY_URL": encode_ref(Ref("gateway", "gateway_url")),
        "OIDC_DISCOVERY_URL": encode_ref(Ref("user_pool", "discovery_url")),
        "GATEWAY_CLIENT_ID": encode_ref(Ref("gateway_client", "client_id")),
        "GATEWAY_SCOPE": f"{identifier}/{GATEWAY_SCOPE}",
        "CALLER_CLIENT_ID": encode_ref(Ref("caller_client", "client_id")),
        "CALLER_SCOPE": f"{identifier}/{CALLER_SCOPE}",
    }


def _credentials(config: Config) -> dict[str, SecretRef]:
    key = api_key(config)
    return {
        "backend-api-key": SecretRef(
            encode_ref(key.secret_arn), key.json_key if isinstance(key.json_key, str) else encode_ref(key.json_key), overlaps=True
        ),
        "gateway-client-secret": SecretRef(encode_ref(Ref("gateway_client_secret", "secret_arn")), "client_secret"),
    }


def _write_file(path: str, permissions: str, content: str) -> str:
    # Each blank counts: EC2 takes 16 KB.
    return f"- path: {path}\n  permissions: '{permissions}'\n  content: |\n{indent(content.rstrip(), '   ')}"
