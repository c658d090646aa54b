"""The story as the Kubernetes API's Lists at its end."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sre_services.scenario import events, pods, workloads
from sre_services.scenario.shop import DATABASES, DAY, NAMESPACE, NODES, SERVICES, format_time, generate_suffix, seeded_random
from sre_services.scenario.stories import PodRun, Story

type Json = dict[str, Any]


def build_files(story: Story) -> dict[str, str]:
    """Build the files by name; each is a List."""
    present = [pod for pod in story.pods if pod.removed is None]
    lists = {
        "pods": [*map(pods.build_pod, present), *pods.build_platform_pods()],
        "deployments": [workloads.build_deployment(story.revisions[service.name][-1], present) for service in SERVICES],
        "replicasets": [
            workloads.build_replica_set(revision, present, current=revision is revisions[-1])
            for revisions in story.revisions.values()
            for revision in revisions
        ],
        "configmaps": [item for revisions in story.revisions.values() for item in workloads.build_config_maps(revisions)],
        "services": [_service(name, 8080) for name in sorted(story.revisions)] + [_service(name, 5432) for name in DATABASES],
        "endpointslices": [_endpoint_slice(name, 8080, _backends(present, name)) for name in sorted(story.revisions)]
        + [_endpoint_slice(name, 5432, [(f"{name}-0", NODES[number], True)]) for number, name in enumerate(DATABASES)],
        "nodes": [_node(name) for name in NODES],
        "events": events.build_events(story),
        "podmetrics": [*(_pod_metrics(story, pod) for pod in present if not pod.waiting), *_database_metrics()],
        "nodemetrics": [_node_metrics(name) for name in NODES],
    }
    return {f"kubernetes/{name}.json": _list(items) for name, items in lists.items()}


def _list(items: Iterable[Json]) -> str:
    """Format a List with one object per line, so that one can be found and deleted."""
    lines = ",\n".join(json.dumps(item, separators=(",", ":")) for item in items)
    return '{"apiVersion":"v1","kind":"List","metadata":{"resourceVersion":""},"items":[\n' + lines + "\n]}\n"


def _service(name: str, port: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE, "creationTimestamp": format_time(-200 * DAY), "labels": {"app": name}},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": f"10.100.{seeded_random('ip', name).randrange(256)}.{seeded_random('ip', name, 2).randrange(1, 255)}",
            "selector": {"app": name},
            "ports": [{"name": "main", "port": port, "targetPort": port, "protocol": "TCP"}],
        },
    }


def _backends(present: list[PodRun], service: str) -> list[tuple[str, str, bool]]:
    return [(pod.name, pod.node, not pod.waiting) for pod in present if pod.service.name == service]


def _endpoint_slice(service: str, port: int, backends: list[tuple[str, str, bool]]) -> Json:
    """Build the EndpointSlice of a Service from (pod, node, ready)."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-{generate_suffix(service, 5)}",
            "namespace": NAMESPACE,
            "creationTimestamp": format_time(-200 * DAY),
            "labels": {"kubernetes.io/service-name": service, "app": service},
        },
        "addressType": "IPv4",
        "ports": [{"name": "main", "port": port, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": [f"10.0.{NODES.index(node) + 1}.{seeded_random('pod ip', pod).randrange(2, 255)}"],
                "conditions": {"ready": ready, "serving": ready, "terminating": False},
                "nodeName": node,
                "targetRef": {"kind": "Pod", "name": pod, "namespace": NAMESPACE},
            }
            for pod, node, ready in backends
        ],
    }


def _node(name: str) -> Json:
    healthy = (
        ("MemoryPressure", "KubeletHasSufficientMemory"),
        ("DiskPressure", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "KubeletHasSufficientPID"),
    )
    conditions = [(kind, "False", reason) for kind, reason in healthy] + [("Ready", "True", "KubeletReady")]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "creationTimestamp": format_time(-60 * DAY),
            "labels": {
                "node.kubernetes.io/instance-type": "m6i.xlarge",
                "topology.kubernetes.io/zone": f"us-east-1{'abc'[NODES.index(name)]}",
            },
        },
        "spec": {"providerID": f"aws:///us-east-1{'abc'[NODES.index(name)]}/i-0{seeded_random('node', name).randrange(16**16):016x}"},
        "status": {
            "capacity": {"cpu": "4", "memory": "15896Mi", "pods": "58"},
            "allocatable": {"cpu": "3920m", "memory": "14880Mi", "pods": "58"},
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "lastHeartbeatTime": format_time(-40),
                    "lastTransitionTime": format_time(-60 * DAY + 40),
                }
                for kind, status, reason in conditions
            ],
            "nodeInfo": {"kubeletVersion": "v1.33.4-eks-99d6cc0", "containerRuntimeVersion": "containerd://2.0.5", "architecture": "amd64"},
        },
    }


def _pod_metrics(story: Story, pod: PodRun) -> Json:
    noise = seeded_random(story.name, "top", pod.name)
    memory = pod.service.memory_mib * story.memory_share(pod, -15) * noise.gauss(1, 0.01)
    cpu = pod.service.cpu_millicores * noise.gauss(1, 0.06)
    return _measured(pod.name, pod.service.name.removesuffix("-service"), round(cpu * 1e6), round(memory * 1024))


def _database_metrics() -> list[Json]:
    return [_measured(f"{name}-0", name, 95_000_000 + 1_000_000 * len(name), 612_000 + 1_000 * len(name)) for name in DATABASES]


def _measured(pod: str, container: str, nanocores: int, kibibytes: int) -> Json:
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "PodMetrics",
        "metadata": {"name": pod, "namespace": NAMESPACE},
        "timestamp": format_time(-15),
        "window": "30s",
        "containers": [{"name": container, "usage": {"cpu": f"{nanocores}n", "memory": f"{kibibytes}Ki"}}],
    }


def _node_metrics(name: str) -> Json:
    noise = seeded_random("node", name)
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": "NodeMetrics",
        "metadata": {"name": name},
        "timestamp": format_time(-15),
        "window": "30s",
        "usage": {"cpu": f"{noise.randrange(900, 1400)}m", "memory": f"{noise.randrange(5200, 7100)}Mi"},
    }
