"""Workloads with what their pod templates need, checked against the objects that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sre_services.kubernetes.model import Mismatch
from sre_services.kubernetes.objects import Json, index_by_owner, key_of, parse_pod, parse_resources
from sre_services.kubernetes.references import Known, check_environment, check_ports, check_references, claims_of, named_services
from sre_services.kubernetes.scheduling import check_nodes
from sre_services.kubernetes.workload_model import DeclaredContainer, Probe, Workload

KINDS: Mapping[str, str] = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "cronjobs": "CronJob"}
_HANDLERS = {"httpGet": "http-get", "grpc": "grpc", "tcpSocket": "tcp-socket", "exec": "exec"}


@dataclass(frozen=True)
class Surroundings:
    """The objects that workloads are checked against."""

    known: Known
    nodes: Sequence[Json]
    pods: Sequence[Json]
    replica_sets: Sequence[Json]

    @cached_property
    def pods_by_owner(self) -> Mapping[tuple[str, str], tuple[Json, ...]]:
        return index_by_owner(self.pods)

    @cached_property
    def replica_sets_by_owner(self) -> Mapping[tuple[str, str], tuple[Json, ...]]:
        return index_by_owner(self.replica_sets)


def parse_workload(kind: str, document: Json) -> Workload:
    """Parse a workload of any kind, without its relations."""
    namespace, name = key_of(document)
    status, spec = document.get("status") or {}, template_of(document)
    return Workload(
        kind=kind,
        name=name,
        namespace=namespace,
        desired=_desired(kind, document),
        ready=status.get("readyReplicas", status.get("numberReady", 0)) or 0,
        service_account=spec.get("serviceAccountName") or "",
        image_pull_secrets=tuple(found["name"] for found in spec.get("imagePullSecrets") or ()),
        claims=tuple(claims_of(spec)),
        node_selector=spec.get("nodeSelector") or {},
        tolerations=tuple(_toleration(found) for found in spec.get("tolerations") or ()),
        containers=tuple(_container(found) for found in spec.get("containers") or ()),
    )


def join_workload(workload: Workload, document: Json, around: Surroundings) -> Workload:
    """Add to a workload the Services that it names, the nodes that its pods run on, and what does not match."""
    spec = template_of(document)
    here = workload.namespace
    owners = [(here, workload.name), *map(key_of, around.replica_sets_by_owner.get((here, workload.name), ()))]
    pods = list({key_of(pod): pod for owner in owners for pod in around.pods_by_owner.get(owner, ())}.values())
    waiting = [pod for pod in pods if not pod["spec"].get("nodeName") and (pod.get("status") or {}).get("phase") == "Pending"]
    return replace(
        workload,
        mismatches=tuple(_check(workload, spec, waiting, around)),
        calls=tuple(sorted({target.name for target in named_services(spec, workload.namespace, around.known)} - {workload.name})),
        nodes=tuple(sorted({str(pod["spec"]["nodeName"]) for pod in pods if pod["spec"].get("nodeName")})),
        waiting_pods=tuple(key_of(pod)[1] for pod in waiting),
        troubled_pods=tuple(key_of(pod)[1] for pod in pods if _is_troubled(pod)),
    )


def _is_troubled(pod: Json) -> bool:
    parsed = parse_pod(pod)
    return not parsed.ready or parsed.restarts > 0


def labels_of(document: Json) -> Mapping[str, str]:
    """Return the labels of a workload's pods."""
    labels: Mapping[str, str] = (((document.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("labels") or {}
    return labels


def template_of(document: Json) -> Json:
    """Return the pod spec of a workload's template; a CronJob has it one level deeper."""
    spec = document.get("spec") or {}
    template = spec.get("template") or ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template") or {}
    found: Json = template.get("spec") or {}
    return found


def _check(workload: Workload, spec: Json, waiting: Sequence[Json], around: Surroundings) -> Iterator[Mismatch]:
    yield from check_references(spec, workload.namespace, around.known)
    if waiting:
        yield from check_nodes(waiting[0], around.nodes, around.pods)
    yield from check_environment(spec, workload.namespace, around.known)
    yield from check_ports(spec)


def _desired(kind: str, document: Json) -> int:
    if kind == "DaemonSet":
        return int((document.get("status") or {}).get("desiredNumberScheduled", 0))
    return 0 if kind == "CronJob" else int((document.get("spec") or {}).get("replicas", 1))


def _container(container: Json) -> DeclaredContainer:
    resources = parse_resources(container)
    return DeclaredContainer(
        name=container["name"],
        image=container.get("image", ""),
        ports=tuple(f"{port['containerPort']}/{port.get('protocol', 'TCP')}" for port in container.get("ports") or ()),
        probes=tuple(_probes(container)),
        requests=resources.requests,
        limits=resources.limits,
    )


def _probes(container: Json) -> Iterator[Probe]:
    for type_ in ("liveness", "readiness", "startup"):
        probe = container.get(f"{type_}Probe") or {}
        for key, handler in _HANDLERS.items():
            if key in probe:
                yield Probe(
                    type=type_,
                    handler=handler,
                    port=str(probe[key].get("port", "")),
                    path=probe[key].get("path", ""),
                    initial_delay_seconds=probe.get("initialDelaySeconds"),
                    timeout_seconds=probe.get("timeoutSeconds"),
                    period_seconds=probe.get("periodSeconds"),
                    failure_threshold=probe.get("failureThreshold"),
                )


def _toleration(toleration: Json) -> str:
    return f"{toleration.get('key') or '*'}={toleration.get('value') or ''}:{toleration.get('effect') or '*'}"
