"""The selection, order and shortening of cluster objects in an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sre_core import clock
from sre_services.kubernetes.cluster import Cluster
from sre_services.kubernetes.model import Container, Deployment, Event, Pod, Service, Usage
from sre_services.kubernetes.scaling_model import CronJob, Job
from sre_services.kubernetes.several import Clusters
from sre_services.kubernetes.workload_model import Workload
from sre_services.timespan import Window

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
RECENT = timedelta(hours=24)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def namespace_filter(namespace: str) -> str | None:
    """Return the namespace to look at: None for all, empty for the application's own."""
    return None if namespace == "all" else namespace


def match_by_name[T: _Named](items: Sequence[T], name: str) -> list[T]:
    """Find the one of this name, else those whose names begin with it."""
    name = name.strip()
    exact = [item for item in items if item.name == name]
    return exact or [item for item in items if item.name.startswith(name)]


def describe_no_objects(cluster: Cluster | Clusters, kind: str, namespace: str, name: str) -> str:
    """Explain an empty answer, and name the namespaces that there are."""
    where = "any namespace" if namespace == "all" else f"namespace {namespace or cluster.default_namespace}"
    which = f"No {kind} has a name that begins with {name!r} in {where}." if name else f"There is no {kind} in {where}."
    return f"{which} Namespaces: {', '.join(cluster.namespaces()) or 'none'}."


def describe_no_events(window: Window) -> str:
    """Explain an answer without events."""
    note = "Clusters keep events for about an hour, so this does not prove that nothing happened."
    return f"No events of this kind last happened in {window}. {note}"


def sort_worst_first(pods: Sequence[Pod]) -> list[Pod]:
    """Sort pods: those that are not ready first, then by restarts."""
    return sorted(pods, key=lambda pod: (pod.ready, -pod.restarts, pod.name))


def shorten_pod(pod: Pod) -> Pod:
    """Drop conditions and declarations of a healthy pod."""
    return replace(pod, conditions=(), containers=tuple(_short(container) for container in pod.containers), service_account="")


def _short(container: Container) -> Container:
    return replace(container, resources=None, state=None)


def changed_at(item: Deployment) -> datetime:
    """Return the time of its newest revision."""
    return (item.revisions[0].created_at if item.revisions else item.created_at) or _LONG_AGO


def changed_recently(item: Deployment, as_of: datetime) -> bool:
    """Return True for a change within the last day; a first rollout counts."""
    return as_of - changed_at(item) <= RECENT


def sort_newest_change_first(items: Sequence[Deployment]) -> list[Deployment]:
    """Sort deployments by their last change, the newest first."""
    return sorted(items, key=lambda item: (-changed_at(item).timestamp(), item.name))


def keep_latest_change(item: Deployment) -> Deployment:
    """Keep only the newest revision of a deployment, and drop its environment."""
    return replace(item, revisions=item.revisions[:1], containers=tuple(replace(c, env=()) for c in item.containers))


def sort_mismatched_first(services: Sequence[Service]) -> list[Service]:
    """Sort Services: those with a mismatch first, then by the number of ready endpoints."""
    return sorted(services, key=lambda item: (not item.mismatches, item.ready_endpoints or 0, item.name))


def shorten_service(service: Service) -> Service:
    """Drop the endpoints of a Service in which everything matches; their number stays."""
    return replace(service, endpoints=())


def is_troubled(workload: Workload) -> bool:
    """Return True for a workload that lacks pods, has pods in trouble, or refers to what does not match."""
    return bool(workload.mismatches or workload.troubled_pods) or workload.ready < workload.desired


def sort_troubled_first(workloads: Sequence[Workload]) -> list[Workload]:
    """Sort workloads: those that lack pods first, then those with a mismatch."""
    return sorted(workloads, key=lambda item: (item.ready >= item.desired, not item.troubled_pods, not item.mismatches, item.name))


def shorten_workload(workload: Workload) -> Workload:
    """Drop the declarations of a workload that is well; what it calls and where it runs stay."""
    return replace(workload, containers=(), tolerations=(), service_account="", claims=(), node_selector={})


def is_troubled_job(item: Job | CronJob) -> bool:
    """Return True for a Job that failed or whose pods fail, and for a CronJob that missed its schedule."""
    if isinstance(item, Job):
        return item.state == "Failed" or (item.state == "Running" and item.failed > 0)
    return bool(item.missed or item.failed_jobs or item.mismatches)


def limit_percent(item: Usage, resource_type: str) -> float:
    """Return the use in percent of the limit; of the higher one, where both resources are asked for."""
    cpu, memory = item.cpu_percent_of_limit or 0.0, item.memory_percent_of_limit or 0.0
    return {"cpu": cpu, "memory": memory}.get(resource_type, max(cpu, memory))


def sort_by_limit_percent(usage: Sequence[Usage], resource_type: str) -> list[Usage]:
    """Sort by the percentage of the limit, the highest first."""
    return sorted(usage, key=lambda item: (-limit_percent(item, resource_type), item.pod))


def keep_resource(item: Usage, resource_type: str) -> Usage:
    """Keep the numbers of one resource."""
    if resource_type == "cpu":
        return replace(item, memory_bytes=None, memory_request_bytes=None, memory_limit_bytes=None, memory_percent_of_limit=None)
    if resource_type == "memory":
        return replace(item, cpu_millicores=None, cpu_request_millicores=None, cpu_limit_millicores=None, cpu_percent_of_limit=None)
    return item


def describe_earlier_events(events: Sequence[Event], window: Window, kept: int) -> str:
    """Name the argument that continues where an answer was cut."""
    last = events[min(kept, len(events) - 1)].last_timestamp
    return f"Ask with since={clock.stamp(window.start)}/{clock.stamp(last)} for the earlier ones."
