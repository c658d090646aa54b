"""Deployments, ReplicaSets, ConfigMaps and pods as the API server shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sre_services.scenario.shop import DATABASES, DAY, NAMESPACE, NODES, REGISTRY, Service, stamp, suffix
from sre_services.scenario.stories import PodRun, Revision, Run

type Json = dict[str, Any]

_READY = "deployment.kubernetes.io/revision"


def deployment(revision: Revision, pods: Sequence[PodRun]) -> Json:
    """The Deployment whose newest revision this is."""
    service, ready = revision.service, _ready(pods, revision)
    complete = ready == service.replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(service.name, service, -200 * DAY)
        | {"annotations": {_READY: str(revision.number)}, "generation": revision.number},
        "spec": {
            "replicas": service.replicas,
            "selector": {"matchLabels": {"app": service.name}},
            "strategy": {"type": service.strategy},
            "progressDeadlineSeconds": 600,
            "template": template(revision),
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


def replica_set(revision: Revision, pods: Sequence[PodRun], *, current: bool) -> Json:
    """The ReplicaSet of one revision; an old one is kept at zero."""
    service = revision.service
    replicas, ready = (service.replicas, _ready(pods, revision)) if current else (0, 0)
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": service.name, "controller": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": _metadata(revision.replica_set, service, revision.created)
        | {"annotations": {_READY: str(revision.number)}, "ownerReferences": [owner]},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": service.name}}, "template": template(revision)},
        "status": {"replicas": replicas, "readyReplicas": ready, "availableReplicas": ready},
    }


def template(revision: Revision) -> Json:
    """What a revision's pods run."""
    service = revision.service
    container: Json = {
        "name": container_name(service),
        "image": f"{REGISTRY}/{service.name}:{revision.version}",
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "envFrom": [{"configMapRef": {"name": revision.config_map}}],
        "resources": resources(service),
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if service.database:
        secret = {"secretKeyRef": {"name": f"{service.name}-db", "key": "password"}}
        container["env"] = [{"name": "DB_PASSWORD", "valueFrom": secret}]
    spec = {"serviceAccountName": service.name, "containers": [container], "terminationGracePeriodSeconds": 30}
    return {"metadata": {"labels": {"app": service.name}}, "spec": spec}


def config_maps(revisions: Iterable[Revision]) -> Iterator[Json]:
    """The generations of a service's configuration; revisions with equal values share one."""
    made: set[str] = set()
    for revision in revisions:
        if revision.config_map not in made:
            made.add(revision.config_map)
            metadata = _metadata(revision.config_map, revision.service, revision.created - 20)
            yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(revision.config)}


def pod(run: PodRun) -> Json:
    """A pod of the shop."""
    service, last = run.service, run.runs[-1]
    ready = not run.waiting
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": run.revision.replica_set, "controller": True}
    spec = template(run.revision)["spec"]
    status = {
        "name": container_name(service),
        "image": spec["containers"][0]["image"],
        "ready": ready,
        "started": ready,
        "restartCount": len(run.runs) - 1,
        "state": _waiting(run) if run.waiting else {"running": {"startedAt": stamp(last.started)}},
        "lastState": _last_state(run),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(run.name, service, run.created)
        | {"ownerReferences": [owner], "generateName": f"{run.revision.replica_set}-"},
        "spec": {**spec, "nodeName": run.node, "restartPolicy": "Always"},
        "status": {
            "phase": "Running",
            "qosClass": "Burstable",
            "startTime": stamp(run.created),
            "conditions": _pod_conditions(run, service, ready=ready),
            "containerStatuses": [status],
        },
    }


def database_pods() -> list[Json]:
    """The StatefulSets' pods: they have been up for months."""
    return [_plain_pod(f"{name}-0", NAMESPACE, name, f"{name}:16.4", f"StatefulSet/{name}", -48 * DAY, ()) for name in DATABASES]


