"""The operations on the cluster."""

from __future__ import annotations

from collections import Counter
from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from sre_services.answer import Answer, render_answer
from sre_services.kubernetes import network_routes, views
from sre_services.kubernetes.parameters import (
    AutoscalerName,
    ClaimName,
    DeploymentName,
    EventSeverity,
    JobName,
    NodeName,
    PodName,
    Provider,
    ResourceType,
    WorkloadName,
)
from sre_services.kubernetes.scaling_model import CronJob, Job
from sre_services.parameters import CONTINUES, Namespace, Operation, Since
from sre_services.timespan import Span

router = APIRouter(route_class=Operation, dependencies=CONTINUES)


@router.get("/pods/status", operation_id="get_pod_status", summary="Pods: phase, containers, restarts and why they end")
def get_pod_status(cluster: Provider, namespace: Namespace = "", pod_name: PodName = "") -> Response:
    """Pods as the Kubernetes API shows them, those that are not ready first: phase, node, owner, conditions, and for each
    container image, state, lastState (reason, exitCode, message), restartCount, requests and limits. Healthy pods are
    short unless pod_name is given."""
    pods = views.match_by_name(cluster.pods(views.namespace_filter(namespace)), pod_name)
    summary = {
        "pods": len(pods),
        "not_ready": [pod.name for pod in pods if not pod.ready],
        "restarts": sum(pod.restarts for pod in pods),
        "by_phase": Counter(pod.phase for pod in pods),
    }
    items = [pod if pod_name or not pod.ready or pod.restarts else views.shorten_pod(pod) for pod in views.sort_worst_first(pods)]
    note = "" if pods else views.describe_no_objects(cluster, "pod", namespace, pod_name)
    more = "Give pod_name for one workload at a time."
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note, more=more))


@router.get(
    "/deployments/status", operation_id="get_deployment_status", summary="Deployments: rollout, configuration and what changed when"
)
def get_deployment_status(cluster: Provider, namespace: Namespace = "", deployment_name: DeploymentName = "") -> Response:
    """Deployments, the most recently changed first: desired, updated, ready and available replicas, image, environment names
    and config references, conditions, and the revision history with times and the differences between revisions. Hosts
    that the configuration names and no Service has are listed as unknownHosts. Without deployment_name only the latest
    change of each is shown."""
    found = views.match_by_name(cluster.deployments(views.namespace_filter(namespace)), deployment_name)
    summary = {
        "deployments": len(found),
        "not_fully_available": [item.name for item in found if item.available < item.desired],
        "changed_in_last_24h": [item.name for item in found if views.changed_recently(item, cluster.as_of)],
    }
    items = [item if deployment_name else views.keep_latest_change(item) for item in views.sort_newest_change_first(found)]
    note = "" if found else views.describe_no_objects(cluster, "deployment", namespace, deployment_name)
    more = "Give deployment_name for one deployment at a time."
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note, more=more))


@router.get("/events", operation_id="get_cluster_events", summary="Events of the cluster, newest first")
def get_cluster_events(cluster: Provider, since: Since = Span("1h"), severity: EventSeverity = "all") -> Response:  # noqa: B008 - immutable
    """Cluster events of all namespaces, newest first: scheduling, image pulls, probes, restarts, scaling and kills, each
    with its object, message, count, first and last time."""
    window = since.until(cluster.as_of)
    events = [event for event in cluster.events(window) if severity in ("all", event.type)]
    summary = {
        "events": len(events),
        "by_type": Counter(e.type for e in events),
        "by_reason": dict(Counter(e.reason for e in events).most_common(30)),
    }
    note = "" if events else views.describe_no_events(window)
    more = partial(views.describe_earlier_events, events, window)
    return render_answer(Answer(as_of=cluster.as_of, items=events, summary=summary, window=window, note=note, more=more))


