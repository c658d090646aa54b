"""The service graph: dependencies from measured calls, from settings that name a service, and from log lines that do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sre_agent.observations import Observations

_WORDS = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.I)


@dataclass(frozen=True)
class ServiceNames:
    """The names of all services, to find them in texts."""

    names: frozenset[str]

    def find_by_host(self, host: str, *, but: str = "") -> str:
        """Find the service of a host name: `orders`, `orders.main.svc`, `orders:8080`."""
        first = host.lower().partition(":")[0].partition(".")[0]
        return next((name for name in self.names if name.lower() == first and name != but), "")

    def find_in_text(self, text: str, *, but: str = "") -> str:
        """Find the first service whose name is a word of the text."""
        known = {name.lower(): name for name in self.names if name != but}
        return next((known[found.lower()] for found in _WORDS.findall(text) if found.lower() in known), "")


@dataclass(frozen=True)
class ServiceGraph:
    """For each service, the services that it calls."""

    needs: Mapping[str, frozenset[str]]

    def dependencies_of(self, service: str) -> frozenset[str]:
        """Return all services that a service needs, directly or through others."""
        found: set[str] = set()
        queue = [service]
        while queue:
            for needed in self.needs.get(queue.pop(), frozenset()):
                if needed not in found:
                    found.add(needed)
                    queue.append(needed)
        return frozenset(found - {service})

    def dependents_of(self, service: str) -> frozenset[str]:
        """Return all services that need a service, directly or through others."""
        return frozenset(name for name in self.needs if name != service and service in self.dependencies_of(name))


def collect_names(observations: Observations) -> ServiceNames:
    """Collect the names of all observed services."""
    called = {call.peer for call in observations.calls}
    return ServiceNames(observations.services | called)


def build_graph(observations: Observations, complaints: Iterable[tuple[str, str]]) -> ServiceGraph:
    """Build the graph from measured calls, from settings, and from `complaints` (a service, and the one it complains about)."""
    names = collect_names(observations)
    needs: dict[str, set[str]] = defaultdict(set)
    for service, peer in (*((call.service, call.peer) for call in observations.calls), *complaints):
        needs[service].add(peer)
    for required in observations.requirements:
        needs[required.ref.name].update(required.calls)
    for workload in observations.workloads:
        for value in workload.settings.values():
            if peer := names.find_in_text(value, but=workload.service):
                needs[workload.service].add(peer)
    return ServiceGraph({service: frozenset(found) for service, found in needs.items()})
