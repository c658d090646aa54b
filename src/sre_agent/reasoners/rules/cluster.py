"""Detectors over deployments, events and nodes: changes, failures to start, missing replicas, unhealthy nodes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sre_agent.observations import Change, Event, Node, Pod, Workload
from sre_agent.reasoners.rules.signals import Kind, Signal
from sre_core import clock

# A change that was made longer than this before the time to look at is not the trigger.
CHANGE_MATTERS = timedelta(hours=24)
SAME_MOMENT = timedelta(seconds=20)
_EVENTS = {
    "OOMKilling": Kind.OOM_KILL,
    "OOMKilled": Kind.OOM_KILL,
    "SystemOOM": Kind.NODE_PROBLEM,
    "FailedScheduling": Kind.UNSCHEDULABLE,
    "FailedMount": Kind.CANNOT_START,
    "FailedCreate": Kind.UNAVAILABLE,
    "Unhealthy": Kind.PROBE_FAILING,
    "NodeNotReady": Kind.NODE_PROBLEM,
    "Evicted": Kind.NODE_PROBLEM,
}


# What no longer matters once the pods run.
_PASSING = frozenset({Kind.UNSCHEDULABLE, Kind.CANNOT_START, Kind.UNAVAILABLE})


def detect_workloads(workloads: tuple[Workload, ...]) -> Iterator[Signal]:
    """Detect deployments that lack replicas, are scaled to zero, or name hosts that don't exist."""
    for workload in workloads:
        if workload.desired == 0:
            what = f"deployment {workload.service} is scaled to 0 replicas"
            yield Signal(kind=Kind.SCALED_TO_ZERO, service=workload.service, what=what, sources=(workload.source,))
        elif workload.available < workload.desired:
            what = f"deployment {workload.service} has {workload.available} of {workload.desired} replicas available"
            yield Signal(kind=Kind.UNAVAILABLE, service=workload.service, what=what, sources=(workload.source,))
        for complaint in workload.complaints:
            if ": no Service " in complaint:
                what = f"the configuration of {workload.service} names a host that no Service has: {complaint}"
                subject = complaint.partition(": no Service ")[0].rpartition(".env.")[2]
                yield Signal(kind=Kind.UNKNOWN_HOST, service=workload.service, what=what, sources=(workload.source,), subject=subject)


def detect_changes(changes: tuple[Change, ...], since: datetime) -> Iterator[Signal]:
    """Detect new revisions that are recent enough to matter."""
    for change in changes:
        if change.at >= since - CHANGE_MATTERS:
            differences = "; ".join(change.differences) or "nothing that is recorded"
            what = f"{change.service} was changed to revision {change.revision} at {clock.stamp(change.at)}: {differences}"
            yield Signal(
                kind=Kind.CHANGED,
                service=change.service,
                what=what,
                sources=(change.source,),
                at=change.at,
                subject=change.revision,
                moment=f"{change.service} was changed to revision {change.revision}: {differences}",
                details=change.differences,
            )


def detect_events(events: tuple[Event, ...], pods: tuple[Pod, ...], since: datetime) -> Iterator[Signal]:
    """Detect warnings that name a failure; those from long before the incident are left out."""
    for event in events:
        kind = _EVENTS.get(event.reason)
        if kind is None or not event.warning or (event.at is not None and event.at < since - CHANGE_MATTERS):
            continue
        service = event.service or event.name
        if kind in _PASSING and _is_well(service, pods):
            continue
        if kind is Kind.OOM_KILL and event.kind == "Node":
            kind, service = _find_killed(event, pods)
        times = f" ({event.count} times)" if event.count > 1 else ""
        what = f"{event.kind} {event.name}: {event.reason}{times}: {event.message}"
        yield Signal(kind=kind, service=service, what=what, sources=(event.source,), at=event.at)


def _is_well(service: str, pods: tuple[Pod, ...]) -> bool:
    """Return True where all pods of a service are ready: a refusal that came before is over."""
    own = [pod for pod in pods if pod.service == service]
    return bool(own) and all(pod.ready for pod in own)


def _find_killed(event: Event, pods: tuple[Pod, ...]) -> tuple[Kind, str]:
    """Find whose process the kernel killed: a pod of that node whose container ended at that moment, else only the node is known."""
    for pod in pods:
        ends = [container.last_finished for container in pod.containers if container.last_finished]
        if pod.node == event.name and event.at and any(abs(end - event.at) <= SAME_MOMENT for end in ends):
            return Kind.OOM_KILL, pod.service
    return Kind.NODE_OOM, event.name


def detect_nodes(nodes: tuple[Node, ...]) -> Iterator[Signal]:
    """Detect nodes that are not ready or under pressure."""
    for node in nodes:
        if not node.ready or node.complaints:
            state = "under pressure" if node.ready else "not ready"
            what = f"node {node.name} is {state}: {'; '.join(node.complaints) or 'no reason is given'}"
            yield Signal(kind=Kind.NODE_PROBLEM, service=node.name, what=what, sources=(node.source,))
