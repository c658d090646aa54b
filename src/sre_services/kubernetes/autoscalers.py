"""HorizontalPodAutoscalers: whether one is at its maximum, which metrics it does not know, and what its target lacks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sre_services.kubernetes.limits import complete_requests, parse_limit_range
from sre_services.kubernetes.model import Mismatch, Ref
from sre_services.kubernetes.objects import Json, key_of, parse_conditions, parse_time
from sre_services.kubernetes.scaling_model import Autoscaler, Limit, MetricTarget
from sre_services.kubernetes.workloads import template_of

type Targets = Mapping[tuple[str, str, str], Json]
"""The workloads that can be scaled, by kind, namespace and name."""


def parse_autoscaler(document: Json) -> Autoscaler:
    """Parse an `autoscaling/v2` HorizontalPodAutoscaler, without its relations."""
    namespace, name = key_of(document)
    spec, status = document["spec"], document.get("status") or {}
    conditions, most = parse_conditions(status), int(spec["maxReplicas"])
    current = {_name_metric(found): _text_value(found, "current") for found in status.get("currentMetrics") or () if found}
    metrics = tuple(_metric(found, current) for found in spec.get("metrics") or ())
    target, replicas = spec["scaleTargetRef"], status.get("currentReplicas") or 0
    blind = any(found.type == "ScalingActive" and found.status == "False" and found.reason.startswith("Failed") for found in conditions)
    return Autoscaler(
        name=name,
        namespace=namespace,
        target=Ref(kind=target["kind"], namespace=namespace, name=target["name"]),
        current_replicas=replicas,
        desired_replicas=status.get("desiredReplicas") or 0,
        min_replicas=spec.get("minReplicas") or 1,
        max_replicas=most,
        at_maximum=replicas >= most,
        limited=any(
            found.type == "ScalingLimited" and found.status == "True" and found.reason == "TooManyReplicas" for found in conditions
        ),
        unknown_metrics=tuple(found.name for found in metrics if blind and not found.current),
        metrics=metrics,
        last_scaled_at=parse_time(status.get("lastScaleTime")),
        conditions=tuple(found for found in conditions if _is_fault(found.type, found.status)),
    )


def join_autoscaler(document: Json, targets: Targets, limit_ranges: Sequence[Json] = ()) -> Autoscaler:
    """Add to an autoscaler what does not fit between it and its target. LimitRanges of its namespace give requests by default."""
    found = parse_autoscaler(document)
    ranges = [each for each in map(parse_limit_range, limit_ranges) if each.namespace == found.namespace]
    defaults = tuple(limit for each in ranges for limit in each.limits if limit.type == "Container")
    return replace(found, mismatches=tuple(_check_target(found, document, targets, defaults)))


def _check_target(found: Autoscaler, document: Json, targets: Targets, defaults: Sequence[Limit]) -> Iterator[Mismatch]:
    key = (found.target.kind, found.namespace, found.target.name)
    # Where no workload of the kind is known in the namespace, the target may be of a kind that is not read.
    if key not in targets and any(known[:2] == key[:2] for known in targets):
        yield Mismatch(relation="scaleTarget", message=f"{found.target.kind} {found.target.name} does not exist", object=found.target)
    for metric in document["spec"].get("metrics") or ():
        about = metric.get("resource") or metric.get("containerResource") or {}
        if "averageUtilization" in (about.get("target") or {}) and key in targets:
            yield from _check_requests(found.target, about, targets[key], defaults)


def _check_requests(target: Ref, about: Json, workload: Json, defaults: Sequence[Limit]) -> Iterator[Mismatch]:
    """Report containers without a request, of which a percentage can't be known."""
    named = about.get("container")
    for container in template_of(workload).get("containers") or ():
        if about["name"] not in complete_requests(container, defaults) and named in {None, container["name"]}:
            text = f"its metric {about['name']} is in percent of the request, and container {container['name']} of {target.name} has none"
            yield Mismatch(relation="resourceRequest", message=text, object=target)


def _is_fault(type_: str, status: str) -> bool:
    return status == ("True" if type_ == "ScalingLimited" else "False")


def _metric(metric: Json, current: Mapping[str, str]) -> MetricTarget:
    name = _name_metric(metric)
    return MetricTarget(name=name, target=_text_value(metric, "target"), current=current.get(name, ""))


def _name_metric(metric: Json) -> str:
    about = _about(metric)
    return str(about.get("name") or (about.get("metric") or {}).get("name") or metric.get("type", ""))


def _text_value(metric: Json, which: str) -> str:
    """Write a value as kubectl does: a percentage, an average or a value."""
    value = _about(metric).get(which) or {}
    percent = value.get("averageUtilization")
    return f"{percent}%" if percent is not None else str(value.get("averageValue") or value.get("value") or "")


def _about(metric: Json) -> Json:
    """Return what a metric's type says of it: `resource`, `pods`, `object`, `external` or `containerResource`."""
    found = metric.get(metric.get("type", "")[:1].lower() + metric.get("type", "")[1:])
    return found if isinstance(found, dict) else {}
