"""Which calls each resource makes: by botocore's events, and by the blueprint's being asked for the resource first."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from bench.latencies import seconds_of
from sre_agent_deploy.graph import Blueprint, Item


@dataclass
class Trace:
    """What was called for which resource."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    operations: Counter[str] = field(default_factory=Counter)
    _writing: threading.Lock = field(default_factory=threading.Lock)
    _here: threading.local = field(default_factory=threading.local)

    def watch(self, client: Any) -> None:
        """From now on this client's calls count."""
        service = client.meta.service_model.signing_name
        client.meta.events.register("before-call", lambda model, **_: self._called(service, model.name))

    def about(self, name: str) -> None:
        """What this thread calls from now on is for this resource."""
        self._here.name = name

    def _called(self, service: str, operation: str) -> None:
        with self._writing:
            self.operations[operation] += 1
            self.seconds[getattr(self._here, "name", "")] += seconds_of(service, operation)

    def restart(self) -> None:
        """Forget what was called."""
        self.seconds.clear()
        self.operations.clear()


@dataclass(frozen=True)
class Traced(Blueprint):
    """A blueprint that tells a trace which resource is worked on: the engine asks for it first, in the thread that works."""

    trace: Trace = field(default_factory=Trace, compare=False)

    def item(self, name: str) -> Item:
        self.trace.about(name)
        return super().item(name)


def longest_path(wanted: Blueprint, seconds: Mapping[str, float]) -> float:
    """The slowest chain of resources that wait for one another."""
    needs, finished = wanted.needs(), dict[str, float]()
    for name in TopologicalSorter(needs).static_order():
        finished[name] = seconds.get(name, 0.0) + max((finished[other] for other in needs[name]), default=0.0)
    return max(finished.values())