@router.get("/resources/usage", operation_id="get_resource_usage", summary="CPU and memory of containers against their limits")
def get_resource_usage(cluster: Provider, namespace: Namespace = "", resource_type: ResourceType = "all") -> Response:
    """Return what each container uses now, in millicores and bytes, beside its requests and limits; the closest to its limit first.
    No limit means the field is absent."""
    usage = views.sort_by_limit_percent(cluster.usage(views.namespace_filter(namespace)), resource_type)
    summary = {
        "containers": len(usage),
        "above_80_percent_of_limit": [item.pod for item in usage if views.limit_percent(item, resource_type) > 80],
    }
    note = "" if usage else views.describe_no_objects(cluster, "pod", namespace, "")
    return render_answer(
        Answer(as_of=cluster.as_of, items=[views.keep_resource(item, resource_type) for item in usage], summary=summary, note=note)
    )


@router.get("/nodes/status", operation_id="get_node_status", summary="Nodes: conditions, capacity and use")
def get_node_status(cluster: Provider, node_name: NodeName = "") -> Response:
    """Nodes: readiness and pressure conditions, taints, whether cordoned, capacity, allocatable, CPU and memory in use,
    and the number of running pods."""
    nodes = [node for node in cluster.nodes() if node.name.startswith(node_name)]
    summary = {
        "nodes": len(nodes),
        "not_ready": [n.name for n in nodes if not n.ready],
        "unschedulable": [n.name for n in nodes if n.unschedulable],
    }
    known = ", ".join(node.name for node in cluster.nodes()) or "none"
    note = "" if nodes else f"No node has a name that begins with {node_name!r}. Nodes: {known}."
    return render_answer(Answer(as_of=cluster.as_of, items=nodes, summary=summary, note=note))


@router.get(
    "/workloads/status", operation_id="get_workload_status", summary="Workloads: what their pods need, and what of that does not match"
)
def get_workload_status(cluster: Provider, namespace: Namespace = "", workload_name: WorkloadName = "") -> Response:
    """Deployments, StatefulSets, DaemonSets and CronJobs, those with a mismatch first: ports, probes, requests and constraints, the
    Services that the environment names, and the nodes of their pods. A mismatch names a ServiceAccount, Secret, ConfigMap, claim,
    Service or port that does not exist, a probe of a port that is not declared, or what keeps waiting pods from the nodes. see_also in
    the summary names the operations about jobs, autoscalers, limits, routes and policies of which there are any."""
    found = views.match_by_name(cluster.workloads(views.namespace_filter(namespace)), workload_name)
    summary = {
        "workloads": len(found),
        "mismatched": [item.name for item in found if item.mismatches],
        "not_fully_ready": [item.name for item in found if item.ready < item.desired],
        "see_also": cluster.further(views.namespace_filter(namespace)),
    }
    items = [
        item if workload_name or views.is_troubled(item) else views.shorten_workload(item) for item in views.sort_troubled_first(found)
    ]
    note = "" if found else views.describe_no_objects(cluster, "workload", namespace, workload_name)
    more = "Give workload_name for one workload at a time."
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note, more=more))


@router.get("/storage/status", operation_id="get_storage_status", summary="Claims: volumes, and why none is bound")
def get_storage_status(cluster: Provider, namespace: Namespace = "", claim_name: ClaimName = "") -> Response:
    """PersistentVolumeClaims, those that are not bound first: request, access modes, storage class, selector, volume and the pods that
    use them. A mismatch says why the nearest PersistentVolume does not fit: occupied, class, selector, capacity or access modes."""
    found = views.match_by_name(cluster.claims(views.namespace_filter(namespace)), claim_name)
    summary = {"claims": len(found), "not_bound": [item.name for item in found if item.phase != "Bound"]}
    items = sorted(found, key=lambda item: (item.phase == "Bound", item.name))
    note = "" if found else views.describe_no_objects(cluster, "claim", namespace, claim_name)
    more = "Give claim_name for one claim at a time."
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note, more=more))


@router.get("/quotas/status", operation_id="get_quota_status", summary="Quotas of a namespace: what is used up")
def get_quota_status(cluster: Provider, namespace: Namespace = "") -> Response:
    """ResourceQuotas, those that are used up first: what is used, the limit, the resources of which nothing is left, and objects of
    a limited kind that workloads refer to and that do not exist."""
    found = cluster.quotas(views.namespace_filter(namespace))
    summary = {"quotas": len(found), "exhausted": [item.name for item in found if item.exhausted]}
    items = sorted(found, key=lambda item: (not item.exhausted, item.name))
    note = "" if found else views.describe_no_objects(cluster, "quota", namespace, "")
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note))


