"""The use of containers from `metrics.k8s.io`, with the requests and limits that their pods declare."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sre_services.kubernetes.model import Container, Pod, Usage
from sre_services.kubernetes.objects import Json, parse_quantity, parse_time


def join_usage(pods: tuple[Pod, ...], measured: tuple[Json, ...]) -> Iterator[Usage]:
    """Join pods and measurements: one Usage for each container of a pod that has not ended, without numbers where none were measured."""
    by_pod = {(document["metadata"]["namespace"], document["metadata"]["name"]): document for document in measured}
    for pod in pods:
        if pod.phase in ("Succeeded", "Failed"):
            continue
        document = by_pod.get((pod.namespace, pod.name), {})
        used = {container["name"]: container["usage"] for container in document.get("containers", ())}
        for container in pod.containers:
            yield _usage(pod, container, used.get(container.name, {}), parse_time(document.get("timestamp")))


def _usage(pod: Pod, container: Container, used: Json, measured_at: datetime | None) -> Usage:
    declared = container.resources
    requests, limits = (declared.requests, declared.limits) if declared else ({}, {})
    cpu, memory = _number(used, "cpu", 1000), _number(used, "memory")
    cpu_limit, memory_limit = _number(limits, "cpu", 1000), _number(limits, "memory")
    return Usage(
        pod=pod.name,
        container=container.name,
        namespace=pod.namespace,
        node=pod.node,
        measured_at=measured_at,
        cpu_millicores=cpu,
        cpu_request_millicores=_number(requests, "cpu", 1000),
        cpu_limit_millicores=cpu_limit,
        cpu_percent_of_limit=_percent(cpu, cpu_limit),
        memory_bytes=memory,
        memory_request_bytes=_number(requests, "memory"),
        memory_limit_bytes=memory_limit,
        memory_percent_of_limit=_percent(memory, memory_limit),
    )


def _number(amounts: Json, name: str, scale: int = 1) -> float | None:
    return parse_quantity(amounts[name]) * scale if name in amounts else None


def _percent(used: float | None, limit: float | None) -> float | None:
    return round(100 * used / limit, 1) if used is not None and limit else None
