"""The providers: the real systems, and recordings, from which the services can answer.

To add a provider, write `sre_services/SERVICE/providers/NAME.py` with `open_provider(environment)` and name it here. It is imported
only where it is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from sre_core.problem import Problem, Refused

type Registry = Mapping[str, Mapping[str, str]]

PROVIDERS: Registry = {
    "kubernetes": {"recorded": "sre_services.kubernetes.providers.recorded"},
    "logs": {"recorded": "sre_services.logs.providers.recorded"},
    "metrics": {"recorded": "sre_services.metrics.providers.recorded"},
    "runbooks": {"recorded": "sre_services.runbooks.providers.recorded"},
}
DEFAULT = "recorded"


def open_provider(service: str, environment: Mapping[str, str], *, registry: Registry = PROVIDERS) -> object:
    """Open the provider that SRE_PROVIDER names. Raises Refused when there is none, or when it can't answer."""
    name = environment.get("SRE_PROVIDER") or DEFAULT
    if name not in registry[service]:
        raise Refused(_unknown(service, name, registry))
    provider: object = import_module(registry[service][name]).open_provider(environment)
    return provider


def _unknown(service: str, name: str, registry: Registry) -> Problem:
    known = ", ".join(registry[service])
    return Problem(
        code="SVC-PROVIDER-UNKNOWN",
        what=f"The {service} service has no provider {name!r}.",
        why="SRE_PROVIDER names it.",
        do=(
            f"Set SRE_PROVIDER to one of these, or leave it out: {known}.",
            "For a recording, set SRE_RECORDING to crash-loop, memory-leak, healthy, or a folder.",
        ),
    )
