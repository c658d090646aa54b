"""The operations on the network of a cluster: Services, routes from outside, and what policies deny."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from sre_services.answer import Answer, render_answer
from sre_services.kubernetes import views
from sre_services.kubernetes.parameters import PolicyName, Provider, RouteName, ServiceName
from sre_services.parameters import CONTINUES, Namespace, Operation

router = APIRouter(route_class=Operation, dependencies=CONTINUES)


@router.get("/services/status", operation_id="get_service_status", summary="Services: selector, ports, endpoints and what does not match")
def get_service_status(cluster: Provider, namespace: Namespace = "", service_name: ServiceName = "") -> Response:
    """Services, those with a mismatch first: selector, ports, the pods that the selector matches, endpoints ready and not. A
    mismatch says where selector, targetPort or protocol lead to no pod or container port, and what was nearest. Services
    that match are short unless service_name is given."""
    found = views.match_by_name(cluster.services(views.namespace_filter(namespace)), service_name)
    summary = {
        "services": len(found),
        "mismatched": [item.name for item in found if item.mismatches],
        "without_ready_endpoints": [item.name for item in found if item.ready_endpoints == 0 and item.selector],
    }
    items = [item if service_name or item.mismatches else views.shorten_service(item) for item in views.sort_mismatched_first(found)]
    note = "" if found else views.describe_no_objects(cluster, "service", namespace, service_name)
    more = "Give service_name for one Service at a time."
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note, more=more))


@router.get("/routes/status", operation_id="get_route_status", summary="Routes from outside: Ingresses and HTTPRoutes that lead nowhere")
def get_route_status(cluster: Provider, namespace: Namespace = "", route_name: RouteName = "") -> Response:
    """Ingresses and HTTPRoutes, those with a mismatch first: class or Gateways, addresses, and for each host and path the Service and
    port. A mismatch names a Service, port or Gateway that does not exist, a Service for which no pod answers, or why a Gateway
    refuses the route."""
    found = views.match_by_name(cluster.routes(views.namespace_filter(namespace)), route_name)
    summary = {"routes": len(found), "mismatched": [item.name for item in found if item.mismatches]}
    items = sorted(found, key=lambda item: (not item.mismatches, item.kind, item.name))
    note = "" if found else views.describe_no_objects(cluster, "route", namespace, route_name)
    more = "Give route_name for one route at a time."
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note, more=more))


@router.get("/connectivity/status", operation_id="get_connectivity_status", summary="Network policies, and the connections that they deny")
def get_connectivity_status(cluster: Provider, namespace: Namespace = "", policy_name: PolicyName = "") -> Response:
    """NetworkPolicies, those that deny a known connection first: the pods that each selects, what its rules allow, and denies: the
    connections that the environment of workloads names, or the DNS that they need, and that no policy of those pods allows. An empty
    denies does not prove that a connection works."""
    found = views.match_by_name(cluster.policies(views.namespace_filter(namespace)), policy_name)
    denials = {denial for item in found for denial in item.denies}
    summary = {
        "policies": len(found),
        "denying": [item.name for item in found if item.denies],
        "denied_connections": sorted(f"{denial.source.name} to {denial.destination.name}" for denial in denials),
    }
    items = sorted(found, key=lambda item: (not item.denies, item.name))
    note = "" if found else f"{views.describe_no_objects(cluster, 'network policy', namespace, policy_name)} Without one, all is allowed."
    more = "Give policy_name for one policy at a time."
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note, more=more))
