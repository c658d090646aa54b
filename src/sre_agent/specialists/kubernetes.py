"""The Kubernetes specialist: pods, deployments with their changes, events, nodes."""

from __future__ import annotations

import asyncio

from sre_agent.observations import Observations
from sre_agent.scope import Scope
from sre_agent.specialists import cluster_records as records
from sre_agent.specialists.gaps import record_answers, unique
from sre_agent.tools import Tools

MOST_DETAILS = 12  # deployments whose configuration and revisions are read


async def observe(tools: Tools, scope: Scope) -> Observations:
    """Observe pods, deployments, events and nodes, then each deployment with its configuration and revisions."""
    pods, deployments, warnings, normal, nodes = await asyncio.gather(
        tools.call("get_pod_status", namespace=scope.namespace),
        tools.call("get_deployment_status", namespace=scope.namespace),
        tools.call("get_cluster_events", since=scope.window, severity="Warning"),
        tools.call("get_cluster_events", since=scope.window, severity="Normal"),
        tools.call("get_node_status"),
    )
    names = [workload.service for workload in records.parse_workloads(deployments)][:MOST_DETAILS]
    details = await asyncio.gather(
        *(tools.call("get_deployment_status", namespace=scope.namespace, deployment_name=name) for name in names)
    )
    known = tuple(records.parse_pods(pods))
    service_of_pod = {pod.name: pod.service for pod in known}
    namespaces = frozenset(pod.namespace for pod in known)
    return record_answers(pods, deployments, nodes, *details, searches=(warnings, normal)) + Observations(
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
        events=tuple(event for answer in (warnings, normal) for event in records.parse_events(answer, service_of_pod, namespaces)),
        nodes=tuple(records.parse_nodes(nodes)),
    )
