"""The workload of a Kubernetes object, by the names that controllers generate."""

from __future__ import annotations

import re

# ReplicaSet names end in a hash of the pod template, pod names in five more letters. Kubernetes uses no vowels for either.
_TEMPLATE_HASH = re.compile(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{5,10}|[0-9a-f]{8,10})$")
_POD_SUFFIX = re.compile(r"-[bcdfghjklmnpqrstvwxz0-9]{5}$|-[a-z0-9]{5}$|-\d{1,4}$")
_JOB_TIME = re.compile(r"-\d{8,}$")


def workload_of_owner(owner: str, pod_name: str) -> str:
    """Derive the workload from an owner such as `ReplicaSet/orders-7d9f8b6c5d`, or from the name of a pod without owner."""
    kind, _, name = owner.partition("/")
    if kind == "ReplicaSet":
        return workload_of_replica_set(name)
    if kind == "Job":
        return _JOB_TIME.sub("", name)
    return name or workload_of_pod(pod_name)


def workload_of_replica_set(name: str) -> str:
    """Derive the deployment from a ReplicaSet's name."""
    return _TEMPLATE_HASH.sub("", name)


def workload_of_pod(name: str) -> str:
    """Derive the workload from a pod's name."""
    without_suffix = _POD_SUFFIX.sub("", name, count=1)
    return _TEMPLATE_HASH.sub("", without_suffix)
