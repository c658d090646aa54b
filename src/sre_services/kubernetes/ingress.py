"""Routes from outside: Ingresses and HTTPRoutes, and the Services, ports and Gateways that they name and that do not exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import product

from sre_services.kubernetes.model import Mismatch, Ref, Service
from sre_services.kubernetes.objects import Json, key_of, parse_conditions
from sre_services.kubernetes.traffic_model import Route, RouteRule


@dataclass(frozen=True)
class Backends:
    """The Services that routes can lead to, joined with their endpoints, and the Gateways."""

    services: Mapping[tuple[str, str], Service]
    gateways: frozenset[tuple[str, str]]


def parse_ingress(document: Json) -> Route:
    """Parse a `networking.k8s.io/v1` Ingress, without its relations."""
    namespace, name = key_of(document)
    spec, status = document.get("spec") or {}, document.get("status") or {}
    balancers = (status.get("loadBalancer") or {}).get("ingress") or ()
    annotations = document["metadata"].get("annotations") or {}
    controller = spec.get("ingressClassName") or annotations.get("kubernetes.io/ingress.class") or ""
    return Route(
        kind="Ingress",
        name=name,
        namespace=namespace,
        via=(controller,) if controller else (),
        addresses=tuple(found.get("hostname") or found.get("ip") or "" for found in balancers),
        rules=tuple(_ingress_rules(spec, namespace)),
    )


def parse_http_route(document: Json) -> Route:
    """Parse a `gateway.networking.k8s.io/v1` HTTPRoute, without its relations."""
    namespace, name = key_of(document)
    spec = document.get("spec") or {}
    return Route(
        kind="HTTPRoute",
        name=name,
        namespace=namespace,
        via=tuple("/".join(key) for key in _gateways(document)),
        rules=tuple(_http_rules(spec, namespace)),
    )


def join_routes(ingresses: Sequence[Json], http_routes: Sequence[Json], backends: Backends) -> Iterator[Route]:
    """Add to each route what it names and what does not exist, or does not answer."""
    for document in ingresses:
        route = parse_ingress(document)
        yield replace(route, mismatches=tuple(_check_rules(route, backends)))
    for document in http_routes:
        route = parse_http_route(document)
        found = (*_check_rules(route, backends), *_check_gateways(document, backends), *_list_refusals(document))
        yield replace(route, mismatches=found)


def _check_rules(route: Route, backends: Backends) -> Iterator[Mismatch]:
    """Report the backends of rules; each once, however many paths lead to it."""
    for service, port in dict.fromkeys((rule.service, rule.port) for rule in route.rules):
        yield from _check_backend(service, port, backends)


def _check_backend(ref: Ref, port: str, backends: Backends) -> Iterator[Mismatch]:
    # Where no Service is known in the namespace, nothing is known of what is missing.
    names = [name for namespace, name in backends.services if namespace == ref.namespace]
    service = backends.services.get((ref.namespace, ref.name))
    if service is None:
        near = get_close_matches(ref.name, names, n=1, cutoff=0.7)
        hint = f"; the nearest is {near[0]}" if near else ""
        if names:
            yield Mismatch(relation="backendService", message=f"Service {ref.name} does not exist{hint}", object=ref)
    elif service.type == "ExternalName":
        # It leads out of the cluster, where its ports and endpoints are.
        return
    elif port and not any(port in {str(found.port), found.name} for found in service.ports):
        known = ", ".join(f"{found.port}{f' ({found.name})' if found.name else ''}" for found in service.ports) or "none"
        yield Mismatch(relation="backendPort", message=f"Service {ref.name} has no port {port}: it has {known}", object=ref)
    elif service.ready_endpoints == 0:
        yield Mismatch(relation="backendEndpoints", message=f"no pod answers for Service {ref.name}: no endpoint is ready", object=ref)


def _check_gateways(document: Json, backends: Backends) -> Iterator[Mismatch]:
    for namespace, name in _gateways(document):
        if backends.gateways and (namespace, name) not in backends.gateways:
            ref = Ref(kind="Gateway", namespace=namespace, name=name)
            yield Mismatch(relation="gateway", message=f"Gateway {name} does not exist in namespace {namespace}", object=ref)


def _list_refusals(document: Json) -> Iterator[Mismatch]:
    """Yield what the controller of a Gateway says against a route."""
    for parent in (document.get("status") or {}).get("parents") or ():
        for condition in parse_conditions(parent):
            if condition.type in {"Accepted", "ResolvedRefs"} and condition.status == "False":
                name = (parent.get("parentRef") or {}).get("name", "")
                text = f"Gateway {name} says: {condition.reason}: {condition.message}"
                yield Mismatch(relation=condition.type[0].lower() + condition.type[1:], message=text)


def _ingress_rules(spec: Json, namespace: str) -> Iterator[RouteRule]:
    if backend := (spec.get("defaultBackend") or {}).get("service"):
        yield _rule("", "", backend, namespace)
    for rule in spec.get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            if backend := (path.get("backend") or {}).get("service"):
                yield _rule(rule.get("host", ""), path.get("path", "/"), backend, namespace)


def _rule(host: str, path: str, backend: Json, namespace: str) -> RouteRule:
    port = backend.get("port") or {}
    service = Ref(kind="Service", namespace=namespace, name=backend["name"])
    return RouteRule(host=host, path=path, service=service, port=str(port.get("number") or port.get("name") or ""))


def _http_rules(spec: Json, namespace: str) -> Iterator[RouteRule]:
    for rule in spec.get("rules") or ():
        matches: Sequence[Json] = rule.get("matches") or ({},)
        paths = [(found.get("path") or {}).get("value", "/") for found in matches]
        backends = [backend for backend in rule.get("backendRefs") or () if backend.get("kind", "Service") == "Service"]
        for host, path, backend in product(spec.get("hostnames") or ("",), paths, backends):
            service = Ref(kind="Service", namespace=backend.get("namespace") or namespace, name=backend["name"])
            yield RouteRule(host=host, path=path, service=service, port=str(backend.get("port") or ""))


def _gateways(document: Json) -> list[tuple[str, str]]:
    parents = (document.get("spec") or {}).get("parentRefs") or ()
    own = key_of(document)[0]
    return [(found.get("namespace") or own, found["name"]) for found in parents if found.get("kind", "Gateway") == "Gateway"]
