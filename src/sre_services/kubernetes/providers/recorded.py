"""A recorded cluster: the Kubernetes API's own Lists in the recording's `kubernetes/` folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sre_core.problem import Refused
from sre_services.kubernetes import objects, rollouts
from sre_services.kubernetes.model import Deployment, Event, Node, Pod, Usage
from sre_services.kubernetes.usage import join_usage
from sre_services.recording import Recording, damaged_file_problem, recording_from
from sre_services.timespan import Window


class Recorded:
    """Holds the whole recording; a List that is absent is empty."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._pods = self._all("pods.json", objects.parse_pod)
        self._events = tuple(sorted(self._all("events.json", objects.parse_event), key=lambda event: event.last_timestamp, reverse=True))
        self._usage = self._all("podmetrics.json", dict)
        self._nodes = self._read_nodes()
        self._deployments = self._read_deployments()

    @property
    def as_of(self) -> datetime:
        return self._recording.as_of

    @property
    def default_namespace(self) -> str:
        return self._recording.namespace

    def namespaces(self) -> tuple[str, ...]:
        return tuple(sorted({pod.namespace for pod in self._pods} | {found.namespace for found in self._deployments}))

    def pods(self, namespace: str | None) -> tuple[Pod, ...]:
        return tuple(pod for pod in self._pods if namespace in (None, pod.namespace))

    def deployments(self, namespace: str | None) -> tuple[Deployment, ...]:
        return tuple(found for found in self._deployments if namespace in (None, found.namespace))

    def events(self, window: Window) -> tuple[Event, ...]:
        return tuple(event for event in self._events if event.last_timestamp in window)

    def usage(self, namespace: str | None) -> tuple[Usage, ...]:
        return tuple(join_usage(self.pods(namespace), self._usage))

    def nodes(self) -> tuple[Node, ...]:
        return self._nodes

    def _read_nodes(self) -> tuple[Node, ...]:
        running = Counter(pod.node for pod in self._pods if pod.phase == "Running")
        used: dict[str, Mapping[str, Any]] = dict(self._all("nodemetrics.json", lambda found: (found["metadata"]["name"], found["usage"])))
        return self._all(
            "nodes.json",
            lambda found: objects.parse_node(found, running[found["metadata"]["name"]], used.get(found["metadata"]["name"], {})),
        )

    def _read_deployments(self) -> tuple[Deployment, ...]:
        references = rollouts.References(
            config_maps=dict(self._all("configmaps.json", lambda found: (_key(found), found.get("data", {})))),
            services=frozenset(self._all("services.json", _key)),
        )
        replica_sets = self._all("replicasets.json", dict)
        return self._all("deployments.json", lambda found: rollouts.parse_deployment(found, replica_sets, references))

    def _all[T](self, file: str, parse: Callable[[Any], T]) -> tuple[T, ...]:
        """Parse each object of a List. Raises Refused, naming the file, when one has another form."""
        try:
            return tuple(parse(document) for document in self._recording.kubernetes_list(file))
        except (KeyError, TypeError, ValueError, AttributeError) as fault:
            path = self._recording.folder / "kubernetes" / file
            raise Refused(damaged_file_problem(path, f"An object in it is not as the Kubernetes API writes it: {fault!r}.")) from None


def open_provider(environment: Mapping[str, str]) -> Recorded:
    """Read the cluster of the recording that the environment names."""
    return Recorded(recording_from(environment))


def _key(document: Any) -> tuple[str, str]:
    return document["metadata"].get("namespace", "default"), document["metadata"]["name"]
