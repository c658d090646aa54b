"""Tell each backend service from which system it answers (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sre_agent_deploy.config.models import Config, ModelKey
from sre_agent_deploy.config.sources import Source
from sre_agent_deploy.later import Ref, encode_ref
from sre_core.machine import SecretRef

VARIABLE = "SRE_SOURCES"
NO_SOURCE = "none"


@dataclass(frozen=True)
class ServiceSources:
    """What one service reads about its sources besides what every release gives it."""

    environment: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, SecretRef] = field(default_factory=dict)


def describe_sources(config: Config) -> dict[str, ServiceSources]:
    """Describe the sources of each service; nothing where all answer from the recording.

    Once one system is the user's own, nothing recorded is mixed with it: a service without a source then has none.
    """
    live = config.services.live()
    found = {service: _describe(service, sources) for service, sources in live.items()} if any(live.values()) else {}
    return {**found, **_describe_model(config)}


def _describe_model(config: Config) -> dict[str, ServiceSources]:
    """Describe the language model to the assistant; nothing where it answers by rules."""
    chosen, privacy = config.assistant, config.privacy
    if chosen.reasoner == "rules":
        return {}
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
    return {"assistant": ServiceSources({name: value for name, value in given.items() if value}, key)}


def secret_name(service: str) -> str:
    """Name the resource that keeps the secrets of a service's source."""
    return f"source_{service}"


def list_secrets(config: Config) -> Iterator[tuple[str, Source]]:
    """List the services whose source has secrets, with that source; the assistant's is the key of its model."""
    yield from ((service, each) for service, sources in config.services.live().items() for each in sources[:1] if each.references())
    if config.assistant.reasoner != "rules" and config.assistant.api_key:
        yield "assistant", ModelKey(api_key=config.assistant.api_key)


def _describe(service: str, sources: tuple[Source, ...]) -> ServiceSources:
    if not sources:
        return ServiceSources({VARIABLE: json.dumps([{"source": NO_SOURCE}])})
    arn = encode_ref(Ref(secret_name(service), "secret_arn"))
    names = {name: f"source-{name}" for name in sources[0].references()}
    entry = {**sources[0].plain_values(), **names}
    return ServiceSources({VARIABLE: json.dumps([entry])}, {file: SecretRef(arn, name) for name, file in names.items()})
