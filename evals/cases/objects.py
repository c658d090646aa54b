"""Kubernetes API objects of descriptions and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from evals.cases.description import Block, format_time, parse_age, parse_time, split_columns, table_rows
from evals.cases.pods import pod_spec, status_of

type Json = dict[str, Any]

_MODES = {"RWO": "ReadWriteOnce", "ROX": "ReadOnlyMany", "RWX": "ReadWriteMany", "RWOP": "ReadWriteOncePod"}
_COUNTS = re.compile(r"(\d+) (desired|updated|total|available|unavailable|current)")
_EVENT_AGE = re.compile(r"(\S+)(?: \(x(\d+) over ([^)]+)\))?")
_COMPONENT = re.compile(r"Active: (?P<active>\w+) \((?P<sub>[\w-]+)\)(?: since \w+ (?P<day>\d{4}-\d\d-\d\d) (?P<clock>\d\d:\d\d:\d\d))?")
_STAMP = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
KINDS = {
    "pods": "Pod",
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "jobs": "Job",
    "services": "Service",
    "endpoints": "Endpoints",
    "nodes": "Node",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "persistentvolumes": "PersistentVolume",
    "storageclasses": "StorageClass",
    "serviceaccounts": "ServiceAccount",
    "configmaps": "ConfigMap",
    "resourcequota": "ResourceQuota",
}


def metadata(block: Block, now: datetime) -> Json:
    """Build the metadata of any object."""
    created = parse_time(block.text("CreationTimestamp")) or parse_time(block.text("Start Time"))
    built: Json = {"name": block.text("Name").partition(" ")[0], "labels": block.part("Labels").pairs()}
    if block.text("Namespace"):
        built["namespace"] = block.text("Namespace").partition(" ")[0]
    if annotations := block.part("Annotations").pairs(": "):
        built["annotations"] = annotations
    if created or block.text("Age"):
        built["creationTimestamp"] = format_time(created or now - (parse_age(block.text("Age")) or timedelta()))
    kind, _, owner = block.text("Controlled By").partition("/")
    if owner:
        built["ownerReferences"] = [{"kind": kind, "name": owner.partition(" ")[0], "controller": True}]
    return built


def pod(block: Block, now: datetime) -> Json:
    """Build a pod. What the API has and a description leaves out is filled from the pod's own events."""
    spec = pod_spec(block)
    node = block.text("Node").partition("/")[0]
    if node:
        spec["nodeName"] = node
    phase = block.text("Status").partition(" ")[0] or "Unknown"
    status: Json = {
        "phase": "Running" if phase == "Terminating" else phase,
        "conditions": conditions(block.part("Conditions")),
        "podIP": block.text("IP"),
    }
    for key in ("Reason", "Message"):
        if block.text(key):
            status[key.lower()] = block.text(key)
    for key, field in (("Containers", "containerStatuses"), ("Init Containers", "initContainerStatuses")):
        status[field] = [status_of(name, part) for name, part in block.part(key).parts.items()]
    _fill_from_events(status, events(block, "Pod", now))
    return {"kind": "Pod", "metadata": metadata(block, now), "spec": spec, "status": status}


def _fill_from_events(status: Json, own: list[Json]) -> None:
    refused = [found["message"] for found in own if found["reason"] == "FailedScheduling"]
    scheduled = next((found for found in status["conditions"] if found["type"] == "PodScheduled"), None)
    if scheduled and scheduled["status"] == "False" and refused:
        scheduled |= {"reason": "Unschedulable", "message": refused[-1]}
    failed = [found["message"] for found in own if found["reason"] in {"Failed", "FailedMount", "InspectFailed"}]
    messages = [message for message in failed if not re.fullmatch(r"Error: (ImagePullBackOff|ErrImagePull)", message)]
    for state in (*status["containerStatuses"], *status["initContainerStatuses"]):
        waiting = state.get("state", {}).get("waiting")
        if waiting and messages and "message" not in waiting and waiting.get("reason") not in {None, "CrashLoopBackOff", "PodInitializing"}:
            waiting["message"] = messages[-1]


