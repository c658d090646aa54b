"""Connections that a network policy denies, and routes from outside that lead nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, suspect
from sre_agent.reasoners.rules.signals import Signal
from sre_agent.relations import Denial, Route

_DNS_PORT = 53
_UNRESOLVED = re.compile(r"no such host|UnknownHost|name resolution|ENOTFOUND|EAI_AGAIN|NXDOMAIN|SERVFAIL|i/o timeout.*:53", re.IGNORECASE)
_MISSING = frozenset({"backendService", "backendPort"})


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect policies that deny what a workload complains of, and routes to what does not exist."""
    for denial in index.observations.denials:
        yield from _denied(index, denial)
    for route in index.observations.routes:
        yield from _route(index, route)


def _denied(index: ObservationIndex, denial: Denial) -> Iterator[Candidate]:
    """Blame a policy that denies, which may be on purpose, only where the workload complains of this connection."""
    complaints = _list_complaints(index, denial)
    if not complaints:
        return
    name, origin, destination = denial.policy.name, denial.origin.name, denial.destination.name
    detail = f"{origin} may not reach {destination} on port {denial.port} ({denial.direction})"
    yield suspect(
        "network_policy_denied",
        denial.policy,
        detail,
        Reason(0.6, "no rule of the policies allows a connection that is configured", (fact(name, detail, denial.source),)),
        Reason(0.25, f"{origin} complains of it", complaints),
        explains=frozenset({origin}) | index.graph.dependents_of(origin),
    )


def _list_complaints(index: ObservationIndex, denial: Denial) -> tuple[Signal, ...]:
    origin = denial.origin.name
    if denial.port == _DNS_PORT:
        lines = (line for line in index.logs.get(origin, ()) if _UNRESOLVED.search(line.message))
        return tuple(fact(origin, f"{origin} logged: {line.message[:250]}", line.source, at=line.at) for line in lines)[:3]
    return tuple(signal for signal in index.complaints.get(denial.destination.name, ()) if signal.service == origin)[:3]


def _route(index: ObservationIndex, route: Route) -> Iterator[Candidate]:
    for found in route.mismatches:
        if found.relation in _MISSING:
            name = route.ref.name
            complaints = tuple(index.complaints.get(found.object.name, ()))[:3] if found.object else ()
            yield suspect(
                "route_backend_missing",
                route.ref,
                found.message,
                Reason(0.65, "it leads nowhere", (fact(name, f"{route.ref.kind} {name}: {found.message}", route.source),)),
                Reason(0.15, "others fail to reach it", complaints),
            )
            return
