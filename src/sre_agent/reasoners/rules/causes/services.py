"""Services and addresses that lead nowhere: selectors, ports, environment, names, replicas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from sre_agent.observations import LogLine
from sre_agent.reasoners.rules import error_patterns
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.scene import Scene, fact, suspect
from sre_agent.relations import Exposure, Mismatch, Ref, Requirements

_ALREADY = re.compile(
    r"address already in use|EADDRINUSE|port (?:\d+ )?(?:is|was) already in use|BindException|failed to bind", re.IGNORECASE
)
_RESOLUTION = re.compile(r"no such host|UnknownHost|name resolution|ENOTFOUND|EAI_AGAIN|not known|NXDOMAIN|SERVFAIL|resolve", re.IGNORECASE)
_PORT_MESSAGE = re.compile(r"names port (?P<named>\d+) of Service (?P<service>\S+), which has (?P<has>.*)")
_DATABASE = re.compile(r"mysql|mariadb|jdbc", re.IGNORECASE)
_OFTEN = 10  # lines that say the same; fewer are a start


def detect(scene: Scene) -> Iterator[Candidate]:
    """Detect Services and addresses that lead nowhere."""
    for exposure in scene.observations.exposures:
        yield from _service(scene, exposure)
    for service, required in scene.requirements.items():
        yield from _environment(scene, service, required)
        yield from _shared_port(scene, service, required)
    yield from _zero_replicas(scene)
    yield from _names(scene)


def _service(scene: Scene, exposure: Exposure) -> Iterator[Candidate]:
    name = exposure.ref.name
    complaints = tuple(scene.complaints.get(name, ()))
    for found in exposure.mismatches:
        cause = {"selector": "service_selector_mismatch", "targetPort": "service_port_mapping_mismatch"}.get(found.relation)
        if found.relation == "targetPort" and "with another protocol" in found.message:
            cause = "service_protocol_mismatch"
        if cause and not (cause == "service_selector_mismatch" and _has_no_pods(scene, name, found)):
            yield suspect(
                cause,
                exposure.ref,
                found.message,
                Reason(0.75, "the Service leads nowhere", (fact(name, found.message, exposure.source),)),
                Reason(0.15, "others fail to reach it", complaints),
            )
            return
    yield from _port_that_nobody_calls(scene, exposure)


def _has_no_pods(scene: Scene, name: str, found: Mismatch) -> bool:
    """True where the pods are missing that a Service is for: then the selector is not what is wrong."""
    missing = {service for service in scene.requirements if not scene.pods.get(service)}
    return name in missing or (found.object is None and bool(missing))


def _port_that_nobody_calls(scene: Scene, exposure: Exposure) -> Iterator[Candidate]:
    """A Service with another port than all of its callers are configured with."""
    name, wrong = exposure.ref.name, []
    for required in scene.requirements.values():
        wrong += [(required, found) for found in _env_ports(required) if found.object and found.object.name == name]
    if wrong and _is_service_at_fault(scene, exposure, wrong):
        told = tuple(fact(name, found.message, required.source) for required, found in wrong[:4])
        yield suspect(
            "service_port_mapping_mismatch",
            exposure.ref,
            wrong[0][1].message,
            Reason(0.75, "its callers are configured with a port that the Service does not have", told),
            Reason(0.15, "others fail to reach it", tuple(scene.complaints.get(name, ()))),
        )


def _env_ports(required: Requirements) -> list[Mismatch]:
    return [found for found in required.mismatches if found.relation == "envPort"]


def _is_service_at_fault(scene: Scene, exposure: Exposure, wrong: list[tuple[Requirements, Mismatch]]) -> bool:
    """Several callers agree against the Service, or the port that one names is what the containers declare."""
    named = {found["named"] for _, mismatch in wrong if (found := _PORT_MESSAGE.search(mismatch.message))}
    callers = {required.ref.name for required, _ in wrong}
    declared = (
        {port.partition("/")[0] for port in scene.requirements[exposure.ref.name].ports}
        if exposure.ref.name in scene.requirements
        else set()
    )
    agreeing = [r for r in scene.requirements.values() if exposure.ref.name in r.calls and r.ref.name not in callers]
    return len(named) == 1 and not agreeing and (len(callers) > 1 or bool(named & declared))


def _environment(scene: Scene, service: str, required: Requirements) -> Iterator[Candidate]:
    """An address in the environment that no Service has, and that its log complains of."""
    for found in (mismatch for mismatch in required.mismatches if mismatch.relation in {"envHost", "envPort"}):
        target = found.object
        exposure = next((known for known in scene.observations.exposures if target and known.ref == target), None)
        if target is None or (exposure and _is_service_at_fault(scene, exposure, _all_wrong(scene, target))):
            continue
        if target.name in scene.requirements and found.relation == "envHost":
            continue  # the workload is there and its Service is not: that is not the caller's fault
        port = _PORT_MESSAGE.search(found.message)
        lines = [line for line in scene.logs.get(service, ()) if _complains(line, target, port["named"] if port else "")]
        database = port and _DATABASE.search(f"{target.name} {found.message} {' '.join(line.message for line in lines)}")
        told = tuple(fact(service, f"{service} logged: {line.message[:250]}", line.source, at=line.at) for line in lines[:3])
        # Without its pods nothing is known of whether it fails.
        if scene.pods.get(service) and (told or (port and scene.is_lacking(service))):
            yield suspect(
                "mysql_invalid_port" if database else "service_env_var_address_mismatch",
                required.ref,
                found.message,
                Reason(0.62, "its environment names an address that no Service has", (fact(service, found.message, required.source),)),
                Reason(0.25, "its own log says that it can't reach this address", told),
                explains=scene.graph.dependents_of(service),
            )


def _all_wrong(scene: Scene, target: Ref) -> list[tuple[Requirements, Mismatch]]:
    return [(r, found) for r in scene.requirements.values() for found in _env_ports(r) if found.object == target]


def _complains(line: LogLine, target: Ref, port: str) -> bool:
    if port:
        host = re.escape(target.name)
        return (
            bool(re.search(rf"{host}\S*:{port}\b|:{port}\b", line.message))
            and error_patterns.find_connection_error(line.message) is not None
        )
    return bool(re.search(rf"(?<![\w-]){re.escape(target.name)}(?![\w-])", line.message))


def _shared_port(scene: Scene, service: str, required: Requirements) -> Iterator[Candidate]:
    """Two containers of a pod that want one port: declared so, or said by the one that came second."""
    shared = tuple(fact(service, found.message, required.source) for found in required.mismatches if found.relation == "sharedPort")
    lines = [line for line in scene.logs.get(service, ()) if _ALREADY.search(line.message)]
    told = tuple(fact(service, f"{service} logged: {line.message[:250]}", line.source, at=line.at) for line in lines[:2])
    several = shared or required.containers > 1 or any(len(pod.containers) > 1 for pod in scene.pods.get(service, ()))
    if several and scene.is_lacking(service) and (shared or told):
        yield suspect(
            "service_sidecar_port_conflict",
            required.ref,
            (shared or told)[0].what,
            Reason(0.45 if told else 0.65, "two of its containers declare one port", shared),
            Reason(0.75 if not shared else 0.4, "a container can't listen because its port is in use", told),
        )


def _zero_replicas(scene: Scene) -> Iterator[Candidate]:
    """A workload without replicas that others miss; one that nobody calls is only idle."""
    idle = {required.ref.name: required.source for required in scene.requirements.values() if _is_idle(required)}
    idle |= {workload.service: workload.source for workload in scene.observations.workloads if workload.desired == 0}
    for service, source in idle.items():
        complaints = tuple(scene.complaints.get(service, ()))
        unanswered = [found for found in scene.observations.exposures if found.ref.name == service and found.ready_endpoints == 0]
        callers = [found for found in scene.requirements.values() if service in found.calls]
        missed = tuple(fact(service, "no endpoint is ready, and others are configured to call it", found.source) for found in unanswered)
        if complaints or (missed and callers):
            yield suspect(
                "deployment_zero_replicas",
                scene.ref(service),
                "",
                Reason(0.6, "it is scaled to zero", (fact(service, f"{service} is scaled to 0 replicas", source),)),
                Reason(0.25, "others fail to reach it", complaints),
                Reason(0.1, "its Service has no endpoints, and others call it", missed if callers else ()),
            )


def _is_idle(required: Requirements) -> bool:
    return required.ref.kind in {"Deployment", "StatefulSet"} and required.desired == 0


def _names(scene: Scene) -> Iterator[Candidate]:
    """Names of Services that are there and can't be resolved: at the one that complains, or at the one of whom several do."""
    known = {found.ref.name for found in scene.observations.exposures}
    failing: dict[tuple[str, str], list[LogLine]] = {}
    for service, lines in scene.logs.items():
        for line in lines:
            found = error_patterns.find_configuration_error(line.message) if _RESOLUTION.search(line.message) else None
            host = found.name.partition(":")[0].partition(".")[0] if found and found.what == "host" else ""
            if host in known and host != service:
                failing.setdefault((service, host), []).append(line)
    often = {pair: lines for pair, lines in failing.items() if sum(line.count for line in lines) >= _OFTEN}
    callers, hosts = Counter(caller for caller, _ in often), Counter(host for _, host in often)
    for (caller, host), lines in often.items():
        at = host if hosts[host] > 1 and callers[caller] == 1 else caller
        told = tuple(fact(at, f"{caller} logged: {line.message[:250]}", line.source, at=line.at) for line in lines[:3])
        reason = Reason(0.62, "its log says that a name can't be resolved, and a Service has this name", told)
        yield suspect("service_dns_resolution_failure", scene.ref(at), f"{caller} can't resolve {host}", reason, vague=True)
