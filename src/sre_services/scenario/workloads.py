"""Deployments, ReplicaSets and ConfigMaps in the form of the API server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sre_services.scenario.shop import DAY, NAMESPACE, REGISTRY, Service, format_time
from sre_services.scenario.stories import PodRun, Revision

type Json = dict[str, Any]

_READY = "deployment.kubernetes.io/revision"


def build_deployment(revision: Revision, pods: Sequence[PodRun]) -> Json:
    """Build the Deployment of its newest revision."""
    service, ready = revision.service, _ready(pods, revision)
    complete = ready == service.replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": build_metadata(service.name, service, -200 * DAY)
        | {"annotations": {_READY: str(revision.number)}, "generation": revision.number},
        "spec": {
            "replicas": service.replicas,
            "selector": {"matchLabels": {"app": service.name}},
            "strategy": {"type": service.strategy},
            "progressDeadlineSeconds": 600,
            "template": build_template(revision),
        },
        "status": {
            "observedGeneration": revision.number,
            "replicas": service.replicas,
            "updatedReplicas": service.replicas,
            "conditions": _rollout(revision, complete=complete),
        }
        | ({"readyReplicas": ready, "availableReplicas": ready} if ready else {})
        | ({} if complete else {"unavailableReplicas": service.replicas - ready}),
    }


def build_replica_set(revision: Revision, pods: Sequence[PodRun], *, current: bool) -> Json:
    """Build the ReplicaSet of one revision; an old one is kept at zero."""
    service = revision.service
    replicas, ready = (service.replicas, _ready(pods, revision)) if current else (0, 0)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name, "controller": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": build_metadata(revision.replica_set, service, revision.created)
        | {"annotations": {_READY: str(revision.number)}, "ownerReferences": [owner]},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": service.name}}, "template": build_template(revision)},
        "status": {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready},
    }


def build_template(revision: Revision) -> Json:
    """Build the pod template of a revision."""
    service = revision.service
    container: Json = {
        "name": container_name(service),
        "image": f"{REGISTRY}/{service.name}:{revision.version}",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "envFrom": [{"configMapRef": {"name": revision.config_map}}],
        "resources": build_resources(service),
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if service.database:
        secret = {"secretKeyRef": {"name": f"{service.name}-db", "key": "password"}}
        container["env"] = [{"name": "DB_PASSWORD", "valueFrom": secret}]
    spec = {"serviceAccountName": service.name, "containers": [container], "terminationGracePeriodSeconds": 30}
    return {"metadata": {"labels": {"app": service.name}}, "spec": spec}


def build_config_maps(revisions: Iterable[Revision]) -> Iterator[Json]:
    """Build the ConfigMaps of revisions; revisions with equal values share one."""
    made: set[str] = set()
    for revision in revisions:
        if revision.config_map not in made:
            made.add(revision.config_map)
            about = build_metadata(revision.config_map, revision.service, revision.created - 20)
            yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": dict(revision.config)}


def container_name(service: Service) -> str:
    """Return the name of the container in a service's pods."""
    return service.name.removesuffix("-service")


def build_resources(service: Service) -> Json:
    """Build requests and limits of a service's container."""
    return {
        "requests": {"cpu": f"{service.cpu_millicores * 2}m", "memory": f"{service.memory_limit_mib // 2}Mi"},
        "limits": {"cpu": f"{service.cpu_millicores * 5}m", "memory": f"{service.memory_limit_mib}Mi"},
    }


def build_metadata(name: str, service: Service, created: float) -> Json:
    """Build an object's metadata: name, age and labels."""
    labels = {"app": service.name, "app.kubernetes.io/part-of": "shop"}
    return {"name": name, "namespace": NAMESPACE, "creationTimestamp": format_time(created), "labels": labels}


def _ready(pods: Sequence[PodRun], revision: Revision) -> int:
    return sum(1 for pod in pods if pod.revision == revision and not pod.waiting)


def _rollout(revision: Revision, *, complete: bool) -> list[Json]:
    """Build the conditions of a rollout; one without progress for ten minutes is past its deadline."""
    available = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    unavailable = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    progressed = ("True", "NewReplicaSetAvailable", f'ReplicaSet "{revision.replica_set}" has successfully progressed.')
    stuck = ("False", "ProgressDeadlineExceeded", f'ReplicaSet "{revision.replica_set}" has timed out progressing.')
    at = {"Available": revision.created + (40 if complete else 1), "Progressing": revision.created + (40 if complete else 632)}
    found = {"Available": available if complete else unavailable, "Progressing": progressed if complete else stuck}
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastUpdateTime": format_time(at[kind]),
            "lastTransitionTime": format_time(at[kind]),
        }
        for kind, (status, reason, message) in found.items()
    ]
