"""The Kubernetes specialist: pods, deployments with their changes, events, nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from sre_agent.evidence import Answer
from sre_agent.observations import Observations
from sre_agent.scope import Scope
from sre_agent.specialists import cluster_records as records
from sre_agent.specialists import relation_records as relations
from sre_agent.specialists.gaps import record_answers, unique
from sre_agent.tools import Tools

MOST_DETAILS = 1  # deployments whose configuration and revisions are read: the overview has the latest change of each


async def observe(tools: Tools, scope: Scope) -> Observations:
    """Observe pods, workloads and what they need, events and nodes, then the deployments that changed last."""
    pods, deployments, warnings, nodes, related = await asyncio.gather(
        tools.call("get_pod_status", namespace=scope.namespace),
        tools.call("get_deployment_status", namespace=scope.namespace),
        tools.call("get_cluster_events", since=scope.window, severity="Warning"),
        tools.call("get_node_status"),
        observe_relations(tools, scope),
    )
    names = [workload.service for workload in records.parse_workloads(deployments)][:MOST_DETAILS]
    details = await asyncio.gather(
        *(tools.call("get_deployment_status", namespace=scope.namespace, deployment_name=name) for name in names)
    )
    known = tuple(records.parse_pods(pods))
    service_of_pod = {pod.name: pod.service for pod in known}
    namespaces = frozenset(pod.namespace for pod in known)
    own = record_answers(pods, deployments, nodes, *details, searches=(warnings,)) + Observations(
        pods=known,
        # The overview has every deployment; the details of one replace its entry.
        workloads=tuple(
            unique(
                (w for answer in (*details, deployments) for w in records.parse_workloads(answer)), key=lambda w: (w.namespace, w.service)
            )
        ),
        changes=tuple(
            unique((c for answer in (*details, deployments) for c in records.parse_changes(answer)), key=lambda c: (c.service, c.revision))
        ),
        events=tuple(records.parse_events(warnings, service_of_pod, namespaces)),
        nodes=tuple(records.parse_nodes(nodes)),
    )
    return own + related


async def observe_relations(tools: Tools, scope: Scope) -> Observations:
    """Observe what workloads, Services and claims refer to, the quotas, and the components of the nodes; then what bounds them."""
    workloads, services, claims, quotas, components = await asyncio.gather(
        tools.call("get_workload_status", namespace=scope.namespace),
        tools.call("get_service_status", namespace=scope.namespace),
        tools.call("get_storage_status", namespace=scope.namespace),
        tools.call("get_quota_status", namespace=scope.namespace),
        tools.call("get_node_components"),
    )
    return (
        record_answers(workloads, searches=(services, claims, quotas, components))
        + Observations(
            requirements=tuple(relations.parse_requirements(workloads)),
            exposures=tuple(relations.parse_exposures(services)),
            claims=tuple(relations.parse_claims(claims)),
            quotas=tuple(relations.parse_quotas(quotas)),
            components=tuple(relations.parse_components(components)),
        )
        + await observe_bounds(tools, scope, relations.parse_further(workloads))
    )


async def observe_bounds(tools: Tools, scope: Scope, operations: Sequence[str]) -> Observations:
    """Observe jobs, autoscalers and limits, the routes from outside, and the connections that policies deny: those that there are."""
    asked = [name for name in operations if name in _BOUNDS]
    answers = await asyncio.gather(*(tools.call(name, namespace=scope.namespace) for name in asked))
    observed = (_BOUNDS[name](answer) for name, answer in zip(asked, answers, strict=True))
    return sum(observed, record_answers(searches=tuple(answers)))


_BOUNDS: Mapping[str, Callable[[Answer], Observations]] = {
    "get_job_status": lambda answer: Observations(
        jobs=tuple(relations.parse_jobs(answer)), schedules=tuple(relations.parse_schedules(answer))
    ),
    "get_autoscaler_status": lambda answer: Observations(autoscalers=tuple(relations.parse_autoscalers(answer))),
    "get_limit_status": lambda answer: Observations(limit_ranges=tuple(relations.parse_limit_ranges(answer))),
    "get_route_status": lambda answer: Observations(routes=tuple(relations.parse_routes(answer))),
    "get_connectivity_status": lambda answer: Observations(denials=tuple(relations.parse_denials(answer))),
}
