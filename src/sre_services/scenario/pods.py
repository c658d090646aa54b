"""Pods in the form of the API server: those of the shop, its databases and the platform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sre_services.scenario.shop import DATABASES, DAY, NAMESPACE, NODES, Service, format_time, generate_suffix
from sre_services.scenario.stories import PodRun, Run
from sre_services.scenario.workloads import build_metadata, build_template, container_name

type Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class PlatformPod:
    """A pod that plays no part in any story."""

    name: str
    app: str
    image: str
    owner: str
    created: float
    node: str
    namespace: str = "monitoring"
    runs: Sequence[Run] = ()


def build_pod(run: PodRun) -> Json:
    """Build a pod of the shop."""
    service, last = run.service, run.runs[-1]
    ready = not run.waiting
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": run.revision.replica_set, "controller": True}
    spec = build_template(run.revision)["spec"]
    status = {
        "name": container_name(service),
        "image": spec["containers"][0]["image"],
        "ready": ready,
        "started": ready,
        "restartCount": len(run.runs) - 1,
        "state": _waiting(run) if run.waiting else {"running": {"startedAt": format_time(last.started)}},
        "lastState": _last_state(run),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": build_metadata(run.name, service, run.created)
        | {"ownerReferences": [owner], "generateName": f"{run.revision.replica_set}-"},
        "spec": {**spec, "nodeName": run.node, "restartPolicy": "Always"},
        "status": {
            "phase": "Running",
            "qosClass": "Burstable",
            "startTime": format_time(run.created),
            "conditions": _pod_conditions(run, service, ready=ready),
            "containerStatuses": [status],
        },
    }


def build_platform_pods() -> list[Json]:
    """Build the pods of databases and platform. One log shipper had a bad week some time ago, which means nothing today."""
    pods = [
        PlatformPod(
            name=f"{name}-0",
            app=name,
            image=f"{name}:16.4",
            owner=f"StatefulSet/{name}",
            created=-48 * DAY,
            node=NODES[place],
            namespace=NAMESPACE,
        )
        for place, name in enumerate(DATABASES)
    ]
    for node in NODES:
        runs = _bad_week() if node == NODES[1] else ()
        name, image = f"log-shipper-{generate_suffix(node, 5)}", "fluent-bit:3.2.1"
        pods.append(
            PlatformPod(name=name, app="log-shipper", image=image, owner="DaemonSet/log-shipper", created=-30 * DAY, node=node, runs=runs)
        )
    return [_build_platform_pod(pod) for pod in pods]


def _bad_week() -> tuple[Run, ...]:
    starts = [(-4.2 + number / 10) * DAY for number in range(11)]
    return (*(Run(start, start + 900, "Error", 2, "output: bulk request rejected: queue full") for start in starts), Run(-3.1 * DAY))


def _build_platform_pod(pod: PlatformPod) -> Json:
    kind, _, owner = pod.owner.partition("/")
    runs = pod.runs or (Run(pod.created + 8),)
    status = {
        "name": pod.app,
        "image": pod.image,
        "ready": True,
        "restartCount": len(runs) - 1,
        "state": {"running": {"startedAt": format_time(runs[-1].started)}},
        "lastState": _ended(runs),
    }
    container = {"name": pod.app, "image": pod.image, "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "namespace": pod.namespace,
            "creationTimestamp": format_time(pod.created),
            "labels": {"app": pod.app},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": True}],
        },
        "spec": {"nodeName": pod.node, "containers": [container]},
        "status": {
            "phase": "Running",
            "startTime": format_time(pod.created),
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": format_time(runs[-1].started + 8)}],
            "containerStatuses": [status],
        },
    }


def back_off_message(run: PodRun) -> str:
    """Return the message of the kubelet while it waits to restart a container."""
    container = container_name(run.service)
    return f"back-off 5m0s restarting failed container={container} pod={run.name}_{NAMESPACE}"


def _pod_conditions(run: PodRun, service: Service, *, ready: bool) -> list[Json]:
    since = format_time(run.runs[-1].started + 9 if ready else run.runs[0].started)
    good: Json = {"status": "True", "lastTransitionTime": since}
    why = {"status": "False", "reason": "ContainersNotReady", "message": f"containers with unready status: [{container_name(service)}]"}
    state = good if ready else {**why, "lastTransitionTime": since}
    placed: Json = {"status": "True", "lastTransitionTime": format_time(run.created)}
    return [
        {"type": "PodScheduled", **placed},
        {"type": "Initialized", **placed},
        {"type": "ContainersReady", **state},
        {"type": "Ready", **state},
    ]


def _waiting(run: PodRun) -> Json:
    return {"waiting": {"reason": "CrashLoopBackOff", "message": back_off_message(run)}}


def _last_state(run: PodRun) -> Json:
    """Return the run before this one; while waiting, the last run."""
    return _ended(run.runs if not run.waiting else (*run.runs, Run(0)))


def _ended(runs: Sequence[Run]) -> Json:
    if len(runs) < 2 or runs[-2].ended is None:
        return {}
    before = runs[-2]
    assert before.ended is not None
    ended: Json = {
        "exitCode": before.exit_code,
        "reason": before.reason,
        "startedAt": format_time(before.started),
        "finishedAt": format_time(before.ended),
    }
    return {"terminated": ended | ({"message": before.message} if before.message else {})}
