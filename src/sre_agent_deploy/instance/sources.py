"""Tell each backend service from which system it answers (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sre_agent_deploy.config.models import Config
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
    return {service: _describe(service, sources) for service, sources in live.items()} if any(live.values()) else {}


def secret_name(service: str) -> str:
    """Name the resource that keeps the secrets of a service's source."""
    return f"source_{service}"


def list_secrets(config: Config) -> Iterator[tuple[str, Source]]:
    """List the services whose source has secrets, with that source."""
    yield from ((service, each) for service, sources in config.services.live().items() for each in sources[:1] if each.references())


def _describe(service: str, sources: tuple[Source, ...]) -> ServiceSources:
    if not sources:
        return ServiceSources({VARIABLE: json.dumps([{"source": NO_SOURCE}])})
    arn = encode_ref(Ref(secret_name(service), "secret_arn"))
    names = {name: f"source-{name}" for name in sources[0].references()}
    entry = {**sources[0].plain_values(), **names}
    return ServiceSources({VARIABLE: json.dumps([entry])}, {file: SecretRef(arn, name) for name, file in names.items()})
