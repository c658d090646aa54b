"""Which service a Kubernetes object belongs to, by how its controller names what it makes."""

from __future__ import annotations

import re

# ReplicaSet names end in a hash of the pod template, pod names in five more letters; Kubernetes' alphabet for both has no vowels.
_TEMPLATE_HASH = re.compile(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{5,10}|[0-9a-f]{8,10})$")
_POD_SUFFIX = re.compile(r"-[bcdfghjklmnpqrstvwxz0-9]{5}$|-[a-z0-9]{5}$|-\d{1,4}$")
_JOB_TIME = re.compile(r"-\d{8,}$")


def workload_of_owner(owner: str, pod_name: str) -> str:
    """The workload's name from `ReplicaSet/orders-7d9f8b6c5d`; from the pod's own name where nobody owns it."""
    kind, _, name = owner.partition("/")
    if kind == "ReplicaSet":
        return workload_of_replica_set(name)
    if kind == "Job":
        return _JOB_TIME.sub("", name)
    return name or workload_of_pod(pod_name)


def workload_of_replica_set(name: str) -> str:
    """The deployment of a ReplicaSet."""
    return _TEMPLATE_HASH.sub("", name)


def workload_of_pod(name: str) -> str:
    """The workload of a pod of which only the name is known."""
    without_suffix = _POD_SUFFIX.sub("", name, count=1)
    return _TEMPLATE_HASH.sub("", without_suffix)
