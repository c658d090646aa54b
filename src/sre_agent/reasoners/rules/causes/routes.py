"""Requests that reach the wrong place: answers that only a service gives which does not know the path."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from sre_agent.observations import LogLine
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, suspect

_WRONG_PLACE = re.compile(
    r"\b40[45]\b|\bNot Found\b|Method Not Allowed|No (?:static resource|handler found|route found)|no matching route", re.IGNORECASE
)
_REQUEST = re.compile(r"https?://|\b(?:GET|POST|PUT|DELETE|PATCH)\b")
_GATEWAY = re.compile(r"gateway|ingress|router|edge|proxy", re.IGNORECASE)
_ENTRY = re.compile(r"\bat (?P<name>[a-z0-9][a-z0-9-]+) failed")
_OFTEN = 5  # lines; fewer are typing mistakes of callers


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect a gateway whose requests are answered by services that don't know their paths, while nothing fails outright."""
    about: dict[str, list[LogLine]] = defaultdict(list)
    for service, lines in index.logs.items():
        for line in lines:
            if _WRONG_PLACE.search(line.message) and _REQUEST.search(line.message) and line.level in {"ERROR", "WARN", "FATAL", "UNKNOWN"}:
                about[_find_gateway(index, service, line)].append(line)
    for name, lines in about.items():
        if name and sum(line.count for line in lines) >= _OFTEN:
            cited = tuple(fact(name, f"{line.service} logged: {line.message[:250]}", line.source, at=line.at) for line in lines[:3])
            reason = Reason(0.62, "requests are answered as by a service that does not know their path", cited)
            yield suspect("gateway_misrouted", index.ref(name), lines[0].message[:200], reason, vague=True)


def _find_gateway(index: ObservationIndex, service: str, line: LogLine) -> str:
    """Find the gateway in front: the service that logs it, the entry that the line names, or the only one that is named so."""
    if _GATEWAY.search(service):
        return service
    entry = _ENTRY.search(line.message)
    gateways = [name for name in index.requirements if re.search("gateway|ingress", name, re.IGNORECASE)]
    if len(gateways) == 1:
        return gateways[0]
    return entry["name"] if entry and entry["name"] in index.requirements else ""
