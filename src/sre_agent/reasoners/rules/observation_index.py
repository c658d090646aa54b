"""All observations of a diagnosis, indexed by the service or object that they are about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from sre_agent.evidence import Excerpt
from sre_agent.observations import Event, LogLine, Observations, Pod
from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.service_graph import ServiceGraph, ServiceNames
from sre_agent.reasoners.rules.signals import Kind, Signal
from sre_agent.reasoners.rules.vocabulary import CAUSES
from sre_agent.relations import Ref, Requirements

MOST_NAMED = 5  # objects in one sentence


@dataclass(frozen=True)
class ObservationIndex:
    """Everything that detectors of causes look at."""

    observations: Observations
    signals: Sequence[Signal]
    graph: ServiceGraph
    names: ServiceNames
    since: datetime

    @cached_property
    def pods(self) -> dict[str, list[Pod]]:
        return _by(self.observations.pods, lambda pod: pod.service)

    @cached_property
    def requirements(self) -> dict[str, Requirements]:
        return {found.ref.name: found for found in self.observations.requirements}

    @cached_property
    def events(self) -> dict[str, list[Event]]:
        """Warnings by the name of their object."""
        return _by((event for event in self.observations.events if event.warning), lambda event: event.name)

    @cached_property
    def logs(self) -> dict[str, list[LogLine]]:
        """Lines that may be complaints, by service."""
        return _by((line for line in self.observations.logs if line.level not in {"INFO", "DEBUG"}), lambda line: line.service)

    @cached_property
    def complaints(self) -> dict[str, list[Signal]]:
        """Complaints of other services, by whom they are about."""
        return _by((signal for signal in self.signals if signal.peer), lambda signal: signal.peer)

    def ref(self, service: str) -> Ref:
        """Return the workload of this name."""
        pods = self.pods.get(service, [])
        found = self.requirements.get(service)
        return found.ref if found else Ref(kind="Deployment", namespace=pods[0].namespace if pods else "", name=service)

    def has_pods(self, service: str) -> bool:
        """Return True for a service with pods. Of a large system not every pod is seen, and workloads say how many of theirs are ready."""
        found = self.requirements.get(service)
        return bool(self.pods.get(service)) or bool(found and found.ready)

    def is_lacking(self, service: str) -> bool:
        """Return True for a service of which a pod is not ready, or not there."""
        found = self.requirements.get(service)
        return bool(found and found.lacks_pods) or any(not pod.ready for pod in self.pods.get(service, ()))

    def events_of_pods(self, service: str, *reasons: str) -> Iterator[tuple[Pod, Event]]:
        """Yield the warnings about the pods of a service that are there now."""
        for pod in self.pods.get(service, ()):
            yield from ((pod, event) for event in self.events.get(pod.name, ()) if event.reason in reasons)


def suspect(cause: str, ref: Ref, detail: str, *reasons: Reason, explains: frozenset[str] = frozenset(), vague: bool = False) -> Candidate:
    """Make a candidate of the vocabulary. Its first reason is what decides it."""
    about = CAUSES[cause]
    what = f"{ref.kind} {ref.name}: {about.title}"
    return Candidate(
        kind=cause,
        service=ref.name,
        object=ref,
        summary=f"{what}: {detail}" if detail else what,
        search=about.search,
        decisive=True,
        vague=vague,
        specific=True,
        explains=explains,
        reasons=tuple(reason for reason in reasons if reason.signals),
    )


def list_some(names: Sequence[str]) -> str:
    """List the first names, and say how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"


def fact(service: str, what: str, *sources: Excerpt, at: datetime | None = None) -> Signal:
    """State one relation or record as a signal that a reason cites."""
    return Signal(kind=Kind.RELATION, service=service, what=what, sources=sources, at=at)


def _by[T](records: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    found: dict[str, list[T]] = defaultdict(list)
    for record in records:
        found[key(record)].append(record)
    return found
