"""Probes that fail although the container works: the wrong port, the wrong protocol, too little time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from sre_agent.observations import Container, Event, Pod
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, suspect
from sre_agent.relations import Probe, Requirements

_FAILED = re.compile(r"^(?P<type>Liveness|Readiness|Startup) probe (?:failed|errored)")
_PORT = re.compile(r":(?P<port>\d{2,5})\b")
# Answers of a port on which something else is spoken than the probe speaks.
_OTHER_PROTOCOL = re.compile(
    r"malformed HTTP|HTTP/1\.x transport|server gave HTTP response|first record does not look like a TLS|frame too large|server preface|"
    r"unexpected (?:EOF|HTTP)|unimplemented|unknown service grpc\.health|does not implement the grpc health|"
    r"(?:statuscode|status code): (?:400|404|405|415|505)",
    re.IGNORECASE,
)
_MESH_PORTS = frozenset({"15020", "15021", "15090", "4191"})
_SHORT = 10  # seconds until the first kill that hardly any runtime starts in


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect why a probe fails, of services that it restarts or keeps out of traffic."""
    for service, required in index.requirements.items():
        failing = [(pod, event) for pod, event in index.events_of_pods(service, "Unhealthy") if _matters(pod, event, index.since)]
        for type_ in ("liveness", "readiness"):
            own = [(pod, event) for pod, event in failing if event.message.lower().startswith(f"{type_} ")]
            if own and (candidate := _judge(required, type_, own)):
                yield candidate
                break


def _matters(pod: Pod, event: Event, since: datetime) -> bool:
    """Return True for a failing probe that has consequences now: restarts since then by the liveness probe, an unready pod by the other."""
    found, port = _FAILED.match(event.message), _PORT.search(event.message)
    if not found or (port and port["port"] in _MESH_PORTS):
        return False
    restarted = any(_restarts_since(container, since) or container.reason == "CrashLoopBackOff" for container in pod.containers)
    return restarted if found["type"] == "Liveness" else not pod.ready and pod.phase == "Running"


def _restarts_since(container: Container, since: datetime) -> bool:
    """Return True for a container that restarted, unless its last end is older: another failure brought that one about."""
    return bool(container.restarts) and (container.last_finished is None or container.last_finished >= since)


def _judge(required: Requirements, type_: str, failing: list[tuple[Pod, Event]]) -> Candidate | None:
    probe = next((found for found in required.probes if found.type == type_), None)
    other = next((found for found in required.probes if found.type != type_ and probe and found.container == probe.container), None)
    if probe is None:
        return None
    cause, why = _name_cause(required, probe, other, [event for _, event in failing])
    if not cause:
        return None
    service = required.ref.name
    cited = tuple(fact(service, f"pod {pod.name}: {event.message[:250]}", event.source, at=event.at) for pod, event in failing[:3])
    pods = tuple({pod.name: fact(service, _state(pod), pod.source) for pod, _ in failing}.values())
    return suspect(
        cause,
        required.ref,
        why,
        Reason(0.6, why, (fact(service, why, required.source),)),
        Reason(0.2, "the kubelet reports that the probe fails", cited),
        Reason(0.1, "it has consequences", pods[:2]),
    )


def _name_cause(required: Requirements, probe: Probe, other: Probe | None, events: list[Event]) -> tuple[str, str]:
    declared = {port.partition("/")[0] for port in required.ports}
    asked = f"the {probe.type} probe ({probe.handler}) asks port {probe.port}"
    if declared and probe.port.isdigit() and probe.port not in declared:
        return f"{probe.type}_probe_incorrect_port", f"{asked}, and the containers declare {', '.join(sorted(declared))}"
    if said := next((event.message for event in events if _OTHER_PROTOCOL.search(event.message)), ""):
        return f"{probe.type}_probe_incorrect_protocol", f"{asked}, which speaks something else: {said[:120]!r}"
    if other and other.port == probe.port and other.handler != probe.handler:
        return f"{probe.type}_probe_incorrect_protocol", f"{asked}, and the {other.type} probe asks the same port by {other.handler}"
    if other and other.port != probe.port and not declared:
        return f"{probe.type}_probe_incorrect_port", f"{asked}, and the {other.type} probe port {other.port}"
    if probe.type == "liveness" and probe.initial_delay < _SHORT:
        given = f"delay {probe.initial_delay} s, period {probe.period} s, timeout {probe.timeout} s"
        return "liveness_probe_incorrect_timing", f"{asked} with {given}, and it is restarted before it answers"
    return "", ""


def _state(pod: Pod) -> str:
    restarts = sum(container.restarts for container in pod.containers)
    return f"pod {pod.name} was restarted {restarts} times" if restarts else f"pod {pod.name} is not ready"
