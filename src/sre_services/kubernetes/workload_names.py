"""The workload that a pod belongs to, by its owner or by its name."""

from __future__ import annotations

import re

from sre_services.kubernetes.objects import Json

# ReplicaSet names end in a hash of the pod template; Kubernetes' alphabet for it has no vowels. A CronJob's jobs end in a time.
_TEMPLATE_HASH = re.compile(r"-(?:[bcdfghjklmnpqrstvwxz2456789]{5,10}|[0-9a-f]{8,10})$")
# The hashes of ReplicaSet and pod, or the number in a StatefulSet, at the end of a pod's name.
_POD_SUFFIX = re.compile(r"(-(?:[a-f0-9]{8,10}|[bcdfghjklmnpqrstvwxz2456789]{8,10}))?-[a-z0-9]{5}$|-\d+$")
_JOB_TIME = re.compile(r"-\d{8,}$")


def workload_of(pod: Json) -> str:
    """Return the name of the Deployment, StatefulSet, DaemonSet or CronJob of a pod; of a pod without owner its own."""
    metadata = pod["metadata"]
    owner: Json = next(iter(metadata.get("ownerReferences") or ()), {})
    name: str = owner.get("name") or metadata["name"]
    match owner.get("kind"):
        case "ReplicaSet":
            return _TEMPLATE_HASH.sub("", name)
        case "Job":
            return _JOB_TIME.sub("", name)
    return name


def workload_name(pod_name: str) -> str:
    """Return the name of a pod's workload where only the pod's own name is known."""
    return _POD_SUFFIX.sub("", pod_name)
