"""The providers: the real systems, and recordings, from which the services can answer.

To add a provider, write `sre_services/SERVICE/providers/NAME.py` with `open_provider(settings)` and name it here. It is imported
only where it is chosen. A configuration may name it once sre_agent_deploy/config/sources.py has a section for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, runtime_checkable

from sre_core.problem import Problem, Refused
from sre_services.sources.settings import Settings, parse_sources

type Registry = Mapping[str, Mapping[str, str]]

PROVIDERS: Registry = {
    "kubernetes": {
        "none": "sre_services.sources.absent",
        "recorded": "sre_services.kubernetes.providers.recorded",
        "kubeconfig": "sre_services.kubernetes.providers.live",
        "in-cluster": "sre_services.kubernetes.providers.live",
    },
    "logs": {
        "none": "sre_services.sources.absent",
        "recorded": "sre_services.logs.providers.recorded",
        "kubeconfig": "sre_services.logs.providers.pods",
        "in-cluster": "sre_services.logs.providers.pods",
        "files": "sre_services.logs.providers.files",
        "journald": "sre_services.logs.providers.journald",
        "loki": "sre_services.logs.providers.loki",
    },
    "metrics": {
        "none": "sre_services.sources.absent",
        "recorded": "sre_services.metrics.providers.recorded",
        "prometheus": "sre_services.metrics.providers.prometheus",
    },
    "runbooks": {"recorded": "sre_services.runbooks.providers.recorded"},
}
DEFAULT = "recorded"


@runtime_checkable
class Checked(Protocol):
    """A provider of a system that may be out of reach."""

    def check(self) -> Problem | None:
        """Explain why the system can't be read; None where it can."""
        ...


def open_provider(service: str, environment: Mapping[str, str], *, registry: Registry = PROVIDERS) -> object:
    """Open the provider that SRE_SOURCES names, else the recording. Raises Refused when there is none, or when its settings are wrong."""
    chosen = parse_sources(environment) or (Settings(DEFAULT, {}, environment),)
    if len(chosen) > 1:
        raise Refused(_several(service))
    settings = chosen[0]
    if settings.source not in registry[service]:
        raise Refused(_unknown(service, settings.source, registry))
    provider: object = import_module(registry[service][settings.source]).open_provider(settings)
    return provider


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


def _several(service: str) -> Problem:
    return Problem(
        code="SVC-SOURCES-SEVERAL",
        what=f"The {service} service has more than one source.",
        why="This version answers from one source of each kind.",
        do=(f"Keep one entry of services.{service} in config.yaml, and deploy again.",),
    )
