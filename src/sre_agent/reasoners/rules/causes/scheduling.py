"""Pods that no node takes, and claims that no volume fits."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent.observations import Pod
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, suspect
from sre_agent.relations import Claim, Requirements

_RELATIONS = {
    "nodeSelector": "node_selector_mismatch",
    "nodeAffinity": "node_affinity_mismatch",
    "cordon": "node_cordon_mismatch",
    "taint": "taint_toleration_mismatch",
    "podAntiAffinity": "pod_anti_affinity_conflict",
    "cpu": "cpu_capacity_mismatch",
    "memory": "memory_capacity_mismatch",
}
# The scheduler's words, where the nodes themselves were not seen.
_WORDS = {
    "untolerated taint": "taint_toleration_mismatch",
    "anti-affinity rules": "pod_anti_affinity_conflict",
    "Insufficient cpu": "cpu_capacity_mismatch",
    "Insufficient memory": "memory_capacity_mismatch",
    "were unschedulable": "node_cordon_mismatch",
}
_OWN_TAINT = "untolerated taint {node.kubernetes.io/"
_CLAIMS = {
    "occupied": "pv_binding_occupied",
    "storageClass": "pvc_storage_class_mismatch",
    "selector": "pvc_selector_mismatch",
    "capacity": "pvc_capacity_mismatch",
    "accessModes": "pvc_access_mode_mismatch",
}


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect the constraint that keeps waiting pods from the nodes, and the claim that keeps them waiting."""
    for service, required in index.requirements.items():
        waiting = [pod for pod in index.pods.get(service, ()) if pod.phase == "Pending" and not pod.node]
        if waiting:
            yield from _constraint(required, waiting)
    for claim in index.observations.claims:
        yield from _claim(index, claim)


def _constraint(required: Requirements, waiting: list[Pod]) -> Iterator[Candidate]:
    message = next((pod.message for pod in waiting if pod.message), "")
    refused = "nodes are available" in message
    if "PersistentVolumeClaim" in message or "persistentvolumeclaim" in message or not refused:
        return
    related = [found for found in required.mismatches if found.relation in _RELATIONS]
    cited = fact(required.ref.name, f"pod {waiting[0].name} waits: {message}", waiting[0].source, at=waiting[0].created)
    if related:
        cause, detail = _RELATIONS[related[0].relation], related[0].message
        decided = Reason(0.7, "what its pods ask of a node, no node offers", (fact(required.ref.name, detail, required.source),))
        yield suspect(cause, required.ref, detail, decided, Reason(0.2, "the scheduler says that no node takes them", (cited,)))
    elif word := next((word for word in _WORDS if word in message.replace(_OWN_TAINT, "")), ""):
        yield suspect(_WORDS[word], required.ref, message, Reason(0.72, "the scheduler says so", (cited,)))


def _claim(index: ObservationIndex, claim: Claim) -> Iterator[Candidate]:
    """Find a claim that is not bound, at the workload whose pods wait for it."""
    users = {ref.name for ref in claim.used_by}
    waiting = [pod for pod in index.observations.pods if pod.name in users and not pod.ready]
    related = [found for found in claim.mismatches if found.relation in _CLAIMS]
    if claim.bound or not waiting or not related:
        return
    service, detail = waiting[0].service, f"claim {claim.ref.name}: {related[0].message}"
    cited = fact(service, f"pod {waiting[0].name} waits: {waiting[0].message or waiting[0].phase}", waiting[0].source)
    yield suspect(
        _CLAIMS[related[0].relation],
        index.ref(service),
        detail,
        Reason(0.7, "its claim is not bound, and the nearest volume does not fit", (fact(service, detail, claim.source),)),
        Reason(0.2, "its pods wait for the claim", (cited,)),
    )
