"""Who depends on whom, found in the data: calls that were measured, settings that name a service, complaints that do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sre_agent.observations import Observations

_WORDS = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.I)


@dataclass(frozen=True)
class ServiceNames:
    """The names of all services, to recognise them in texts."""

    names: frozenset[str]

    def named_by(self, host: str, *, but: str = "") -> str:
        """The service that a host name means: `orders`, `orders.main.svc`, `orders:8080`."""
        first = host.lower().partition(":")[0].partition(".")[0]
        return next((name for name in self.names if name.lower() == first and name != but), "")

    def mentioned_in(self, text: str, *, but: str = "") -> str:
        """The service whose name stands in the text as a word of its own; the first one, if several do."""
        known = {name.lower(): name for name in self.names if name != but}
        return next((known[found.lower()] for found in _WORDS.findall(text) if found.lower() in known), "")


@dataclass(frozen=True)
class ServiceGraph:
    """Service to the services that it needs."""

    needs: Mapping[str, frozenset[str]]

    def behind(self, service: str) -> frozenset[str]:
        """Everything that a service needs, directly or through others."""
        found: set[str] = set()
        waiting = [service]
        while waiting:
            for needed in self.needs.get(waiting.pop(), frozenset()):
                if needed not in found:
                    found.add(needed)
                    waiting.append(needed)
        return frozenset(found - {service})

    def depend_on(self, service: str) -> frozenset[str]:
        """Everything that needs a service, directly or through others."""
        return frozenset(name for name in self.needs if name != service and service in self.behind(name))


def service_names(observations: Observations) -> ServiceNames:
    """All services that were seen anywhere."""
    called = {call.peer for call in observations.calls}
    return ServiceNames(observations.services | called)


def build_graph(observations: Observations, complaints: Iterable[tuple[str, str]]) -> ServiceGraph:
    """Edges from measured calls, from settings, and from `complaints` (who, about whom)."""
    peers = service_names(observations)
    needs: dict[str, set[str]] = defaultdict(set)
    for service, peer in (*((call.service, call.peer) for call in observations.calls), *complaints):
        needs[service].add(peer)
    for workload in observations.workloads:
        for value in workload.settings.values():
            if peer := peers.mentioned_in(value, but=workload.service):
                needs[workload.service].add(peer)
    return ServiceGraph({service: frozenset(found) for service, found in needs.items()})
