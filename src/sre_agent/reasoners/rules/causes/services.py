"""Services and addresses that lead nowhere: selectors, ports, environment, names, replicas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from sre_agent.observations import LogLine
from sre_agent.reasoners.rules import error_patterns
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, suspect
from sre_agent.relations import Exposure, Mismatch, Ref, Requirements

_ALREADY = re.compile(
    r"address already in use|EADDRINUSE|port (?:\d+ )?(?:is|was) already in use|BindException|failed to bind", re.IGNORECASE
)
_RESOLUTION = re.compile(r"no such host|UnknownHost|name resolution|ENOTFOUND|EAI_AGAIN|not known|NXDOMAIN|SERVFAIL|resolve", re.IGNORECASE)
_PORT_MESSAGE = re.compile(r"names port (?P<named>\d+) of Service (?P<service>\S+), which has (?P<has>.*)")
_DATABASE = re.compile(r"mysql|mariadb|jdbc", re.IGNORECASE)
_OFTEN = 10  # lines that say the same; fewer are a start


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect Services and addresses that lead nowhere."""
    for exposure in index.observations.exposures:
        yield from _service(index, exposure)
    for service, required in index.requirements.items():
        yield from _environment(index, service, required)
        yield from _shared_port(index, service, required)
    yield from _zero_replicas(index)
    yield from _names(index)


def _service(index: ObservationIndex, exposure: Exposure) -> Iterator[Candidate]:
    name = exposure.ref.name
    complaints = tuple(index.complaints.get(name, ()))
    for found in exposure.mismatches:
        cause = {"selector": "service_selector_mismatch", "targetPort": "service_port_mapping_mismatch"}.get(found.relation)
        if found.relation == "targetPort" and "with another protocol" in found.message:
            cause = "service_protocol_mismatch"
        if cause and not (cause == "service_selector_mismatch" and _has_no_pods(index, name, found)):
            yield suspect(
                cause,
                exposure.ref,
                found.message,
                Reason(0.75, "the Service leads nowhere", (fact(name, found.message, exposure.source),)),
                Reason(0.15, "others fail to reach it", complaints),
            )
            return
    yield from _port_that_nobody_calls(index, exposure)


def _has_no_pods(index: ObservationIndex, name: str, found: Mismatch) -> bool:
    """Return True where the pods are missing that a Service is for: then the selector is not what is wrong."""
    missing = {service for service in index.requirements if not index.has_pods(service)}
    return name in missing or (found.object is None and bool(missing))


def _port_that_nobody_calls(index: ObservationIndex, exposure: Exposure) -> Iterator[Candidate]:
    """Find a Service with another port than all of its callers are configured with."""
    name, wrong = exposure.ref.name, []
    for required in index.requirements.values():
        wrong += [(required, found) for found in _env_ports(required) if found.object and found.object.name == name]
    if wrong and _is_service_at_fault(index, exposure, wrong):
        cited = tuple(fact(name, found.message, required.source) for required, found in wrong[:4])
        yield suspect(
            "service_port_mapping_mismatch",
            exposure.ref,
            wrong[0][1].message,
            Reason(0.75, "its callers are configured with a port that the Service does not have", cited),
            Reason(0.15, "others fail to reach it", tuple(index.complaints.get(name, ()))),
        )


def _env_ports(required: Requirements) -> list[Mismatch]:
    return [found for found in required.mismatches if found.relation == "envPort"]


def _is_service_at_fault(index: ObservationIndex, exposure: Exposure, wrong: list[tuple[Requirements, Mismatch]]) -> bool:
    """Return True if several callers agree against the Service, or if the port that one names is what the containers declare."""
    named = {found["named"] for _, mismatch in wrong if (found := _PORT_MESSAGE.search(mismatch.message))}
    callers = {required.ref.name for required, _ in wrong}
    declared = (
        {port.partition("/")[0] for port in index.requirements[exposure.ref.name].ports}
        if exposure.ref.name in index.requirements
        else set()
    )
    agreeing = [r for r in index.requirements.values() if exposure.ref.name in r.calls and r.ref.name not in callers]
    return len(named) == 1 and not agreeing and (len(callers) > 1 or bool(named & declared))