@router.get("/nodes/components", operation_id="get_node_components", summary="Components of nodes: kubelet, runtime, proxy, scheduler")
def get_node_components(cluster: Provider, node_name: NodeName = "") -> Response:
    """The kubelet, container runtime, kube-proxy and kube-scheduler of each node, those that do not run first, with how that is
    known: from the machine itself, from the node's Ready condition, or from the component's pod."""
    found = [item for item in cluster.components() if item.node.startswith(node_name)]
    summary = {"components": len(found), "not_running": [f"{item.node} {item.component}" for item in found if not item.running]}
    items = sorted(found, key=lambda item: (item.running, item.node, item.component))
    note = "" if found else "Nothing is known of the components of nodes."
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note))


@router.get("/jobs/status", operation_id="get_job_status", summary="Jobs and CronJobs: failures, backoff, missed schedules")
def get_job_status(cluster: Provider, namespace: Namespace = "", job_name: JobName = "") -> Response:
    """Jobs and CronJobs, those in trouble first. A Job: state (Running, Complete, Failed, Suspended), the reason of a failure, and how
    many pods failed of how many may (backoffLimit). A CronJob: schedule, last run and success, Jobs that failed, and how many times of
    its schedule went by without a Job."""
    found = views.match_by_name(cluster.jobs(views.namespace_filter(namespace)), job_name)
    summary = {
        "by_kind": Counter(item.kind for item in found),
        "failed": [item.name for item in found if isinstance(item, Job) and item.state == "Failed"],
        "missed_schedules": [item.name for item in found if isinstance(item, CronJob) and item.missed],
    }
    items = sorted(found, key=lambda item: (not views.is_troubled_job(item), item.kind, item.name))
    note = "" if found else views.describe_no_objects(cluster, "job", namespace, job_name)
    return render_answer(
        Answer(as_of=cluster.as_of, items=items, summary=summary, note=note, more="Give job_name for one of them at a time.")
    )


@router.get("/autoscalers/status", operation_id="get_autoscaler_status", summary="Autoscalers: at their maximum, or without metrics")
def get_autoscaler_status(cluster: Provider, namespace: Namespace = "", autoscaler_name: AutoscalerName = "") -> Response:
    """HorizontalPodAutoscalers, those in trouble first: replicas now, desired, minimum and maximum; limited is one that needs more than
    its maximum; its metrics with target and value now, those that are unknown, and the conditions that say why. A mismatch says that
    its target does not exist, or has no request of which a percentage could be known."""
    found = views.match_by_name(cluster.autoscalers(views.namespace_filter(namespace)), autoscaler_name)
    summary = {
        "autoscalers": len(found),
        "at_maximum": [item.name for item in found if item.at_maximum],
        "limited": [item.name for item in found if item.limited],
        "metrics_unknown": [item.name for item in found if item.unknown_metrics],
    }
    items = sorted(found, key=lambda item: (not (item.limited or item.unknown_metrics or item.mismatches), not item.at_maximum, item.name))
    note = "" if found else views.describe_no_objects(cluster, "autoscaler", namespace, autoscaler_name)
    more = "Give autoscaler_name for one at a time."
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note, more=more))


@router.get("/limits/status", operation_id="get_limit_status", summary="Limits of a namespace for its containers and pods")
def get_limit_status(cluster: Provider, namespace: Namespace = "") -> Response:
    """LimitRanges, those that refuse pods first: minimum, maximum and defaults of containers, pods and claims, and each workload whose
    requests or limits are outside of them, so that its pods are not created."""
    found = cluster.limit_ranges(views.namespace_filter(namespace))
    summary = {"limit_ranges": len(found), "refusing": [item.name for item in found if item.mismatches]}
    items = sorted(found, key=lambda item: (not item.mismatches, item.name))
    note = "" if found else views.describe_no_objects(cluster, "limit range", namespace, "")
    return render_answer(Answer(as_of=cluster.as_of, items=items, summary=summary, note=note))


router.include_router(network_routes.router)
