"""Several clusters as one answer: relations are looked for within each of them, and every object says which one it is of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sre_services.kubernetes.cluster import FURTHER, Cluster, ObjectSource
from sre_services.kubernetes.model import Deployment, Event, Node, Observed, Pod, Service, Usage
from sre_services.kubernetes.scaling_model import Autoscaler, CronJob, Job, LimitRange
from sre_services.kubernetes.traffic_model import Policy, Route
from sre_services.kubernetes.workload_model import Claim, Component, Quota, Workload
from sre_services.sources.several import Named, Several
from sre_services.timespan import Window


class Clusters(Several[ObjectSource]):
    """Answers as a Cluster does, about all of them."""

    @property
    def as_of(self) -> datetime:
        return max(each.provider.as_of for each in self.sources)

    @property
    def default_namespace(self) -> str:
        return ", ".join(dict.fromkeys(each.provider.default_namespace for each in self.sources))

    def namespaces(self) -> tuple[str, ...]:
        return tuple(sorted({name for _, found in self.ask(lambda source: Cluster(source).namespaces()) for name in found}))

    def pods(self, namespace: str | None) -> list[Pod]:
        return self._all(lambda cluster: cluster.pods(namespace))

    def deployments(self, namespace: str | None) -> list[Deployment]:
        return self._all(lambda cluster: cluster.deployments(namespace))

    def services(self, namespace: str | None) -> list[Service]:
        return self._all(lambda cluster: cluster.services(namespace))

    def workloads(self, namespace: str | None) -> list[Workload]:
        return self._all(lambda cluster: cluster.workloads(namespace))

    def claims(self, namespace: str | None) -> list[Claim]:
        return self._all(lambda cluster: cluster.claims(namespace))

    def quotas(self, namespace: str | None) -> list[Quota]:
        return self._all(lambda cluster: cluster.quotas(namespace))

    def further(self, namespace: str | None) -> tuple[str, ...]:
        found = {name for _, names in self.ask(lambda source: Cluster(source).further(namespace)) for name in names}
        return tuple(operation for operation in FURTHER if operation in found)

    def jobs(self, namespace: str | None) -> list[Job | CronJob]:
        return self._all(lambda cluster: cluster.jobs(namespace))

    def autoscalers(self, namespace: str | None) -> list[Autoscaler]:
        return self._all(lambda cluster: cluster.autoscalers(namespace))

    def limit_ranges(self, namespace: str | None) -> list[LimitRange]:
        return self._all(lambda cluster: cluster.limit_ranges(namespace))

    def policies(self, namespace: str | None) -> list[Policy]:
        return self._all(lambda cluster: cluster.policies(namespace))

    def routes(self, namespace: str | None) -> list[Route]:
        return self._all(lambda cluster: cluster.routes(namespace))

    def components(self) -> list[Component]:
        return self._all(lambda cluster: cluster.components())

    def usage(self, namespace: str | None) -> list[Usage]:
        return self._all(lambda cluster: cluster.usage(namespace))

    def nodes(self) -> list[Node]:
        return self._all(lambda cluster: cluster.nodes())

    def events(self, window: Window) -> list[Event]:
        return sorted(self._all(lambda cluster: cluster.events(window)), key=lambda event: event.last_timestamp, reverse=True)

    def _all[T: Observed](self, question: Callable[[Cluster], Sequence[T]]) -> list[T]:
        return [replace(item, cluster=name) for name, found in self.ask(lambda source: question(Cluster(source))) for item in found]


def join_sources(sources: Sequence[Named[ObjectSource]]) -> Clusters:
    """Join clusters."""
    return Clusters(sources)