def workload(block: Block, kind: str, now: datetime) -> Json:
    """Build a Deployment, StatefulSet, DaemonSet or ReplicaSet."""
    template = block.part("Pod Template")
    counts = {
        word: int(count)
        for count, word in _COUNTS.findall(" ".join([block.text("Replicas"), block.text("Current Number of Nodes Scheduled")]))
    }
    running = re.search(r"(\d+) Running", block.text("Pods Status"))
    desired = counts.get("desired", int(block.text("Desired Number of Nodes Scheduled") or 1))
    ready = counts.get("available", int(running[1]) if running else 0)
    return {
        "kind": kind,
        "metadata": metadata(block, now),
        "spec": {
            "replicas": desired,
            "selector": {"matchLabels": _labels(block.text("Selector"))},
            "strategy": {"type": block.text("StrategyType") or "RollingUpdate"},
            "template": {"metadata": {"labels": template.part("Labels").pairs()}, "spec": pod_spec(template)},
        },
        "status": {
            "replicas": counts.get("total", counts.get("current", 0)),
            "updatedReplicas": counts.get("updated", 0),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": counts.get("unavailable", 0),
            "conditions": conditions(block.part("Conditions")),
        },
    }


def node(block: Block, now: datetime) -> Json:
    """Build a node with its lease's renewal and what its pods request, as annotations of ours."""
    built = {"kind": "Node", "metadata": metadata(block, now)}
    taints = [
        found
        for line in (block.part("Taints").value, *block.part("Taints").lines)
        if (found := re.match(r"\s*([^=:<\s]+)(?:=([^:]*))?:(\w+)", line))
    ]
    requested = {
        row[0]: row[1].partition(" ")[0] for line in table_rows(block.part("Allocated resources")) if len(row := split_columns(line)) > 1
    }
    status: Json = {field.lower(): block.part(field).pairs(":") for field in ("Capacity", "Allocatable")}
    status["conditions"] = conditions(block.part("Conditions"))
    status["nodeInfo"] = {"kubeletVersion": block.part("System Info").text("Kubelet Version")}
    built["spec"] = {
        "taints": [{"key": found[1], "value": found[2] or "", "effect": found[3]} for found in taints],
        "unschedulable": block.text("Unschedulable") == "true",
    }
    return built | {"status": status, "requested": {name: amount for name, amount in requested.items() if name in {"cpu", "memory"}}}


def lease(block: Block) -> Json | None:
    """Build a node's lease."""
    renewed = format_time(parse_time(block.part("Lease").text("RenewTime")))
    return (
        {"kind": "Lease", "metadata": {"name": block.text("Name"), "namespace": "kube-node-lease"}, "spec": {"renewTime": renewed}}
        if renewed
        else None
    )


def component(node_name: str, name: str, text: str, offset: str) -> Json | None:
    """Build the state of a node's component from what `systemctl status` prints."""
    found = _COMPONENT.search(text)
    if found is None:
        return None
    since = f"{found['day']}T{found['clock']}{offset}" if found["day"] else None
    return {
        "metadata": {"name": f"{node_name}.{name}"},
        "node": node_name,
        "component": name,
        "state": found["active"],
        "detail": found["sub"],
        "since": since,
    }


def claim(block: Block, now: datetime) -> Json:
    """Build a PersistentVolumeClaim; a description has its spec only where it is bound."""
    capacity = block.text("Capacity")
    spec: Json = {"storageClassName": block.text("StorageClass"), "volumeName": block.text("Volume")}
    if modes := _modes(block.text("Access Modes")):
        spec["accessModes"] = modes
    if capacity:
        spec["resources"] = {"requests": {"storage": capacity}}
    return {"kind": "PersistentVolumeClaim", "metadata": metadata(block, now), "spec": spec, "status": {"phase": block.text("Status")}}


def persistent_volume(block: Block, now: datetime) -> Json:
    """Build a PersistentVolume."""
    namespace, _, name = block.text("Claim").partition("/")
    spec: Json = {
        "capacity": {"storage": block.text("Capacity")},
        "accessModes": _modes(block.text("Access Modes")),
        "storageClassName": block.text("StorageClass"),
    }
    if name:
        spec["claimRef"] = {"namespace": namespace, "name": name}
    built = metadata(block, now)
    return {"kind": "PersistentVolume", "metadata": built, "spec": spec, "status": {"phase": block.text("Status")}}


def quota(block: Block, now: datetime) -> Json:
    """Build a ResourceQuota."""
    rows = [row for line in block.lines if len(row := split_columns(line)) == 3 and not {"Used", "----"} & set(row)]
    return {
        "kind": "ResourceQuota",
        "metadata": metadata(block, now),
        "status": {"used": {r[0]: r[1] for r in rows}, "hard": {r[0]: r[2] for r in rows}},
    }


