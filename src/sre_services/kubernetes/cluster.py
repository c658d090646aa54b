"""One cluster: everything that the operations answer, derived from the objects of a provider.

A provider only lists objects as the Kubernetes API has them. Parsing and relations between objects are the same for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sre_services.kubernetes import objects, rollouts
from sre_services.kubernetes.autoscalers import join_autoscaler, parse_autoscaler
from sre_services.kubernetes.components import list_components, parse_component
from sre_services.kubernetes.ingress import Backends, join_routes, parse_http_route, parse_ingress
from sre_services.kubernetes.jobs import join_cron_job, parse_job
from sre_services.kubernetes.limits import join_limit_range, parse_limit_range
from sre_services.kubernetes.model import Deployment, Event, Node, Pod, Ref, Service, Usage
from sre_services.kubernetes.objects import Json, index_by_owner, key_of
from sre_services.kubernetes.policies import Network, join_policies, parse_policy
from sre_services.kubernetes.quotas import join_quotas, parse_quota
from sre_services.kubernetes.references import Known
from sre_services.kubernetes.scaling_model import Autoscaler, CronJob, Job, LimitRange
from sre_services.kubernetes.services import join_services, parse_service, parse_slice
from sre_services.kubernetes.storage import join_claims
from sre_services.kubernetes.traffic_model import Policy, Route
from sre_services.kubernetes.usage import join_usage
from sre_services.kubernetes.workload_model import Claim, Component, Quota, Workload
from sre_services.kubernetes.workloads import KINDS, Surroundings, join_workload, labels_of, parse_workload, template_of
from sre_services.timespan import Window

PARSERS: Mapping[str, Callable[[Any], object]] = {
    "pods": objects.parse_pod,
    "deployments": lambda document: rollouts.parse_deployment(document, (), rollouts.References()),
    "replicasets": rollouts.parse_revision,
    "configmaps": key_of,
    "services": parse_service,
    "endpointslices": parse_slice,
    "nodes": lambda document: objects.parse_node(document, 0, {}),
    "events": objects.parse_event,
    "statefulsets": lambda document: parse_workload("StatefulSet", document),
    "daemonsets": lambda document: parse_workload("DaemonSet", document),
    "cronjobs": lambda document: parse_workload("CronJob", document),
    "jobs": parse_job,
    "horizontalpodautoscalers": parse_autoscaler,
    "limitranges": parse_limit_range,
    "networkpolicies": parse_policy,
    "ingresses": parse_ingress,
    "gateways": key_of,
    "httproutes": parse_http_route,
    "namespaces": key_of,
    "serviceaccounts": key_of,
    # Only names: a provider that may not list Secrets leaves them out, and one that may keeps their metadata.
    "secrets": key_of,
    "persistentvolumeclaims": key_of,
    "persistentvolumes": key_of,
    "storageclasses": key_of,
    "resourcequotas": parse_quota,
    "nodecomponents": parse_component,
    "podmetrics": key_of,
    "nodemetrics": lambda document: document["usage"],
}
"""The kinds of objects that are used, by the name of the API's resource, each with what must be possible for one of them."""


FURTHER: Mapping[str, tuple[str, ...]] = {
    "get_job_status": ("jobs", "cronjobs"),
    "get_autoscaler_status": ("horizontalpodautoscalers",),
    "get_limit_status": ("limitranges",),
    "get_route_status": ("ingresses", "httproutes"),
    "get_connectivity_status": ("networkpolicies",),
}
"""The operations about kinds that many applications have none of, with the kinds that they are about."""


class ObjectSource(Protocol):
    """A provider of objects. A kind that it can't list is empty."""

    @property
    def as_of(self) -> datetime: ...
    @property
    def default_namespace(self) -> str: ...

    def objects(self, kind: str, namespace: str | None = None) -> Sequence[Json]:
        """Return the objects of a kind (`pods`, `deployments`, `endpointslices`, ...): at least those of a namespace, else all."""
        ...


