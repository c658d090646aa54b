"""The providers: the real systems, and recordings, from which the services can answer.

To add a provider, write `sre_services/SERVICE/providers/NAME.py` with `open_provider(settings)` and name it here. It is imported
only where it is chosen. A configuration may name it once sre_agent_deploy/config/sources.py has a section for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol, runtime_checkable

from sre_core.problem import Problem, Refused
from sre_services.sources.settings import Settings, parse_sources
from sre_services.sources.several import Named, Several, check_all

type Registry = Mapping[str, Mapping[str, str]]

PROVIDERS: Registry = {
    "kubernetes": {
        "none": "sre_services.sources.absent",
        "recorded": "sre_services.kubernetes.providers.recorded",
        "kubeconfig": "sre_services.kubernetes.providers.live",
        "in-cluster": "sre_services.kubernetes.providers.live",
        "eks": "sre_services.kubernetes.providers.live",
    },
    "logs": {
        "none": "sre_services.sources.absent",
        "recorded": "sre_services.logs.providers.recorded",
        "kubeconfig": "sre_services.logs.providers.pods",
        "in-cluster": "sre_services.logs.providers.pods",
        "eks": "sre_services.logs.providers.pods",
        "files": "sre_services.logs.providers.files",
        "journald": "sre_services.logs.providers.journald",
        "loki": "sre_services.logs.providers.loki",
        "opensearch": "sre_services.logs.providers.opensearch",
        "cloudwatch": "sre_services.logs.providers.cloudwatch",
    },
    "metrics": {
        "none": "sre_services.sources.absent",
        "recorded": "sre_services.metrics.providers.recorded",
        "prometheus": "sre_services.metrics.providers.prometheus",
        "amp": "sre_services.metrics.providers.prometheus",
        "cloudwatch": "sre_services.metrics.providers.cloudwatch",
    },
    "runbooks": {
        "recorded": "sre_services.runbooks.providers.recorded",
        "folder": "sre_services.runbooks.providers.folder",
        "git": "sre_services.runbooks.providers.git",
        "s3": "sre_services.runbooks.providers.s3",
    },
}
DEFAULT, ABSENT = "recorded", "none"


@runtime_checkable
class Checked(Protocol):
    """A provider of a system that may be out of reach."""

    def check(self) -> Problem | None:
        """Explain why the system can't be read; None where it can."""
        ...


def open_provider(service: str, environment: Mapping[str, str], *, registry: Registry = PROVIDERS) -> object:
    """Open the providers that SRE_SOURCES names as one, else the recording. Raises Refused for an unknown one, or wrong settings."""
    chosen = parse_sources(environment) or (Settings(DEFAULT, DEFAULT, {}, environment),)
    if chosen[0].source in (DEFAULT, ABSENT) and len(chosen) == 1:
        return _open(service, chosen[0], registry)
    opened = [Named(settings.name, _open(service, settings, registry)) for settings in chosen]
    joined: object = import_module(f"sre_services.{service}.several").join_sources(opened)
    return joined


def check_sources(provider: object) -> Mapping[str, Problem | None]:
    """Say of each source of a provider why it can't be read. A recording can't fail, and is left out."""
    found: Mapping[str, Any] = {each.name: each.provider for each in provider.sources} if isinstance(provider, Several) else {}
    return check_all({name: source.check for name, source in found.items() if isinstance(source, Checked)})


def _open(service: str, settings: Settings, registry: Registry) -> Any:
    if settings.source not in registry[service]:
        raise Refused(_unknown(service, settings.source, registry))
    return import_module(registry[service][settings.source]).open_provider(settings)


def _unknown(service: str, name: str, registry: Registry) -> Problem:
    known = ", ".join(registry[service])
    return Problem(
        code="SVC-PROVIDER-UNKNOWN",
        what=f"The {service} service has no provider {name!r}.",
        why="SRE_SOURCES names it.",
        do=(
            f"Use one of these: {known}.",
            "For a recording, leave SRE_SOURCES out and set SRE_RECORDING to crash-loop, memory-leak, healthy, or a folder.",
        ),
    )
