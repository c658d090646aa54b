"""LimitRanges of namespaces, and the workloads whose pods they refuse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from sre_services.kubernetes.model import Mismatch, Ref
from sre_services.kubernetes.objects import Json, key_of, parse_quantity
from sre_services.kubernetes.scaling_model import Limit, LimitRange
from sre_services.kubernetes.workloads import template_of

type Amounts = Mapping[str, float]


def parse_limit_range(document: Json) -> LimitRange:
    """Parse a `v1` LimitRange."""
    namespace, name = key_of(document)
    limits = (document.get("spec") or {}).get("limits") or ()
    return LimitRange(name=name, namespace=namespace, limits=tuple(_limit(found) for found in limits))


def join_limit_range(document: Json, workloads: Sequence[tuple[str, Json]]) -> LimitRange:
    """Add to a LimitRange the workloads of its namespace, given with their kinds, that it refuses."""
    found = parse_limit_range(document)
    own = [(kind, workload) for kind, workload in workloads if key_of(workload)[0] == found.namespace]
    mismatches = (
        Mismatch(relation="limitRange", message=f"{kind} {key_of(workload)[1]}: {fault}", object=_ref(kind, workload))
        for kind, workload in own
        for fault in _list_faults(found.limits, template_of(workload).get("containers") or ())
    )
    return replace(found, mismatches=tuple(mismatches))


def _list_faults(limits: Sequence[Limit], containers: Sequence[Json]) -> Iterator[str]:
    """Yield each bound that a container or the sum of a pod's containers is outside of, as admission sees it."""
    by_type = {limit.type: limit for limit in limits}
    defaults = by_type.get("Container")
    amounts = [_effective(container, defaults) for container in containers]
    if bounds := by_type.get("Container"):
        for container, (requests, limited) in zip(containers, amounts, strict=True):
            yield from (f"container {container['name']} {fault}" for fault in _compare(bounds, requests, limited))
    if bounds := by_type.get("Pod"):
        requests, limited = (_add(found[part] for found in amounts) for part in (0, 1))
        yield from (f"the pod {fault}" for fault in _compare(bounds, requests, limited))


def complete_requests(container: Json, defaults: Iterable[Limit]) -> dict[str, str]:
    """Return the requests of a container after defaults: the API sets a request to the limit before a LimitRange does."""
    resources = container.get("resources") or {}
    by_default = {name: amount for limit in defaults for name, amount in limit.default_request.items()}
    return {**by_default, **(resources.get("limits") or {}), **(resources.get("requests") or {})}


def _effective(container: Json, defaults: Limit | None) -> tuple[Amounts, Amounts]:
    """Return the requests and limits of a container after defaults."""
    limits = (container.get("resources") or {}).get("limits") or {}
    requests = complete_requests(container, (defaults,) if defaults else ())
    return _amounts(requests), _amounts({**(defaults.default if defaults else {}), **limits})


def _compare(bounds: Limit, requests: Amounts, limits: Amounts) -> Iterator[str]:
    for name, least in _amounts(bounds.min).items():
        if name in requests and requests[name] < least:
            yield f"requests less {name} than the minimum {bounds.min[name]}"
    for name, most in _amounts(bounds.max).items():
        if max(limits.get(name, 0), requests.get(name, 0)) > most:
            yield f"has more {name} than the maximum {bounds.max[name]}"
    for name, request in requests.items():
        if name in limits and request > limits[name]:
            yield f"requests more {name} than its limit, which is by default {bounds.default.get(name, limits[name])}"
    for name, ratio in _amounts(bounds.max_limit_request_ratio).items():
        if requests.get(name) and limits.get(name, 0) / requests[name] > ratio:
            yield f"has a limit of {name} that is more than {bounds.max_limit_request_ratio[name]} times the request"


def _limit(limit: Json) -> Limit:
    def texts(key: str) -> dict[str, str]:
        return {name: str(value) for name, value in (limit.get(key) or {}).items()}

    # As the API completes a LimitRange of containers: the maximum is the default limit, and that is the default request.
    default = texts("max") | texts("default") if limit["type"] == "Container" else {}
    return Limit(
        type=limit["type"],
        min=texts("min"),
        max=texts("max"),
        default=default,
        default_request=(texts("min") if default else {}) | default | texts("defaultRequest"),
        max_limit_request_ratio=texts("maxLimitRequestRatio"),
    )


def _amounts(texts: Mapping[str, object]) -> dict[str, float]:
    return {name: parse_quantity(str(text)) for name, text in texts.items()}


def _add(parts: Iterator[Amounts]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0.0) + amount
    return total


def _ref(kind: str, workload: Json) -> Ref:
    namespace, name = key_of(workload)
    return Ref(kind=kind, namespace=namespace, name=name)
