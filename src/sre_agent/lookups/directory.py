"""The names that exist: workloads, services, pods and nodes, read from the cluster only where a question names something."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from sre_agent.evidence import Answer
from sre_agent.lookups.lookup import Subject, View
from sre_agent.question.names import Mention, match_names, nearest_names
from sre_agent.reading import objects, text


@dataclass(frozen=True)
class Directory:
    """Names with the objects that have them. `complete` is false where a tool failed or cut its answer."""

    objects: Mapping[str, Subject]
    answers: tuple[Answer, ...]
    complete: bool

    def find(self, words: str) -> Subject | None:
        """Find the object that a text names."""
        found = match_names(words, self.objects)
        return self.objects[found[0]] if found else None

    def nearest(self, name: str) -> tuple[str, ...]:
        return nearest_names(name, self.objects)


async def read_services(view: View) -> Directory:
    """Read the names of workloads and services. Where the default namespace has none, those of every namespace."""
    found = await _read(view, "service", view.scope.namespace, "get_workload_status", "get_service_status")
    if found.objects or view.scope.namespace:
        return found
    return await _read(view, "service", "all", "get_workload_status", "get_service_status")


async def read_nodes(view: View) -> Directory:
    """Read the names of nodes."""
    return await _read(view, "node", "", "get_node_status")


async def read_pods(view: View) -> Directory:
    """Read the names of pods."""
    return await _read(view, "pod", view.scope.namespace, "get_pod_status")


async def read_namespaces(view: View, namespace: str) -> Directory:
    """Read which namespaces have workloads or pods: of this one, or of all."""
    answers = await asyncio.gather(*(view.call(operation, namespace=namespace) for operation in ("get_workload_status", "get_pod_status")))
    names = {text(item, "namespace") for answer in answers for item in objects(answer.data, "items")} - {""}
    found = {name: Subject(name, "namespace", name) for name in names}
    return Directory(found, tuple(answers), not any(answer.failure or answer.truncated for answer in answers))


async def _read(view: View, kind: str, namespace: str, *operations: str) -> Directory:
    answers = await asyncio.gather(*(view.call(operation, namespace=namespace) for operation in operations))
    named = {
        text(item, "name"): Subject(text(item, "name"), kind, text(item, "namespace"))
        for answer in answers
        for item in objects(answer.data, "items")
        if text(item, "name")
    }
    return Directory(named, tuple(answers), not any(answer.failure or answer.truncated for answer in answers))


def find_unknown(mentions: tuple[Mention, ...]) -> Mention | None:
    """Return the name that was not found and that is most surely one: a quoted or composed one, a statement's subject, any in its place."""
    return max(mentions, key=lambda mention: (mention.explicit, mention.stated), default=None)
