"""How cluster objects are chosen, ordered and shortened for an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sre_core import clock
from sre_services.kubernetes.model import Cluster, Container, Deployment, Event, Pod, Usage
from sre_services.timespan import Window

_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
RECENT = timedelta(hours=24)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def namespace_filter(cluster: Cluster, namespace: str) -> str | None:
    """The namespace asked for: the application's own by default, None for all."""
    return None if namespace == "all" else namespace or cluster.default_namespace


def match_by_name[T: _Named](items: Sequence[T], name: str) -> list[T]:
    """The one of this name, else those whose names begin with it."""
    name = name.strip()
    exact = [item for item in items if item.name == name]
    return exact or [item for item in items if item.name.startswith(name)]


def describe_no_objects(cluster: Cluster, kind: str, namespace: str, name: str) -> str:
    """What an empty answer means, and what there is instead."""
    where = "any namespace" if namespace == "all" else f"namespace {namespace or cluster.default_namespace}"
    which = f"No {kind} has a name that begins with {name!r} in {where}." if name else f"There is no {kind} in {where}."
    return f"{which} Namespaces: {', '.join(cluster.namespaces()) or 'none'}."


def describe_no_events(window: Window) -> str:
    """What it means that there are none."""
    return f"No events of this kind last happened in {window}. Clusters keep events for an hour or so: this is no proof."


def sort_worst_first(pods: Sequence[Pod]) -> list[Pod]:
    """Pods that are not ready, then those that restarted most."""
    return sorted(pods, key=lambda pod: (pod.ready, -pod.restarts, pod.name))


def shorten_pod(pod: Pod) -> Pod:
    """A pod with nothing to tell: its conditions and declarations left out."""
    return replace(pod, conditions=(), containers=tuple(_short(container) for container in pod.containers), service_account="")


def _short(container: Container) -> Container:
    return replace(container, resources=None, state=None)


def changed_at(item: Deployment) -> datetime:
    """When its newest revision was made."""
    return (item.revisions[0].created_at if item.revisions else item.created_at) or _LONG_AGO


def changed_recently(item: Deployment, as_of: datetime) -> bool:
    """True for a change within the last day; a first rollout is one."""
    return as_of - changed_at(item) <= RECENT


def sort_newest_change_first(items: Sequence[Deployment]) -> list[Deployment]:
    """What changed last is looked at first."""
    return sorted(items, key=lambda item: (-changed_at(item).timestamp(), item.name))


def keep_latest_change(item: Deployment) -> Deployment:
    """The deployment with its newest revision only, and without environment."""
    return replace(item, revisions=item.revisions[:1], containers=tuple(replace(c, env=()) for c in item.containers))


def limit_percent(item: Usage, resource_type: str) -> float:
    """How close to its limit, in percent."""
    cpu, memory = item.cpu_percent_of_limit or 0.0, item.memory_percent_of_limit or 0.0
    return {"cpu": cpu, "memory": memory}.get(resource_type, max(cpu, memory))


def sort_by_limit_percent(usage: Sequence[Usage], resource_type: str) -> list[Usage]:
    """The closest to its limit first."""
    return sorted(usage, key=lambda item: (-limit_percent(item, resource_type), item.pod))


def keep_resource(item: Usage, resource_type: str) -> Usage:
    """The usage of one resource."""
    if resource_type == "cpu":
        return replace(item, memory_bytes=None, memory_request_bytes=None, memory_limit_bytes=None, memory_percent_of_limit=None)
    if resource_type == "memory":
        return replace(item, cpu_millicores=None, cpu_request_millicores=None, cpu_limit_millicores=None, cpu_percent_of_limit=None)
    return item


def describe_earlier_events(events: Sequence[Event], window: Window, kept: int) -> str:
    """The argument that continues where an answer was cut."""
    last = events[min(kept, len(events) - 1)].last_timestamp
    return f"Ask with since={clock.stamp(window.start)}/{clock.stamp(last)} for the earlier ones."
