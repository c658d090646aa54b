"""The Kubernetes specialist: pods, workloads with what they need and their changes, events, nodes, and what bounds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sre_agent.calls import Answers, ToolCall
from sre_agent.evidence import Answer
from sre_agent.observations import Observations
from sre_agent.reading import items, objects, text, texts, whole
from sre_agent.scope import Scope
from sre_agent.specialists import cluster_records as records
from sre_agent.specialists import relation_records as relations
from sre_agent.specialists.gaps import record_answers

# Of a list that is cut the most important items come first, and those that are well last: their names, and what they call.
PAGED = ("get_workload_status", "get_pod_status", "get_service_status", "get_cluster_events", "get_deployment_status", "get_node_status")
_REFUSED = frozenset({"FailedCreate", "FailedMount", "FailedScheduling"})


def plan(scope: Scope) -> Iterator[ToolCall]:
    """Plan the calls that every investigation makes."""
    where = {"namespace": scope.namespace}
    yield ToolCall("get_pod_status", where)
    yield ToolCall("get_workload_status", where)
    yield ToolCall("get_service_status", where)
    yield ToolCall("get_deployment_status", where)
    yield ToolCall("get_cluster_events", {"since": scope.window, "severity": "Warning"})
    yield ToolCall("get_node_status")
    yield ToolCall("get_node_components")


def plan_further(scope: Scope, answers: Answers) -> Iterator[ToolCall]:
    """Plan the calls for which these answers are a reason, the most important first."""
    where = {"namespace": scope.namespace}
    if _is_lacking(answers):
        yield ToolCall("get_quota_status", where)
        yield ToolCall("get_storage_status", where)
    for operation in relations.parse_further(answers["get_workload_status"]):
        if operation in _BOUNDS:
            yield ToolCall(operation, where)


def _is_lacking(answers: Answers) -> bool:
    """Return True where pods are missing or wait, or something that a workload names does not exist; also where that could not be seen."""
    workloads, pods, events = (answers[name] for name in ("get_workload_status", "get_pod_status", "get_cluster_events"))
    if workloads.failure or pods.failure:
        return True
    return (
        any((whole(item, "ready") or 0) < (whole(item, "desired") or 0) or objects(item, "mismatches") for item, _ in items(workloads))
        or any(not pod.ready for pod in records.parse_pods(pods))
        or any(text(item, "reason") in _REFUSED for item, _ in items(events))
        or bool(texts(workloads.data, "summary", "not_fully_ready"))
    )


def parse(answers: Answers) -> Observations:
    """Parse the answers."""
    pods, warnings = tuple(records.parse_pods(answers["get_pod_status"])), answers["get_cluster_events"]
    workloads, deployments, nodes = (answers[name] for name in ("get_workload_status", "get_deployment_status", "get_node_status"))
    services, components = answers["get_service_status"], answers["get_node_components"]
    service_of_pod = {pod.name: pod.service for pod in pods}
    looked = record_answers(answers["get_pod_status"], deployments, nodes, workloads, searches=(warnings, services, components))
    own = looked + Observations(
        pods=pods,
        workloads=tuple(records.parse_workloads(deployments)),
        changes=tuple(records.parse_changes(deployments)),
        events=tuple(records.parse_events(warnings, service_of_pod, frozenset(pod.namespace for pod in pods))),
        nodes=tuple(records.parse_nodes(nodes)),
        requirements=tuple(relations.parse_requirements(workloads)),
        exposures=tuple(relations.parse_exposures(services)),
        components=tuple(relations.parse_components(components)),
    )
    further = [name for name in (*_LACKING, *_BOUNDS) if name in answers]
    parsed = (({**_LACKING, **_BOUNDS}[name])(answers[name]) for name in further)
    return sum(parsed, own + record_answers(searches=tuple(answers[name] for name in further)))


type _Parser = Mapping[str, Callable[[Answer], Observations]]
_LACKING: _Parser = {
    "get_quota_status": lambda answer: Observations(quotas=tuple(relations.parse_quotas(answer))),
    "get_storage_status": lambda answer: Observations(claims=tuple(relations.parse_claims(answer))),
}
# Jobs, autoscalers and limits, the routes from outside, and the connections that policies deny.
_BOUNDS: _Parser = {
    "get_job_status": lambda answer: Observations(
        jobs=tuple(relations.parse_jobs(answer)), schedules=tuple(relations.parse_schedules(answer))
    ),
    "get_autoscaler_status": lambda answer: Observations(autoscalers=tuple(relations.parse_autoscalers(answer))),
    "get_limit_status": lambda answer: Observations(limit_ranges=tuple(relations.parse_limit_ranges(answer))),
    "get_route_status": lambda answer: Observations(routes=tuple(relations.parse_routes(answer))),
    "get_connectivity_status": lambda answer: Observations(denials=tuple(relations.parse_denials(answer))),
}