class Cluster:
    """Answers about one cluster. A namespace of None means all of them, an empty one the application's own."""

    def __init__(self, source: ObjectSource) -> None:
        self._source = source

    @property
    def as_of(self) -> datetime:
        return self._source.as_of

    @property
    def default_namespace(self) -> str:
        return self._source.default_namespace

    def namespaces(self) -> tuple[str, ...]:
        return tuple(sorted({key_of(document)[0] for kind in ("pods", "deployments", "services") for document in self._list(kind)}))

    def pods(self, namespace: str | None) -> tuple[Pod, ...]:
        return tuple(objects.parse_pod(document) for document in self._list("pods", namespace))

    def deployments(self, namespace: str | None) -> tuple[Deployment, ...]:
        references = rollouts.References(
            config_maps={key_of(document): document.get("data") or {} for document in self._list("configmaps")},
            services=frozenset(key_of(document) for document in self._list("services")),
        )
        owned = index_by_owner(self._list("replicasets", namespace))
        deployments = self._list("deployments", namespace)
        return tuple(rollouts.parse_deployment(found, owned.get(key_of(found), ()), references) for found in deployments)

    def services(self, namespace: str | None) -> tuple[Service, ...]:
        slices = [parse_slice(document) for document in self._list("endpointslices", namespace)]
        services = [parse_service(document) for document in self._list("services", namespace)]
        return tuple(join_services(services, self._list("pods", namespace), slices))

    def workloads(self, namespace: str | None) -> tuple[Workload, ...]:
        around = Surroundings(self._known(), self._list("nodes"), self._list("pods"), self._list("replicasets", namespace))
        found = self._workloads(namespace)
        return tuple(join_workload(parse_workload(kind, document), document, around) for kind, document in found)

    def claims(self, namespace: str | None) -> tuple[Claim, ...]:
        volumes, classes = self._list("persistentvolumes"), self._list("storageclasses")
        return tuple(join_claims(self._list("persistentvolumeclaims", namespace), volumes, classes, self._list("pods", namespace)))

    def quotas(self, namespace: str | None) -> tuple[Quota, ...]:
        mismatches = [mismatch for workload in self.workloads(namespace) for mismatch in workload.mismatches]
        missing = {found.object for found in mismatches if found.object and found.relation in {"envHost", "persistentVolumeClaim"}}
        return tuple(join_quotas(self._list("resourcequotas", namespace), sorted(missing | set(self._unexposed(namespace)))))

    def further(self, namespace: str | None) -> tuple[str, ...]:
        """Return the operations about other kinds of which there are objects."""
        return tuple(operation for operation, kinds in FURTHER.items() if any(self._list(kind, namespace) for kind in kinds))

    def jobs(self, namespace: str | None) -> tuple[Job | CronJob, ...]:
        jobs = tuple(parse_job(document) for document in self._list("jobs", namespace))
        return (*(join_cron_job(document, jobs, self.as_of) for document in self._list("cronjobs", namespace)), *jobs)

    def autoscalers(self, namespace: str | None) -> tuple[Autoscaler, ...]:
        targets = {(kind, *key_of(document)): document for kind, document in self._workloads(namespace)}
        ranges = self._list("limitranges", namespace)
        return tuple(join_autoscaler(document, targets, ranges) for document in self._list("horizontalpodautoscalers", namespace))

    def limit_ranges(self, namespace: str | None) -> tuple[LimitRange, ...]:
        return tuple(join_limit_range(document, self._workloads(namespace)) for document in self._list("limitranges", namespace))

    def policies(self, namespace: str | None) -> tuple[Policy, ...]:
        if not (policies := self._list("networkpolicies", namespace)):
            return ()
        labels = {document["metadata"]["name"]: document["metadata"].get("labels") or {} for document in self._list("namespaces")}
        network = Network(self._workloads(None), self._list("services"), labels)
        return tuple(join_policies(policies, network, self._known(), self._list("pods", namespace)))

    def routes(self, namespace: str | None) -> tuple[Route, ...]:
        services = {(found.namespace, found.name): found for found in self.services(None)}
        backends = Backends(services, frozenset(map(key_of, self._list("gateways"))))
        return tuple(join_routes(self._list("ingresses", namespace), self._list("httproutes", namespace), backends))

    def components(self) -> tuple[Component, ...]:
        return tuple(list_components(self._list("nodecomponents"), self._list("nodes"), self._list("pods")))

    def events(self, window: Window) -> tuple[Event, ...]:
        found = [event for document in self._list("events") if (event := objects.parse_event(document)).last_timestamp in window]
        return tuple(sorted(found, key=lambda event: event.last_timestamp, reverse=True))

    def usage(self, namespace: str | None) -> tuple[Usage, ...]:
        return tuple(join_usage(self.pods(namespace), tuple(self._list("podmetrics"))))

    def nodes(self) -> tuple[Node, ...]:
        running = Counter(pod.node for pod in self.pods(None) if pod.phase == "Running")
        used = {document["metadata"]["name"]: document["usage"] for document in self._list("nodemetrics")}
        names = ((document["metadata"]["name"], document) for document in self._list("nodes"))
        return tuple(objects.parse_node(document, running[name], used.get(name, {})) for name, document in names)

    def _workloads(self, namespace: str | None) -> list[tuple[str, Json]]:
        """List the workloads of all kinds with their kind."""
        return [(kind, document) for file, kind in KINDS.items() for document in self._list(file, namespace)]

    def _unexposed(self, namespace: str | None) -> Iterator[Ref]:
        """Yield the Services that workloads which listen on a port might have had: none selects their pods."""
        selectors = [(found.namespace, found.selector) for found in map(parse_service, self._list("services", namespace)) if found.selector]
        for document in self._list("deployments", namespace):
            (where, name), labels = key_of(document), labels_of(document)
            listens = any(container.get("ports") for container in template_of(document).get("containers") or ())
            if listens and not any(space == where and selector.items() <= labels.items() for space, selector in selectors):
                yield Ref(kind="Service", namespace=where, name=name)

    def _known(self) -> Known:
        kinds = {
            "ServiceAccount": "serviceaccounts",
            "Secret": "secrets",
            "ConfigMap": "configmaps",
            "PersistentVolumeClaim": "persistentvolumeclaims",
        }
        ports = {key_of(found): frozenset(port.port for port in parse_service(found).ports) for found in self._list("services")}
        maps = {key_of(found): found.get("data") or {} for found in self._list("configmaps")}
        names = {kind: frozenset(map(key_of, self._list(file))) for kind, file in kinds.items()}
        workloads = frozenset(key_of(document) for _, document in self._workloads(None))
        return Known({**names, "Workload": workloads}, ports, maps)

    def _list(self, kind: str, namespace: str | None = None) -> list[Json]:
        within = self.default_namespace if namespace == "" else namespace
        return [document for document in self._source.objects(kind, within) if within in (None, key_of(document)[0])]