def service(text: str, block: Block, now: datetime) -> Json:
    """Build a Service; its ports repeat their keys, so they are read from the text."""
    ports = re.findall(r"^Port:\s+(\S+)\s+(\d+)/(\w+)", text, re.MULTILINE)
    targets = re.findall(r"^TargetPort:\s+(\S+?)/\w+", text, re.MULTILINE)
    spec: Json = {
        "type": block.text("Type"),
        "clusterIP": block.text("IP"),
        "selector": _labels(block.text("Selector")),
        "ports": [
            {
                "name": "" if name == "<unset>" else name,
                "port": int(port),
                "protocol": protocol,
                "targetPort": int(target) if target.isdigit() else target,
            }
            for (name, port, protocol), target in zip(ports, targets, strict=False)
        ],
    }
    if block.text("External Name"):
        spec["externalName"] = block.text("External Name")
    return {"kind": "Service", "metadata": metadata(block, now), "spec": spec}


def endpoint_slice(block: Block, now: datetime) -> Json:
    """Build an EndpointSlice of an Endpoints object."""
    built = metadata(block, now)
    subsets = block.part("Subsets")
    found = [
        {"addresses": [address.strip()], "conditions": {"ready": ready}}
        for key, ready in (("Addresses", True), ("NotReadyAddresses", False))
        for address in subsets.text(key).split(",")
        if address.strip()
    ]
    ports = [row for line in table_rows(subsets.part("Ports")) if len(row := split_columns(line)) == 3]
    built["labels"] = {**built["labels"], "kubernetes.io/service-name": built["name"]}
    return {"metadata": built, "endpoints": found, "ports": [{"name": row[0], "port": int(row[1]), "protocol": row[2]} for row in ports]}


def conditions(block: Block) -> list[Json]:
    """Build the conditions below a heading of the columns type, status, reason and message."""
    found = []
    for line in block.lines:
        match = re.match(r"\s+(\w[\w./-]*)\s+(True|False|Unknown)\s*(.*)$", line)
        if not match:
            continue
        rest, stamps = match[3].strip(), _STAMP.findall(match[3])
        if stamps:
            rest = rest.rsplit(stamps[-1], 1)[1].strip()
        reason, _, message = rest.partition(" ")
        built = {"type": match[1], "status": match[2], "reason": reason, "message": message.strip()}
        if stamps:
            built |= {"lastTransitionTime": format_time(parse_time(stamps[-1])), "lastHeartbeatTime": format_time(parse_time(stamps[0]))}
        found.append(built)
    return found


def events(block: Block, kind: str, now: datetime) -> list[Json]:
    """Build the events below a description."""
    name, namespace = block.text("Name").partition(" ")[0], block.text("Namespace").partition(" ")[0]
    return list(_event_rows(block.part("Events"), kind, name, namespace, now))


def _event_rows(block: Block, kind: str, name: str, namespace: str, now: datetime) -> Iterator[Json]:
    for line in block.lines:
        row = split_columns(line)
        if len(row) < 4 or row[0] not in {"Normal", "Warning"}:
            continue
        type_, reason, age, source = row[:4]
        times = _EVENT_AGE.match(age)
        last = now - (parse_age(times[1]) if times and parse_age(times[1]) else timedelta()) if times else now  # type: ignore[operator]
        first = now - (parse_age(times[3]) or timedelta()) if times and times[3] else last
        count = int(times[2]) if times and times[2] else 1
        yield event(type_, reason, (kind, namespace, name), "  ".join(row[4:]), count, first, last, source)


def event(  # noqa: PLR0917 - the columns of a table of events, in their order
    type_: str, reason: str, about: tuple[str, str, str], message: str, count: int, first: datetime, last: datetime, source: str = ""
) -> Json:
    """Build an event about an object."""
    kind, namespace, name = about
    digest = sha256(f"{reason}{message}{last}".encode()).hexdigest()[:12]
    involved = {"kind": kind, "name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "metadata": {"name": f"{name}.{digest}", "namespace": namespace or "default", "creationTimestamp": format_time(first)},
        "involvedObject": involved,
        "type": type_,
        "reason": reason,
        "message": message,
        "count": count,
        "firstTimestamp": format_time(first),
        "lastTimestamp": format_time(last),
        "source": {"component": source},
    }


def _labels(text: str) -> dict[str, str]:
    return dict(part.strip().split("=", 1) for part in text.split(",") if "=" in part)


def _modes(text: str) -> list[str]:
    return [_MODES.get(mode.strip(), mode.strip()) for mode in text.split(",") if mode.strip()]
