"""Components of nodes that do not run, and what fails because of it."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, suspect
from sre_agent.relations import Component, Ref

_CAUSES = {
    "kubelet": "kubelet_unavailable",
    "containerd": "containerd_unavailable",
    "container-runtime": "containerd_unavailable",
    "crio": "containerd_unavailable",
    "docker": "containerd_unavailable",
    "kube-proxy": "kube_proxy_unavailable",
    "kube-scheduler": "kube_scheduler_unavailable",
}


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect components that do not run; one is named for each node, the container runtime before what needs it."""
    down = [component for component in index.observations.components if not component.running and component.component in _CAUSES]
    for component in down:
        yield _candidate(index, component)


def _candidate(index: ObservationIndex, component: Component) -> Candidate:
    cause, node = _CAUSES[component.component], component.node
    what = f"{component.component} on node {node} does not run: {component.state}"
    victims = _victims(index, component)
    sources = [pod.source for pod in index.observations.pods if pod.service in victims][:2]
    nodes = [found.source for found in index.observations.nodes if found.name == node and not found.ready]
    return suspect(
        cause,
        Ref(kind="Node", name=node),
        component.state,
        Reason(0.8, "the component does not run", (fact(node, what, component.source, at=component.since),)),
        Reason(0.05, "the node is not ready", tuple(fact(node, f"node {node} is not ready", source) for source in nodes)),
        Reason(0.1, "pods suffer from it", tuple(fact(node, "a pod that depends on it is not ready", source) for source in sources)),
        explains=victims,
    )


def _victims(index: ObservationIndex, component: Component) -> frozenset[str]:
    if component.component == "kube-scheduler":
        return frozenset(pod.service for pod in index.observations.pods if pod.phase == "Pending" and not pod.node)
    return frozenset(pod.service for pod in index.observations.pods if pod.node == component.node)
