"""The components of nodes: as recorded from their machines, else as the cluster's own objects tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sre_services.kubernetes.objects import Json, key_of, parse_conditions, parse_time
from sre_services.kubernetes.workload_model import Component

_PODS = ("kube-proxy", "kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd")
_RUNTIME_DOWN = ("container runtime", "runtime is down", "containerd", "PLEG is not healthy")


def parse_component(document: Json) -> Component:
    """Parse a component whose state was recorded on its machine."""
    state = str(document["state"])
    detail = document.get("detail") or ""
    return Component(
        node=document["node"],
        component=document["component"],
        running=state in {"active", "running"},
        state=f"{state} ({detail})" if detail else state,
        known_from="machine",
        since=parse_time(document.get("since")),
        message=document.get("message") or "",
    )


def list_components(recorded: Sequence[Json], nodes: Sequence[Json], pods: Sequence[Json]) -> Iterator[Component]:
    """List what is known of the components of each node. What its machine says comes before what the cluster's objects tell."""
    known = {(found.node, found.component): found for found in map(parse_component, recorded)}
    yield from known.values()
    for found in (*_from_nodes(nodes), *_from_pods(pods)):
        if (found.node, found.component) not in known:
            yield found


def _from_nodes(nodes: Sequence[Json]) -> Iterator[Component]:
    """Tell of kubelet and container runtime by the Ready condition, which the kubelet keeps up to date."""
    for node in nodes:
        ready = next((found for found in parse_conditions(node.get("status") or {}) if found.type == "Ready"), None)
        if ready is None:
            continue
        silent = ready.status == "Unknown"
        runtime_down = ready.status == "False" and any(words in ready.message for words in _RUNTIME_DOWN)
        for name, running in (("kubelet", not silent), ("container-runtime", not runtime_down)):
            yield Component(
                node=key_of(node)[1],
                component=name,
                running=running,
                state="running" if running else ready.reason or "not running",
                known_from="node condition Ready",
                since=ready.last_transition_time,
                message="" if running else ready.message,
            )


def _from_pods(pods: Sequence[Json]) -> Iterator[Component]:
    for pod in pods:
        namespace, name = key_of(pod)
        component = next((found for found in _PODS if name.startswith(found)), "")
        if namespace == "kube-system" and component and (node := (pod.get("spec") or {}).get("nodeName")):
            status = pod.get("status") or {}
            ready = any(found.type == "Ready" and found.status == "True" for found in parse_conditions(status))
            yield Component(node=node, component=component, running=ready, state=status.get("phase", "Unknown"), known_from=f"pod {name}")
