"""Check the constraints of a pod against the nodes: which nodes fit, and what keeps the others out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sre_services.kubernetes.model import Mismatch, Ref
from sre_services.kubernetes.objects import Json, key_of, parse_quantity

# Of reasons that keep out equally many nodes, the first is named.
ORDER = ("taint", "podAntiAffinity", "cpu", "memory", "cordon", "notReady")
# Kubernetes itself taints nodes that are in trouble: what is wrong is then the node, and no toleration.
_OWN_TAINTS = "node.kubernetes.io/"
_HOSTNAME = "kubernetes.io/hostname"
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


def check_nodes(pod: Json, nodes: Sequence[Json], pods: Sequence[Json]) -> Iterator[Mismatch]:
    """Report what keeps a pod from every node: its selector, its affinity, else what most of the nodes that match have against it."""
    spec = pod["spec"]
    if not nodes:
        return
    # Nodes of the control plane are usually closed to everybody: they decide nothing where there are others.
    nodes = [node for node in nodes if not _is_control_plane(node)] or nodes
    selected = [node for node in nodes if _matches(spec.get("nodeSelector") or {}, _labels(node))]
    terms = _required_terms(spec)
    wanted = [node for node in selected if terms is None or any(_matches_term(term, node) for term in terms)]
    if not selected:
        yield _mismatch("nodeSelector", f"no node has the labels of nodeSelector {_text(spec['nodeSelector'])}", nodes)
    elif not wanted:
        yield _mismatch("nodeAffinity", "no node matches the required node affinity", selected)
    else:
        yield from _blocked(pod, wanted, pods)


def _blocked(pod: Json, nodes: Sequence[Json], pods: Sequence[Json]) -> Iterator[Mismatch]:
    """Report the reason that keeps out most of the nodes, if none is left."""
    reasons = {key_of(node)[1]: dict(_reasons(pod, node, nodes, pods)) for node in nodes}
    if not all(reasons.values()):
        return
    counts = Counter(relation for found in reasons.values() for relation in found)
    relation = min(counts, key=lambda relation: (-counts[relation], ORDER.index(relation)))
    texts = [f"{name}: {found[relation]}" for name, found in reasons.items() if relation in found]
    others = ", ".join(f"{count} {name}" for name, count in counts.items() if name != relation)
    message = (
        f"of the {len(nodes)} nodes that the pod's constraints allow, {counts[relation]} refuse it by {relation}: {'; '.join(texts[:3])}"
    )
    yield _mismatch(
        relation, f"{message}{f' (and {others})' if others else ''}", [node for node in nodes if relation in reasons[key_of(node)[1]]]
    )


def _reasons(pod: Json, node: Json, nodes: Sequence[Json], pods: Sequence[Json]) -> Iterator[tuple[str, str]]:
    spec, own = pod["spec"], node.get("spec") or {}
    if own.get("unschedulable"):
        yield "cordon", "it is cordoned"
    taints = [taint for taint in own.get("taints") or () if not _is_tolerated(taint, spec.get("tolerations") or ())]
    own_taints = [taint for taint in taints if taint["key"].startswith(_OWN_TAINTS)]
    if own_taints:
        yield "notReady", ", ".join(f"it is tainted {taint['key']}" for taint in own_taints)
    if taints := [taint for taint in taints if taint not in own_taints]:
        yield "taint", ", ".join(f"taint {taint['key']}={taint.get('value', '')}:{taint['effect']} is not tolerated" for taint in taints)
    yield from _missing_resources(pod, node, pods)
    if conflict := _conflict(pod, node, nodes, pods):
        yield "podAntiAffinity", f"it runs {conflict}, which the pod's anti-affinity excludes"


def _missing_resources(pod: Json, node: Json, pods: Sequence[Json]) -> Iterator[tuple[str, str]]:
    name = key_of(node)[1]
    here = [other for other in pods if other["spec"].get("nodeName") == name]
    for resource in ("cpu", "memory"):
        allocatable = (node.get("status") or {}).get("allocatable", {}).get(resource)
        wanted = request_of(pod, resource)
        if allocatable and wanted:
            free = parse_quantity(str(allocatable)) - sum(request_of(other, resource) for other in here)
            if wanted > free:
                yield resource, f"it has {_size(free)} {resource} left, and the pod requests {_size(wanted)}"


def _size(amount: float) -> str:
    return f"{amount / 2**20:.0f}Mi" if amount >= 2**20 else f"{amount:.4g}"


def request_of(pod: Json, resource: str) -> float:
    """Return what the containers of a pod request of a resource."""
    amounts = ((container.get("resources") or {}).get("requests") or {} for container in pod["spec"].get("containers") or ())
    return sum(parse_quantity(str(amount[resource])) for amount in amounts if resource in amount)


def _conflict(pod: Json, node: Json, nodes: Sequence[Json], pods: Sequence[Json]) -> str:
    """Find a pod in the topology domain of a node that the required anti-affinity excludes."""
    for term in ((pod["spec"].get("affinity") or {}).get("podAntiAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or ():
        domain = _labels(node).get(term.get("topologyKey", ""), key_of(node)[1])
        near = {key_of(other)[1] for other in nodes if _labels(other).get(term.get("topologyKey", ""), key_of(other)[1]) == domain}
        for other in pods:
            same = key_of(other)[0] == key_of(pod)[0] and other["spec"].get("nodeName") in near
            if same and matches_selector(term.get("labelSelector") or {}, _labels(other)):
                return key_of(other)[1]
    return ""


def matches_selector(selector: Json, labels: Mapping[str, str]) -> bool:
    """Return True where labels match a LabelSelector: its matchLabels and its matchExpressions."""
    expressions = selector.get("matchExpressions") or ()
    return _matches(selector.get("matchLabels") or {}, labels) and all(_matches_expression(found, labels) for found in expressions)


def _required_terms(spec: Json) -> Sequence[Json] | None:
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    return (required.get("nodeSelectorTerms") or ()) if required else None


def _matches_term(term: Json, node: Json) -> bool:
    fields = {"metadata.name": key_of(node)[1]}
    by_label = all(_matches_expression(found, _labels(node)) for found in term.get("matchExpressions") or ())
    return by_label and all(_matches_expression(found, fields) for found in term.get("matchFields") or ())


def _matches_expression(expression: Json, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(expression["key"]), [str(found) for found in expression.get("values") or ()]
    operator = expression.get("operator", "In")
    if operator in {"Gt", "Lt"}:
        try:
            return value is not None and (int(value) > int(values[0]) if operator == "Gt" else int(value) < int(values[0]))
        except (ValueError, IndexError):
            return False
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(operator, False)


def _is_tolerated(taint: Json, tolerations: Sequence[Json]) -> bool:
    """Return True for a taint that does not keep the pod out; a cordon's own taint counts as the cordon."""
    if taint.get("effect") == "PreferNoSchedule" or taint.get("key") == "node.kubernetes.io/unschedulable":
        return True
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Json, taint: Json) -> bool:
    if toleration.get("effect") not in {None, "", taint.get("effect")}:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return toleration.get("key") in {None, "", taint["key"]}
    return bool(toleration.get("key") == taint["key"] and (toleration.get("value") or "") == (taint.get("value") or ""))


def _is_control_plane(node: Json) -> bool:
    labels = _labels(node)
    return any(label in labels for label in _CONTROL_PLANE) or labels.get("kubernetes.io/role") in {"master", "control-plane"}


def _mismatch(relation: str, message: str, nodes: Sequence[Json]) -> Mismatch:
    return Mismatch(relation=relation, message=message, object=Ref(kind="Node", name=key_of(nodes[0])[1]))


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == str(value) for key, value in selector.items())


def _labels(document: Json) -> Mapping[str, str]:
    """Return the labels of an object; a node is known by its host name, also where the label was removed."""
    labels: Mapping[str, str] = document["metadata"].get("labels") or {}
    return {_HOSTNAME: key_of(document)[1], **labels}


def _text(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())