def _environment(index: ObservationIndex, service: str, required: Requirements) -> Iterator[Candidate]:
    """Find an address in the environment that no Service has, and that its log complains of."""
    for found in (mismatch for mismatch in required.mismatches if mismatch.relation in {"envHost", "envPort"}):
        target = found.object
        exposure = next((known for known in index.observations.exposures if target and known.ref == target), None)
        if target is None or (exposure and _is_service_at_fault(index, exposure, _all_wrong(index, target))):
            continue
        if found.relation == "envHost" and (target.name in index.requirements or found.has_workload):
            continue  # the workload is there and its Service is not: that is not the caller's fault
        port = _PORT_MESSAGE.search(found.message)
        lines = [line for line in index.logs.get(service, ()) if _complains(line, target, port["named"] if port else "")]
        database = port and _DATABASE.search(f"{target.name} {found.message} {' '.join(line.message for line in lines)}")
        cited = tuple(fact(service, f"{service} logged: {line.message[:250]}", line.source, at=line.at) for line in lines[:3])
        # Without its pods nothing is known of whether it fails.
        if index.has_pods(service) and (cited or (port and index.is_lacking(service))):
            yield suspect(
                "mysql_invalid_port" if database else "service_env_var_address_mismatch",
                required.ref,
                found.message,
                Reason(0.62, "its environment names an address that no Service has", (fact(service, found.message, required.source),)),
                Reason(0.25, "its own log says that it can't reach this address", cited),
                explains=index.graph.dependents_of(service),
            )


def _all_wrong(index: ObservationIndex, target: Ref) -> list[tuple[Requirements, Mismatch]]:
    return [(r, found) for r in index.requirements.values() for found in _env_ports(r) if found.object == target]


def _complains(line: LogLine, target: Ref, port: str) -> bool:
    if port:
        host = re.escape(target.name)
        return (
            bool(re.search(rf"{host}\S*:{port}\b|:{port}\b", line.message))
            and error_patterns.find_connection_error(line.message) is not None
        )
    return bool(re.search(rf"(?<![\w-]){re.escape(target.name)}(?![\w-])", line.message))


def _shared_port(index: ObservationIndex, service: str, required: Requirements) -> Iterator[Candidate]:
    """Find two containers of a pod that want one port: declared so, or said by the one that came second."""
    shared = tuple(fact(service, found.message, required.source) for found in required.mismatches if found.relation == "sharedPort")
    lines = [line for line in index.logs.get(service, ()) if _ALREADY.search(line.message)]
    cited = tuple(fact(service, f"{service} logged: {line.message[:250]}", line.source, at=line.at) for line in lines[:2])
    several = shared or required.containers > 1 or any(len(pod.containers) > 1 for pod in index.pods.get(service, ()))
    if several and index.is_lacking(service) and (shared or cited):
        yield suspect(
            "service_sidecar_port_conflict",
            required.ref,
            (shared or cited)[0].what,
            Reason(0.45 if cited else 0.65, "two of its containers declare one port", shared),
            Reason(0.75 if not shared else 0.4, "a container can't listen because its port is in use", cited),
        )


def _zero_replicas(index: ObservationIndex) -> Iterator[Candidate]:
    """Find a workload without replicas that others miss; one without callers is only idle."""
    idle = {required.ref.name: required.source for required in index.requirements.values() if _is_idle(required)}
    idle |= {workload.service: workload.source for workload in index.observations.workloads if workload.desired == 0}
    for service, source in idle.items():
        complaints = tuple(index.complaints.get(service, ()))
        unanswered = [found for found in index.observations.exposures if found.ref.name == service and found.ready_endpoints == 0]
        callers = [found for found in index.requirements.values() if service in found.calls]
        missed = tuple(fact(service, "no endpoint is ready, and others are configured to call it", found.source) for found in unanswered)
        if complaints or (missed and callers):
            yield suspect(
                "deployment_zero_replicas",
                index.ref(service),
                "",
                Reason(0.6, "it is scaled to zero", (fact(service, f"{service} is scaled to 0 replicas", source),)),
                Reason(0.25, "others fail to reach it", complaints),
                Reason(0.1, "its Service has no endpoints, and others call it", missed if callers else ()),
            )


def _is_idle(required: Requirements) -> bool:
    return required.ref.kind in {"Deployment", "StatefulSet"} and required.desired == 0


def _names(index: ObservationIndex) -> Iterator[Candidate]:
    """Find names of Services that are there and can't be resolved: at the one that complains, or at the one of whom several do."""
    known = {found.ref.name for found in index.observations.exposures}
    failing: dict[tuple[str, str], list[LogLine]] = {}
    for service, lines in index.logs.items():
        for line in lines:
            found = error_patterns.find_configuration_error(line.message) if _RESOLUTION.search(line.message) else None
            host = found.name.partition(":")[0].partition(".")[0] if found and found.what == "host" else ""
            if host in known and host != service:
                failing.setdefault((service, host), []).append(line)
    often = {pair: lines for pair, lines in failing.items() if sum(line.count for line in lines) >= _OFTEN}
    callers, hosts = Counter(caller for caller, _ in often), Counter(host for _, host in often)
    for (caller, host), lines in often.items():
        at = host if hosts[host] > 1 and callers[caller] == 1 else caller
        cited = tuple(fact(at, f"{caller} logged: {line.message[:250]}", line.source, at=line.at) for line in lines[:3])
        reason = Reason(0.62, "its log says that a name can't be resolved, and a Service has this name", cited)
        yield suspect("service_dns_resolution_failure", index.ref(at), f"{caller} can't resolve {host}", reason, vague=True)
