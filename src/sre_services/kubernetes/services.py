"""Services with their endpoints, and the checks of what they refer to: labels and ports of pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sre_services.kubernetes.model import Endpoint, Mismatch, Ref, Service, ServicePort
from sre_services.kubernetes.objects import Json, key_of

_MESH_PROXIES = frozenset({"istio-proxy", "linkerd-proxy"})

type Slice = tuple[tuple[str, str], tuple[Endpoint, ...]]


def parse_service(document: Json) -> Service:
    """Parse a `v1` Service, without its relations."""
    namespace, name = key_of(document)
    spec = document.get("spec") or {}
    return Service(
        name=name,
        namespace=namespace,
        type=spec.get("type", "ClusterIP"),
        cluster_ip=spec.get("clusterIP", ""),
        external_name=spec.get("externalName", ""),
        selector=spec.get("selector") or {},
        ports=tuple(_port(port) for port in spec.get("ports") or ()),
    )


def parse_slice(document: Json) -> Slice:
    """Parse an EndpointSlice of `discovery.k8s.io` v1 or v1beta1: its service, and the endpoints."""
    namespace, _ = key_of(document)
    service = (document["metadata"].get("labels") or {}).get("kubernetes.io/service-name", "")
    ports = tuple(port["port"] for port in document.get("ports") or () if port.get("port"))
    return (namespace, service), tuple(_endpoint(endpoint, ports) for endpoint in document.get("endpoints") or ())


def join_services(services: Sequence[Service], pods: Sequence[Json], slices: Sequence[Slice]) -> Iterator[Service]:
    """Add to each service its pods, its endpoints, and what does not match."""
    endpoints: dict[tuple[str, str], list[Endpoint]] = {}
    for key, found in slices:
        endpoints.setdefault(key, []).extend(found)
    here_by_namespace, labelled = _index_pods(pods)
    for service in services:
        here = here_by_namespace.get(service.namespace, [])
        label = next(iter(service.selector.items()), ("", ""))
        matched = [pod for pod in labelled.get((service.namespace, *label), ()) if _matches(service.selector, _labels(pod))]
        own = endpoints.get((service.namespace, service.name))
        mismatches = [*_check_selector(service, matched, here), *_check_ports(service, matched), *_check_endpoints(service, own)]
        yield replace(
            service,
            pods=tuple(key_of(pod)[1] for pod in matched),
            endpoints=tuple(own or ()),
            ready_endpoints=None if own is None else sum(endpoint.ready for endpoint in own),
            not_ready_endpoints=None if own is None else sum(not endpoint.ready for endpoint in own),
            mismatches=tuple(mismatches),
        )


type _ByLabel = Mapping[tuple[str, str, str], Sequence[Json]]


def _index_pods(pods: Sequence[Json]) -> tuple[Mapping[str, Sequence[Json]], _ByLabel]:
    """Index the pods that have not ended by namespace, and by each of their labels."""
    here: dict[str, list[Json]] = {}
    labelled: dict[tuple[str, str, str], list[Json]] = {}
    for pod in pods:
        namespace, _ = key_of(pod)
        if not _has_ended(pod):
            here.setdefault(namespace, []).append(pod)
            for key, value in _labels(pod).items():
                labelled.setdefault((namespace, key, value), []).append(pod)
    return here, labelled


def _check_selector(service: Service, matched: Sequence[Json], pods: Sequence[Json]) -> Iterator[Mismatch]:
    """Report a selector that selects no pod, with the pods that it misses by least."""
    # Where no pod is known at all, nothing is known of what the selector misses.
    if not service.selector or matched or not pods:
        return
    nearest = sorted(pods, key=lambda pod: (-_agreement(service, pod), key_of(pod)[1]))
    near = nearest[0] if nearest and _agreement(service, nearest[0]) > 0 else None
    text = f"selector {_text(service.selector)} matches no pod in namespace {service.namespace}"
    if near is None:
        yield Mismatch(relation="selector", message=text)
    else:
        labels = {key: _labels(near).get(key, "(none)") for key in service.selector}
        yield Mismatch(relation="selector", object=_ref(near), message=f"{text}; the nearest, {key_of(near)[1]}, has {_text(labels)}")


def _agreement(service: Service, pod: Json) -> int:
    """Return the number of selector labels that a pod has, and one more for a pod that is named like the service."""
    labels = _labels(pod)
    named = key_of(pod)[1].startswith(service.name)
    return sum(labels.get(key) == value for key, value in service.selector.items()) + named


def _check_ports(service: Service, matched: Sequence[Json]) -> Iterator[Mismatch]:
    """Report a port whose target none of the containers of a selected pod declares, or declares with another protocol."""
    seen: set[str] = set()
    for pod in matched:
        declared = [port for container in _own_containers(pod) for port in container.get("ports") or ()]
        for port in service.ports:
            message = _port_mismatch(port, declared)
            if message and message not in seen:
                seen.add(message)
                yield Mismatch(relation="targetPort", object=_ref(pod), message=message)


def _port_mismatch(port: ServicePort, declared: Sequence[Mapping[str, object]]) -> str:
    """Describe what is wrong with one port; empty when it matches, or when the pod declares no ports, as it may."""
    same = [found for found in declared if port.target_port in (str(found["containerPort"]), str(found.get("name", "")))]
    known = ", ".join(f"{found['containerPort']}/{found.get('protocol', 'TCP')}" for found in declared)
    target = f"port {port.port} has targetPort {port.target_port}/{port.protocol}"
    if not declared or any(found.get("protocol", "TCP") == port.protocol for found in same):
        return ""
    what = "with another protocol" if same else "not at all"
    return f"{target}, which the containers of its pods declare {what}: they declare {known}"


def _check_endpoints(service: Service, endpoints: Sequence[Endpoint] | None) -> Iterator[Mismatch]:
    """Report a service to which no pod can answer, where its endpoints are known."""
    if endpoints is None or not service.selector or any(endpoint.ready for endpoint in endpoints):
        return
    why = f"none of its {len(endpoints)} endpoints is ready" if endpoints else "it has no endpoints"
    yield Mismatch(relation="endpoints", message=f"no pod answers for this service: {why}")


def _port(port: Json) -> ServicePort:
    return ServicePort(
        name=port.get("name", ""),
        port=port["port"],
        protocol=port.get("protocol", "TCP"),
        target_port=str(port.get("targetPort", port["port"])),
        node_port=port.get("nodePort"),
        app_protocol=port.get("appProtocol", ""),
    )


def _endpoint(endpoint: Json, ports: tuple[int, ...]) -> Endpoint:
    target = endpoint.get("targetRef") or {}
    return Endpoint(
        address=next(iter(endpoint.get("addresses") or ("",))),
        ports=ports,
        # The API leaves the condition out where it does not know; it means ready.
        ready=(endpoint.get("conditions") or {}).get("ready") is not False,
        pod=target.get("name", "") if target.get("kind") == "Pod" else "",
        # v1beta1 has the node in its topology.
        node=endpoint.get("nodeName") or (endpoint.get("topology") or {}).get("kubernetes.io/hostname", ""),
    )


def _has_ended(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _own_containers(pod: Json) -> list[Json]:
    """Return the containers of a pod, without the proxies of a mesh, which are in its path but not the target of a Service."""
    return [container for container in (pod.get("spec") or {}).get("containers") or () if container["name"] not in _MESH_PROXIES]


def _matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())


def _labels(document: Json) -> Mapping[str, str]:
    labels: Mapping[str, str] = document["metadata"].get("labels") or {}
    return labels


def _ref(pod: Json) -> Ref:
    namespace, name = key_of(pod)
    return Ref(kind="Pod", namespace=namespace, name=name)


def _text(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())
