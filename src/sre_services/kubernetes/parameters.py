"""The parameters of the operations on the cluster."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request

from sre_services.kubernetes.cluster import Cluster
from sre_services.kubernetes.several import Clusters
from sre_services.parameters import accept_any_case
from sre_services.syntax import NAME


async def _cluster(request: Request) -> Cluster | Clusters:
    provider = request.app.state.provider
    return provider if isinstance(provider, Clusters) else Cluster(provider)


def _name_of(one: str, all_of_them: str) -> Any:
    """Describe a parameter that is the name of an object, or the beginning of it."""
    text = f"{one} name or the beginning of it{all_of_them}"
    return Query(description=text, max_length=253, json_schema_extra=NAME.schema)


Provider = Annotated[Cluster | Clusters, Depends(_cluster)]
PodName = Annotated[str, _name_of("A pod's", ", for example 'payment-service'. Default: all pods."), NAME.validator]
DeploymentName = Annotated[str, _name_of("A deployment's", ". Default: all deployments."), NAME.validator]
ServiceName = Annotated[str, _name_of("A Service's", ". Default: all Services."), NAME.validator]
WorkloadName = Annotated[str, _name_of("A workload's", ". Default: all workloads."), NAME.validator]
ClaimName = Annotated[str, _name_of("A claim's", ". Default: all claims."), NAME.validator]
NodeName = Annotated[str, _name_of("A node's", ". Default: all nodes."), NAME.validator]
JobName = Annotated[str, _name_of("A Job's or CronJob's", ". Default: all of them."), NAME.validator]
AutoscalerName = Annotated[str, _name_of("An autoscaler's", ". Default: all autoscalers."), NAME.validator]
PolicyName = Annotated[str, _name_of("A NetworkPolicy's", ". Default: all policies."), NAME.validator]
RouteName = Annotated[str, _name_of("An Ingress's or HTTPRoute's", ". Default: all routes."), NAME.validator]
EventSeverity = Annotated[
    Literal["all", "Warning", "Normal"],
    accept_any_case("all", "Warning", "Normal"),
    Query(description="The type of events: 'Warning' shows what goes wrong."),
]
ResourceType = Annotated[
    Literal["all", "cpu", "memory"],
    accept_any_case("all", "cpu", "memory"),
    Query(description="Which resource to show, and to sort by use of the limit."),
]
