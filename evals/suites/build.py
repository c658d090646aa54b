"""Build the suites from incidents: what was there before a fault, two faults at once, and what must not change an answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import combinations

from evals.score import Verdict
from evals.suites.incident import Incident, Object, cut_before, first_measured, list_owned, move_to, stamp
from sre_agent.reasoners.rules.vocabulary import CAUSES

BEFORE = 0.2  # the part of the measurements that is kept as the time before the fault
# What a namespace, a node or the cluster shares: it stays as the first incident has it.
_SHARED = frozenset({"nodes", "leases", "nodecomponents", "nodemetrics", "storageclasses", "persistentvolumes", "resourcequotas"})
# Faults that lie between an application and what is shared: they are not there where only the application's own objects are.
_OF_SHARED = frozenset({"scheduling", "storage"})
MOST_PAIRS = 12


def build_healthy(incidents: Sequence[Incident]) -> Iterator[Incident]:
    """Yield the same systems before their faults, where the objects were not changed by the fault, and quiet ones with decoys."""
    for incident in incidents:
        span = incident.end - first_measured(incident)
        before = replace(cut_before(incident, incident.end - span * (1 - BEFORE)), name=f"{incident.name} before", expected=())
        yield before
        for name, add in DECOYS.items():
            yield replace(add(before, ""), name=f"{incident.name} before, {name}")


def build_two_faults(incidents: Sequence[Incident], most: int = MOST_PAIRS) -> Iterator[Incident]:
    """Yield pairs of incidents at different applications and of different causes, merged into one; no incident twice."""
    used: set[str] = set()
    seen: set[str] = set()
    for one, other in combinations(incidents, 2):
        first, second = (other, one) if _rests_on_shared(other) else (one, other)
        causes = {first.expected[0].cause, second.expected[0].cause}
        if len(used) >= 2 * most:
            return
        if (
            {one.name, other.name} & used
            or len(causes) < 2
            or causes & seen
            or _object(first) == _object(second)
            or _rests_on_shared(second)
        ):
            continue
        used |= {one.name, other.name}
        seen |= causes
        if len(seen) > len({each.expected[0].cause for each in incidents}) - 2:
            seen.clear()
        yield merge(first, second)


def _rests_on_shared(incident: Incident) -> bool:
    return CAUSES[incident.expected[0].cause].area in _OF_SHARED


def merge(first: Incident, second: Incident) -> Incident:
    """Put what the second incident says of its faulty application into the first, at the same time."""
    service = _object(second)
    moved = move_to(second, first.end)
    kinds = sorted({*first.objects, *moved.objects} - _SHARED)
    objects = dict(first.objects)
    for kind in kinds:
        others = [item for item in first.objects.get(kind, ()) if item not in list(list_owned(first, service, kind))]
        objects[kind] = [*others, *list_owned(moved, service, kind)]
    lines = {
        name: sorted([*first.logs.get(name, ()), *moved.logs.get(name, ())], key=lambda line: line.partition("] ")[2])
        for name in {*first.logs, *moved.logs}
    }
    series = {
        file: [
            *(one for one in first.series.get(file, ()) if one["metric"].get("service") != service),
            *(one for one in moved.series.get(file, ()) if one["metric"].get("service") == service),
        ]
        for file in {*first.series, *moved.series}
    }
    expected = (*first.expected, *second.expected)
    return replace(first, name=f"{first.name} + {second.name}", expected=expected, objects=objects, logs=lines, series=series)


def build_decoys(incidents: Sequence[Incident]) -> Iterator[Incident]:
    """Yield each incident with each decoy at an application that has no part in it: the expected answer stays."""
    for incident in incidents:
        for name, add in DECOYS.items():
            yield replace(add(incident, _object(incident)), name=f"{incident.name}, {name}")


def add_old_restarts(incident: Incident, fault: str) -> Incident:
    """Let two applications have restarted long ago, one of them killed for memory."""
    chosen, objects = _innocent(incident, fault), copy.deepcopy(incident.objects)
    for pod in objects.get("pods", ()):
        if incident.owner(str(pod["metadata"]["name"])) in chosen:
            ended = incident.end - timedelta(hours=9)
            killed = incident.owner(str(pod["metadata"]["name"])) == chosen[0]
            for status in pod.get("status", {}).get("containerStatuses", ()):
                status["restartCount"] = int(status.get("restartCount", 0)) + 4
                status["lastState"] = {
                    "terminated": {
                        "exitCode": 137 if killed else 1,
                        "reason": "OOMKilled" if killed else "Error",
                        "startedAt": stamp(ended - timedelta(hours=1)),
                        "finishedAt": stamp(ended),
                    }
                }
            pod["metadata"]["creationTimestamp"] = stamp(incident.end - timedelta(hours=30))
    return replace(incident, objects=objects)


_WARNINGS = (
    ("BackOff", "Back-off restarting failed container main in pod {pod}"),
    ("Unhealthy", 'Readiness probe failed: Get "http://10.0.0.9:8080/ready": dial tcp 10.0.0.9:8080: connect: connection refused'),
    ("FailedScheduling", "0/4 nodes are available: 4 Insufficient memory."),
    ("Failed", 'Failed to pull image "registry.example.com/app:1": not found'),
)


def add_old_warnings(incident: Incident, fault: str) -> Incident:
    """Let the events of yesterday still be listed: back-offs, failed probes, pulls and scheduling, all of them over."""
    chosen, events = _innocent(incident, fault), list(incident.objects.get("events", ()))
    for number, (reason, message) in enumerate(_WARNINGS):
        pods = [pod for pod in incident.objects.get("pods", ()) if incident.owner(str(pod["metadata"]["name"])) in chosen]
        for pod in pods:
            name, at = str(pod["metadata"]["name"]), incident.end - timedelta(hours=7 + number)
            events.append(_event(incident, _About("Pod", name, at), "Warning", reason, message.format(pod=name)))
    return replace(incident, objects={**incident.objects, "events": events})


def add_rollout(incident: Incident, fault: str) -> Incident:
    """Let an application that works have been rolled out a few minutes before the end."""
    service, objects = _innocent(incident, fault)[0], copy.deepcopy(incident.objects)
    at = incident.end - timedelta(minutes=12)
    current = next((one for one in objects.get("replicasets", ()) if incident.owner(str(one["metadata"]["name"])) == service), None)
    if current is None:
        return replace(incident, objects=objects)
    old = copy.deepcopy(current)
    old["metadata"]["name"] = f"{service}-7c9d5f44b8"
    old["metadata"]["creationTimestamp"] = stamp(incident.end - timedelta(days=20))
    old["spec"]["replicas"] = 0
    old["status"] = {"replicas": 0}
    for container in old["spec"]["template"]["spec"]["containers"]:
        container["image"] = f"{container['image'].rpartition(':')[0] or container['image']}:previous"
    old["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "1"
    current["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "2"
    current["metadata"]["creationTimestamp"] = stamp(at)
    objects["replicasets"].append(old)
    for deployment in objects.get("deployments", ()):
        if deployment["metadata"]["name"] == service:
            deployment["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "2"
    message = f"Scaled up replica set {current['metadata']['name']} to 1"
    objects["events"] = [
        *objects.get("events", ()),
        _event(incident, _About("Deployment", service, at), "Normal", "ScalingReplicaSet", message),
    ]
    return replace(incident, objects=objects)


type Decoy = Callable[[Incident, str], Incident]
DECOYS: Mapping[str, Decoy] = {"old restarts": add_old_restarts, "old warnings": add_old_warnings, "a rollout": add_rollout}


def _innocent(incident: Incident, fault: str) -> tuple[str, ...]:
    """Choose two applications that have no part in the fault."""
    return list_innocent(incident, fault)[:2] or tuple(service for service in incident.services if service != fault)[:2]


def list_innocent(incident: Incident, *faults: str) -> tuple[str, ...]:
    """List the applications that have no part in the faults, by their pods: all of them are ready."""
    unready = {
        incident.owner(str(pod["metadata"]["name"]))
        for pod in incident.objects.get("pods", ())
        if not all(status.get("ready") for status in pod.get("status", {}).get("containerStatuses", ()))
        or not pod.get("status", {}).get("containerStatuses")
    }
    running = {incident.owner(str(pod["metadata"]["name"])) for pod in incident.objects.get("pods", ())}
    return tuple(service for service in incident.services if service in running - unready and service not in faults)


@dataclass(frozen=True)
class _About:
    """The object of an event, and the event's time."""

    kind: str
    name: str
    at: datetime


def _event(incident: Incident, about: _About, severity: str, reason: str, message: str) -> Object:
    at = stamp(about.at)
    return {
        "metadata": {
            "name": f"{about.name}.{int(about.at.timestamp()):x}",
            "namespace": incident.namespace,
            "creationTimestamp": at,
        },
        "involvedObject": {"kind": about.kind, "name": about.name, "namespace": incident.namespace},
        "type": severity,
        "reason": reason,
        "message": message,
        "count": 3,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": "kubelet"},
    }


def _object(incident: Incident) -> str:
    return incident.expected[0].object.partition("/")[2] if incident.expected else ""


def is_about_an_application(verdict: Verdict) -> bool:
    """True for a fault of one application, which can be put into another incident."""
    return verdict.object.startswith("app/")
