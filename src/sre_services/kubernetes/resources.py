"""The resources of the Kubernetes API that are read, and the RBAC manifest that allows exactly these (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

READER = "sre-agent-reader"


@dataclass(frozen=True)
class Resource:
    """One resource of the API: `group` is empty for the core. What is `optional` may be absent or forbidden; it is then empty.

    `older` versions, the newest first, have the same fields where they are read; servers from before `version` have one of them.
    """

    group: str
    version: str
    name: str
    namespaced: bool = True
    optional: bool = False
    older: tuple[str, ...] = ()

    def path(self, namespace: str | None, version: str = "") -> str:
        """Return the path that lists it, in one namespace or in all, in its version or an older one."""
        root = f"/apis/{self.group}/{version or self.version}" if self.group else f"/api/{self.version}"
        within = f"/namespaces/{quote(namespace, safe='')}" if namespace and self.namespaced else ""
        return f"{root}{within}/{self.name}"

    @property
    def permission(self) -> str:
        """Name the permission as RBAC does, for people."""
        return f"list {self.name}{f'.{self.group}' if self.group else ''}"


RESOURCES: Mapping[str, Resource] = {
    "pods": Resource("", "v1", "pods"),
    "services": Resource("", "v1", "services"),
    "events": Resource("", "v1", "events"),
    "nodes": Resource("", "v1", "nodes", namespaced=False),
    "configmaps": Resource("", "v1", "configmaps", optional=True),
    "serviceaccounts": Resource("", "v1", "serviceaccounts", optional=True),
    "persistentvolumeclaims": Resource("", "v1", "persistentvolumeclaims", optional=True),
    "persistentvolumes": Resource("", "v1", "persistentvolumes", namespaced=False, optional=True),
    "resourcequotas": Resource("", "v1", "resourcequotas", optional=True),
    "limitranges": Resource("", "v1", "limitranges", optional=True),
    "namespaces": Resource("", "v1", "namespaces", namespaced=False, optional=True),
    "deployments": Resource("apps", "v1", "deployments"),
    "replicasets": Resource("apps", "v1", "replicasets"),
    "statefulsets": Resource("apps", "v1", "statefulsets"),
    "daemonsets": Resource("apps", "v1", "daemonsets"),
    "cronjobs": Resource("batch", "v1", "cronjobs", optional=True, older=("v1beta1",)),
    "jobs": Resource("batch", "v1", "jobs", optional=True),
    "horizontalpodautoscalers": Resource("autoscaling", "v2", "horizontalpodautoscalers", optional=True, older=("v2beta2",)),
    "networkpolicies": Resource("networking.k8s.io", "v1", "networkpolicies", optional=True),
    "ingresses": Resource("networking.k8s.io", "v1", "ingresses", optional=True),
    "gateways": Resource("gateway.networking.k8s.io", "v1", "gateways", optional=True, older=("v1beta1",)),
    "httproutes": Resource("gateway.networking.k8s.io", "v1", "httproutes", optional=True, older=("v1beta1",)),
    "endpointslices": Resource("discovery.k8s.io", "v1", "endpointslices", optional=True, older=("v1beta1",)),
    "storageclasses": Resource("storage.k8s.io", "v1", "storageclasses", namespaced=False, optional=True),
    "podmetrics": Resource("metrics.k8s.io", "v1beta1", "pods", optional=True),
    "nodemetrics": Resource("metrics.k8s.io", "v1beta1", "nodes", namespaced=False, optional=True),
}
"""By the kind that a `Cluster` asks for. Secrets are not among them: to list them is to read their values."""
LOGS = Resource("", "v1", "pods/log")
ADDED = frozenset({"gateway.networking.k8s.io"})
"""Groups that a cluster has only where someone has added them: without them there are no such objects."""


def rbac_manifest(namespace: str = "default", group: str = "") -> dict[str, object]:
    """Build the List of objects that lets a ServiceAccount of this namespace read what the assistant reads, and nothing else.

    With a `group`, its members may, which is what an access entry of EKS names.
    """
    api = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", "name": READER, "namespace": namespace}
    subject = {"kind": "Group", "apiGroup": api, "name": group} if group else account
    role = {"apiGroup": api, "kind": "ClusterRole", "name": READER}
    rbac = f"{api}/v1"
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            *([] if group else [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": READER, "namespace": namespace}}]),
            {"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": READER}, "rules": _rules()},
            {"apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": {"name": READER}, "roleRef": role, "subjects": [subject]},
        ],
    }


def _rules() -> list[dict[str, list[str]]]:
    """List what is needed, group by group: `list` of each resource, and `get` of the logs of pods."""
    groups: dict[str, set[str]] = defaultdict(set)
    for resource in RESOURCES.values():
        groups[resource.group].add(resource.name)
    listed = [{"apiGroups": [group], "resources": sorted(names), "verbs": ["list"]} for group, names in sorted(groups.items())]
    return [*listed, {"apiGroups": [LOGS.group], "resources": [LOGS.name], "verbs": ["get"]}]
