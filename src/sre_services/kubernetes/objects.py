"""Parse Kubernetes API objects; the same for a recording and a live API server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sre_core import clock
from sre_services.kubernetes.model import Condition, Container, Event, Node, Pod, Resources, State

type Json = Mapping[str, Any]


def key_of(document: Json) -> tuple[str, str]:
    """Return the namespace and the name of any object."""
    return document["metadata"].get("namespace", "default"), document["metadata"]["name"]


def index_by_owner(documents: Iterable[Json]) -> Mapping[tuple[str, str], tuple[Json, ...]]:
    """Index objects by the namespace and the name of what owns them, so that each owner need not look at all of them."""
    owned: dict[tuple[str, str], list[Json]] = {}
    for document in documents:
        namespace, _ = key_of(document)
        for name in dict.fromkeys(owner["name"] for owner in document["metadata"].get("ownerReferences") or ()):
            owned.setdefault((namespace, name), []).append(document)
    return {key: tuple(found) for key, found in owned.items()}


def parse_pod(document: Json) -> Pod:
    """Parse a `v1` Pod."""
    metadata, spec, status = document["metadata"], document.get("spec", {}), document.get("status", {})
    return Pod(
        name=metadata["name"],
        namespace=metadata.get("namespace", "default"),
        phase=status.get("phase", "Unknown"),
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        node=spec.get("nodeName", ""),
        owner=parse_owner(metadata),
        service_account=spec.get("serviceAccountName", ""),
        created_at=parse_time(metadata.get("creationTimestamp")),
        conditions=parse_conditions(status),
        init_containers=_containers(spec.get("initContainers", ()), status.get("initContainerStatuses", ())),
        containers=_containers(spec.get("containers", ()), status.get("containerStatuses", ())),
    )


def parse_event(document: Json) -> Event:
    """Parse a `v1` Event, or an `events.k8s.io/v1` one with its series."""
    about = document.get("involvedObject") or document.get("regarding") or {}
    series = document.get("series") or {}
    created = document.get("metadata", {}).get("creationTimestamp")
    last = document.get("lastTimestamp") or series.get("lastObservedTime") or document.get("eventTime") or created
    return Event(
        last_timestamp=clock.parse(last),
        first_timestamp=parse_time(document.get("firstTimestamp") or document.get("eventTime") or created),
        type=document.get("type", "Normal"),
        reason=document.get("reason", ""),
        object=f"{about.get('kind', '')}/{about.get('name', '')}",
        namespace=about.get("namespace", document.get("metadata", {}).get("namespace", "")),
        message=document.get("message") or document.get("note") or "",
        count=document.get("count") or series.get("count") or 1,
        source=(document.get("source") or {}).get("component") or document.get("reportingComponent") or "",
    )


def parse_node(document: Json, pods: int, usage: Json) -> Node:
    """Parse a `v1` Node, with the number of its running pods and its use from `metrics.k8s.io`."""
    metadata, spec, status = document["metadata"], document.get("spec", {}), document.get("status", {})
    found = parse_conditions(status)
    return Node(
        name=metadata["name"],
        ready=any(c.type == "Ready" and c.status == "True" for c in found),
        unschedulable=bool(spec.get("unschedulable", False)),
        created_at=parse_time(metadata.get("creationTimestamp")),
        kubelet_version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
        conditions=found,
        taints=tuple(f"{t['key']}={t.get('value', '')}:{t['effect']}" for t in spec.get("taints", ())),
        capacity=status.get("capacity", {}),
        allocatable=status.get("allocatable", {}),
        pods=pods,
        cpu_millicores=_scaled(usage.get("cpu"), 1000),
        memory_bytes=_scaled(usage.get("memory"), 1),
    )


def parse_conditions(status: Json) -> tuple[Condition, ...]:
    """Parse the conditions of any object."""
    return tuple(
        Condition(
            type=c["type"],
            status=c["status"],
            reason=c.get("reason") or "",
            message=c.get("message") or "",
            last_transition_time=parse_time(c.get("lastTransitionTime")),
        )
        for c in status.get("conditions") or ()
    )


def parse_resources(container: Json) -> Resources:
    """Parse requests and limits of a container's declaration."""
    found = container.get("resources") or {}
    return Resources(requests=found.get("requests", {}), limits=found.get("limits", {}))


def parse_owner(metadata: Json) -> str:
    """Return the controller as `ReplicaSet/name`; empty for an object without owner."""
    owners = metadata.get("ownerReferences") or [{}]
    return f"{owners[0]['kind']}/{owners[0]['name']}" if owners[0] else ""


def parse_time(text: str | None) -> datetime | None:
    """Parse a time of the API, None where it has none."""
    return clock.parse(text) if text else None


def _containers(declared: Any, statuses: Any) -> tuple[Container, ...]:
    by_name = {status["name"]: status for status in statuses or ()}
    return tuple(_container(declaration, by_name.get(declaration["name"], {})) for declaration in declared or ())


def _container(declaration: Json, status: Json) -> Container:
    return Container(
        name=declaration["name"],
        image=declaration.get("image", ""),
        ready=status.get("ready", False),
        restart_count=status.get("restartCount", 0),
        state=_state(status.get("state")),
        last_state=_state(status.get("lastState")),
        resources=parse_resources(declaration),
    )


def _state(document: Json | None) -> State | None:
    if not document:
        return None
    kind, about = next(iter(document.items()))
    return State(
        type=kind,
        reason=about.get("reason", ""),
        message=about.get("message", ""),
        exit_code=about.get("exitCode"),
        signal=about.get("signal"),
        started_at=parse_time(about.get("startedAt")),
        finished_at=parse_time(about.get("finishedAt")),
    )


_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)(n|u|m|k|Ki|[MGTPE]i?)?")
_DECIMAL = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
_BINARY = {f"{letter}i": 2.0 ** (10 * power) for power, letter in enumerate("KMGTPE", start=1)}


def parse_quantity(text: str) -> float:
    """Parse a Kubernetes quantity: `500m` is 0.5, `512Mi` is 536870912. Raises ValueError on anything else."""
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a Kubernetes quantity")
    return float(match[1]) * {**_DECIMAL, **_BINARY}.get(match[2] or "", 1)


def _scaled(text: str | None, scale: int) -> float | None:
    return parse_quantity(text) * scale if text else None
