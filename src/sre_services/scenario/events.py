"""The story as events of the cluster's components in the last hour."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sre_services.scenario import pods, workloads
from sre_services.scenario.shop import NAMESPACE, NODES, format_time, generate_suffix
from sre_services.scenario.stories import PodRun, Revision, Story

type Json = dict[str, Any]

# The API server forgets events after an hour.
KEPT = -3600.0


def build_events(story: Story) -> list[Json]:
    """Build all events that are still kept, oldest first."""
    found = [*_noise(story)]
    for revisions in story.revisions.values():
        old, new = revisions[-2:]
        found += _rollout(old, new, story)
    for pod in story.pods:
        found += _lifecycle(pod) if pod.removed is None else _removal(pod)
    return [event for last, event in sorted(found, key=lambda pair: (pair[0], pair[1]["metadata"]["name"])) if last >= KEPT]


def _rollout(old: Revision, new: Revision, story: Story) -> Iterator[tuple[float, Json]]:
    at, service = new.created, new.service
    steps = (("up", new, 0, service.replicas), ("down", old, service.replicas, 0))
    for direction, revision, before, after in steps if service.strategy == "RollingUpdate" else reversed(steps):
        message = f"Scaled {direction} replica set {revision.replica_set} from {before} to {after}"
        yield _event(at, "Normal", "ScalingReplicaSet", f"Deployment/{service.name}", message, "deployment-controller")
        at += 32 if service.strategy == "Recreate" else 16
    for pod in story.pods:
        if pod.revision is new:
            message = f"Created pod: {pod.name}"
            yield _event(pod.created, "Normal", "SuccessfulCreate", f"ReplicaSet/{new.replica_set}", message, "replicaset-controller")


def _removal(pod: PodRun) -> Iterator[tuple[float, Json]]:
    assert pod.removed is not None
    message = f"Stopping container {workloads.container_name(pod.service)}"
    yield _event(pod.removed, "Normal", "Killing", f"Pod/{pod.name}", message, "kubelet")
    owner = f"ReplicaSet/{pod.revision.replica_set}"
    yield _event(pod.removed, "Normal", "SuccessfulDelete", owner, f"Deleted pod: {pod.name}", "replicaset-controller")


def _lifecycle(pod: PodRun) -> Iterator[tuple[float, Json]]:
    name, container, first, last = f"Pod/{pod.name}", workloads.container_name(pod.service), pod.runs[0].started, pod.runs[-1].started
    image, starts = workloads.build_template(pod.revision)["spec"]["containers"][0]["image"], len(pod.runs)
    yield _event(
        pod.created, "Normal", "Scheduled", name, f"Successfully assigned {NAMESPACE}/{pod.name} to {pod.node}", "default-scheduler"
    )
    yield _event(last - 1, "Normal", "Pulled", name, f'Container image "{image}" already present on machine', "kubelet", starts, first - 1)
    yield _event(last, "Normal", "Created", name, f"Created container: {container}", "kubelet", starts, first)
    yield _event(last, "Normal", "Started", name, f"Started container {container}", "kubelet", starts, first)
    if pod.waiting:
        message = pods.back_off_message(pod).replace("back-off 5m0s", "Back-off")
        yield _event(-22 + pod.number, "Warning", "BackOff", name, message, "kubelet", 58 - 3 * pod.number, first + 16)
    yield from _out_of_memory(pod)


def _out_of_memory(pod: PodRun) -> Iterator[tuple[float, Json]]:
    """Yield the kernel reports each kill; the kubelet counts failed probes, and shows a kill only by the next start."""
    kills = [run.ended for run in pod.runs if run.reason == "OOMKilled" and run.ended]
    for at in kills:
        process = f"Killed process {20_000 + int(-at) % 9_000} ({pod.service.runtime})"
        message = f"Memory cgroup out of memory: {process} total-vm:3180764kB, anon-rss:509120kB, file-rss:11264kB"
        yield _event(at, "Warning", "OOMKilling", f"Node/{pod.node}", message, "kernel-monitor", namespace="default")
    if kills:
        probe = 'Readiness probe failed: Get "http://10.0.3.141:8080/healthz": context deadline exceeded'
        yield _event(kills[-1] - 21, "Warning", "Unhealthy", f"Pod/{pod.name}", probe, "kubelet", 4 * len(kills), kills[0] - 84)


def _noise(story: Story) -> Iterator[tuple[float, Json]]:
    """Make the events of every day."""
    limits = "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 10.100.0.10 10.0.0.2"
    shipper = f"Pod/log-shipper-{generate_suffix(NODES[1], 5)}"
    yield _event(-190, "Warning", "DNSConfigForming", shipper, limits, "kubelet", 1432, -30 * 86_400, "monitoring")
    for number in (0, 1):
        job, at = f"report-builder-{29_392_110 + 30 * number}", -2700 + 1800.0 * number
        yield _event(at, "Normal", "SuccessfulCreate", "CronJob/report-builder", f"Created job {job}", "cronjob-controller")
        yield _event(at + 41, "Normal", "Completed", f"Job/{job}", "Job completed", "job-controller")
    probe = 'Readiness probe failed: Get "http://10.0.1.77:8080/healthz": dial tcp 10.0.1.77:8080: connect: connection refused'
    shipping = next(pod for pod in story.pods if pod.service.name == "shipping-service" and pod.removed is None)
    yield _event(shipping.created + 6, "Warning", "Unhealthy", f"Pod/{shipping.name}", probe, "kubelet")


def _event(  # noqa: PLR0917 - in the order of kubectl's columns
    last: float,
    kind: str,
    reason: str,
    about: str,
    message: str,
    source: str,
    count: int = 1,
    first: float | None = None,
    namespace: str = NAMESPACE,
) -> tuple[float, Json]:
    object_kind, _, name = about.partition("/")
    identity = generate_suffix(f"{about}{reason}{last}{message}", 12)
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{identity}", "namespace": namespace, "creationTimestamp": format_time(first or last)},
        "involvedObject": {"kind": object_kind, "name": name} | ({} if object_kind == "Node" else {"namespace": namespace}),
        "type": kind,
        "reason": reason,
        "message": message,
        "count": count,
        "firstTimestamp": format_time(first or last),
        "lastTimestamp": format_time(last),
        "source": {"component": source},
    }
    return last, event
