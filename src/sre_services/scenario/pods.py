"""Pods as the API server shows them: the shop's, its databases' and the platform's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sre_services.scenario.shop import DATABASES, DAY, NAMESPACE, NODES, Service, stamp, suffix
from sre_services.scenario.stories import PodRun, Run
from sre_services.scenario.workloads import container_name, metadata, template

type Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A pod that is there and plays no part."""

    name: str
    app: str
    image: str
    owner: str
    created: float
    node: str
    namespace: str = "monitoring"
    runs: Sequence[Run] = ()


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
        "metadata": metadata(run.name, service, run.created) | {"ownerReferences": [owner], "generateName": f"{run.revision.replica_set}-"},
        "spec": {**spec, "nodeName": run.node, "restartPolicy": "Always"},
        "status": {
            "phase": "Running",
            "qosClass": "Burstable",
            "startTime": stamp(run.created),
            "conditions": _pod_conditions(run, service, ready=ready),
            "containerStatuses": [status],
        },
    }


def neighbours() -> list[Json]:
    """The databases and the platform. One log shipper had a bad week some time ago; it means nothing today."""
    pods = [
        Neighbour(
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
        name, image = f"log-shipper-{suffix(node, 5)}", "fluent-bit:3.2.1"
        pods.append(
            Neighbour(name=name, app="log-shipper", image=image, owner="DaemonSet/log-shipper", created=-30 * DAY, node=node, runs=runs)
        )
    return [_neighbour(pod) for pod in pods]


def _bad_week() -> tuple[Run, ...]:
    starts = [(-4.2 + number / 10) * DAY for number in range(11)]
    return (*(Run(start, start + 900, "Error", 2, "output: bulk request rejected: queue full") for start in starts), Run(-3.1 * DAY))


def _neighbour(pod: Neighbour) -> Json:
    kind, _, owner = pod.owner.partition("/")
    lives = pod.runs or (Run(pod.created + 8),)
    status = {
        "name": pod.app,
        "image": pod.image,
        "ready": True,
        "restartCount": len(lives) - 1,
        "state": {"running": {"startedAt": stamp(lives[-1].started)}},
        "lastState": _ended(lives),
    }
    container = {"name": pod.app, "image": pod.image, "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "namespace": pod.namespace,
            "creationTimestamp": stamp(pod.created),
            "labels": {"app": pod.app},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": kind, "name": owner, "controller": True}],
        },
        "spec": {"nodeName": pod.node, "containers": [container]},
        "status": {
            "phase": "Running",
            "startTime": stamp(pod.created),
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(lives[-1].started + 8)}],
            "containerStatuses": [status],
        },
    }


def back_off(run: PodRun) -> str:
    """What the kubelet says while it waits to start a container again."""
    container = container_name(run.service)
    return f"back-off 5m0s restarting failed container={container} pod={run.name}_{NAMESPACE}"


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