def platform_pods() -> list[Json]:
    """What the platform runs beside the shop; one of them had a bad week some time ago."""
    old = tuple(
        Run((-3.2 - n / 10) * DAY, (-3.2 - n / 10) * DAY + 900, "Error", 2, "output: bulk request rejected: queue full")
        for n in range(10, -1, -1)
    )
    return [
        *(
            _plain_pod(
                f"log-shipper-{suffix(node, 5)}", "monitoring", "log-shipper", "fluent-bit:3.2.1", "DaemonSet/log-shipper", -30 * DAY,
                (*old, Run(-3.1 * DAY)) if node == NODES[1] else (Run(-30 * DAY),), node,
            )
            for node in NODES
        ),
        _plain_pod(f"kube-state-metrics-{suffix('ksm', 10)}-{suffix('ksm-pod', 5)}", "monitoring", "kube-state-metrics", "kube-state-metrics:2.15.0",
                   f"ReplicaSet/kube-state-metrics-{suffix('ksm', 10)}", -22 * DAY, ()),
    ]  # fmt: skip


def container_name(service: Service) -> str:
    return service.name.removesuffix("-service")


def resources(service: Service) -> Json:
    """Requests and limits of a service's container."""
    return {
        "requests": {"cpu": f"{service.cpu_millicores * 2}m", "memory": f"{service.memory_limit_mib // 2}Mi"},
        "limits": {"cpu": f"{service.cpu_millicores * 5}m", "memory": f"{service.memory_limit_mib}Mi"},
    }


def back_off(run: PodRun) -> str:
    """What the kubelet says while it waits to start a container again."""
    container = container_name(run.service)
    return f"back-off 5m0s restarting failed container={container} pod={run.name}_{NAMESPACE}"


def _plain_pod(name: str, namespace: str, app: str, image: str, owner: str, created: float, runs: Sequence[Run], node: str = "") -> Json:
    kind, _, owner_name = owner.partition("/")
    node = node or NODES[len(name) % len(NODES)]
    lives = runs or (Run(created + 8),)
    state = {"running": {"startedAt": stamp(lives[-1].started)}}
    status = {"name": app, "image": image, "ready": True, "restartCount": len(lives) - 1, "state": state, "lastState": _ended(lives)}
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(lives[-1].started + 8)}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "creationTimestamp": stamp(created),
            "labels": {"app": app},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": owner_name, "controller": True}],
        },
        "spec": {
            "nodeName": node,
            "containers": [{"name": app, "image": image, "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}}}],
        },
        "status": {"phase": "Running", "startTime": stamp(created), "conditions": conditions, "containerStatuses": [status]},
    }


def _metadata(name: str, service: Service, created: float) -> Json:
    labels = {"app": service.name, "app.kubernetes.io/part-of": "shop"}
    return {"name": name, "namespace": NAMESPACE, "creationTimestamp": stamp(created), "labels": labels}


def _ready(pods: Sequence[PodRun], revision: Revision) -> int:
    return sum(1 for pod in pods if pod.revision == revision and not pod.waiting)


def _rollout(revision: Revision, *, complete: bool) -> list[Json]:
    """A rollout that got nowhere in ten minutes is past its deadline."""
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
            "lastUpdateTime": stamp(at[kind]),
            "lastTransitionTime": stamp(at[kind]),
        }
        for kind, (status, reason, message) in found.items()
    ]


def _pod_conditions(run: PodRun, service: Service, *, ready: bool) -> list[Json]:
    since = stamp(run.runs[-1].started + 9 if ready else run.runs[0].started)
    good: Json = {"status": "True", "lastTransitionTime": since}
    why = {"status": "False", "reason": "ContainersNotReady", "message": f"containers with unready status: [{container_name(service)}]"}
    state = good if ready else {**why, "lastTransitionTime": since}
    placed: Json = {"status": "True", "lastTransitionTime": stamp(run.created)}
    return [
        {"type": "PodScheduled", **placed},
        {"type": "Initialized", **placed},
        {"type": "ContainersReady", **state},
        {"type": "Ready", **state},
    ]


def _waiting(run: PodRun) -> Json:
    return {"waiting": {"reason": "CrashLoopBackOff", "message": back_off(run)}}


def _last_state(run: PodRun) -> Json:
    """The life before this one; while waiting, the last life."""
    return _ended(run.runs if not run.waiting else (*run.runs, Run(0)))


def _ended(lives: Sequence[Run]) -> Json:
    if len(lives) < 2 or lives[-2].ended is None:
        return {}
    before = lives[-2]
    assert before.ended is not None
    ended: Json = {
        "exitCode": before.exit_code,
        "reason": before.reason,
        "startedAt": stamp(before.started),
        "finishedAt": stamp(before.ended),
    }
    return {"terminated": ended | ({"message": before.message} if before.message else {})}
