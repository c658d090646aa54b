"""Creations that the API server refuses: quotas and limits of a namespace, and accounts that do not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre_agent.reasoners.rules.hypotheses import Candidate, Reason
from sre_agent.reasoners.rules.observation_index import ObservationIndex, fact, list_some, suspect
from sre_agent.relations import Quota, Ref

# "exceeded quota: NAME, requested: requests.cpu=1, used: requests.cpu=10, limited: requests.cpu=10"
_REFUSED = re.compile(r"exceeded quota: (?P<quota>[^,\s]+), requested: (?P<requested>.*?), used: .*?limited: (?P<limited>\S+)")
_LIMIT = re.compile(r"(?:maximum|minimum) \S+ usage per \w+ is .*|max limit to request ratio per \w+ is .*")
_ACCOUNT = re.compile(r'serviceaccount "(?P<name>[^"]+)" not found')
_MISSING_CLAIM = re.compile(r'persistentvolumeclaim "(?P<name>[^"]+)" not found')
_RESOURCES = {
    "cpu": "namespace_cpu_quota_exceeded",
    "memory": "namespace_memory_quota_exceeded",
    "pods": "namespace_pod_quota_exceeded",
    "services": "namespace_service_quota_exceeded",
    "storage": "namespace_storage_quota_exceeded",
    "persistentvolumeclaims": "namespace_storage_quota_exceeded",
}


def detect(index: ObservationIndex) -> Iterator[Candidate]:
    """Detect exhausted quotas, limits that refuse pods, and missing accounts."""
    yield from _refused_pods(index)
    yield from _limited_pods(index)
    for quota in index.observations.quotas:
        yield from _missing_service(index, quota)
        yield from _missing_claim(index, quota)
    yield from _missing_accounts(index)


def _refused_pods(index: ObservationIndex) -> Iterator[Candidate]:
    """Find pods that a quota refused, of workloads that lack pods now."""
    for event in index.observations.events:
        found = _REFUSED.search(event.message) if event.reason == "FailedCreate" else None
        if not found or not index.is_lacking(event.service):
            continue
        resource = next((name for name in _RESOURCES if name in found["requested"]), "")
        quota = next((known for known in index.observations.quotas if known.ref.name == found["quota"]), None)
        namespace = quota.ref.namespace if quota else index.ref(event.service).namespace
        if resource:
            cited = fact(event.service, f"a pod of {event.service} was refused: {event.message}", event.source, at=event.at)
            full = (fact(found["quota"], f"quota {found['quota']} is used up", quota.source),) if quota and quota.exhausted else ()
            yield suspect(
                _RESOURCES[resource],
                Ref(kind="Namespace", name=namespace),
                f"quota {found['quota']} refuses pods of {event.service} (limit {found['limited']})",
                Reason(0.8, "the API server refused its pods because of the quota", (cited,)),
                Reason(0.1, "nothing is left of the quota", full),
                explains=frozenset({event.service}),
            )


def _limited_pods(index: ObservationIndex) -> Iterator[Candidate]:
    """Find pods that a LimitRange refused, of workloads that lack pods now."""
    for event in index.observations.events:
        found = _LIMIT.search(event.message) if event.reason == "FailedCreate" else None
        if not found or not index.is_lacking(event.service):
            continue
        cited = fact(event.service, f"a pod of {event.service} was refused: {event.message}", event.source, at=event.at)
        known = [
            fact(event.service, mismatch.message, limits.source)
            for limits in index.observations.limit_ranges
            for mismatch in limits.mismatches
            if mismatch.object and mismatch.object.name == event.service
        ]
        yield suspect(
            "limit_range_exceeded",
            index.ref(event.service),
            found[0][:200],
            Reason(0.75, "the API server refused its pods because of the limits", (cited,)),
            Reason(0.15, "its requests and limits are outside of them", tuple(known[:2])),
        )


def _missing_service(index: ObservationIndex, quota: Quota) -> Iterator[Candidate]:
    """Find a Service that workloads name, whose workload is there, and that a full quota did not let in."""
    if not any(name.endswith("services") for name in quota.exhausted):
        return
    # Of a large system not every workload is seen, and those that name a missing Service say whether its workload is there.
    mismatches = (found for required in index.requirements.values() for found in required.mismatches if found.has_workload)
    there = {*index.requirements, *(found.object.name for found in mismatches if found.object)}
    missing = [ref for ref in quota.missing_objects if ref.kind == "Service" and ref.name in there]
    complaints = tuple(signal for ref in missing for signal in index.complaints.get(ref.name, ()))
    full = fact(quota.ref.name, f"quota {quota.ref.name} of Services is used up", quota.source)
    if missing:
        yield suspect(
            "namespace_service_quota_exceeded",
            Ref(kind="Namespace", name=quota.ref.namespace),
            f"Service {list_some([ref.name for ref in missing])} is missing, and quota {quota.ref.name} admits no more Services",
            Reason(0.8, "the quota is used up, and a Service is missing that others name and whose workload is there", (full,)),
            Reason(0.1, "others fail to reach it", complaints),
            explains=frozenset(ref.name for ref in missing),
        )


def _missing_claim(index: ObservationIndex, quota: Quota) -> Iterator[Candidate]:
    """Find a claim that a pod mounts and that does not exist, where a quota limits storage."""
    if not any("storage" in name or "persistentvolumeclaims" in name for name in quota.limited):
        return
    for pod in index.observations.pods:
        found = _MISSING_CLAIM.search(pod.message)
        if found and pod.namespace == quota.ref.namespace:
            cited = fact(pod.service, f"pod {pod.name} waits: {pod.message}", pod.source)
            limit = fact(quota.ref.name, f"quota {quota.ref.name} limits storage", quota.source)
            yield suspect(
                "namespace_storage_quota_exceeded",
                Ref(kind="Namespace", name=quota.ref.namespace),
                f"claim {found['name']} of {pod.service} does not exist, and quota {quota.ref.name} limits storage",
                Reason(0.5, "a claim that its pods mount does not exist", (cited,)),
                Reason(0.35, "a quota limits the storage of the namespace", (limit,)),
                explains=frozenset({pod.service}),
            )


def _missing_accounts(index: ObservationIndex) -> Iterator[Candidate]:
    """Find a workload that lacks pods because its account does not exist."""
    for service, required in index.requirements.items():
        refused = [event for event in index.observations.events if event.service == service and event.reason == "FailedCreate"]
        latest = max((event.at for event in refused if event.at), default=None)
        # An account that comes a moment late is normal in a rollout; what was refused last is the reason.
        cited = [event for event in refused if _ACCOUNT.search(event.message) and event.at == latest]
        absent = [found for found in required.mismatches if found.relation == "serviceAccount"]
        if not required.lacks_pods or not (cited or absent) or _was_created(index, service):
            continue
        name = absent[0].object.name if absent and absent[0].object else _account_of(cited[-1].message)
        yield suspect(
            "missing_service_account",
            required.ref,
            f"ServiceAccount {name}",
            Reason(0.6, "its ServiceAccount does not exist", tuple(fact(service, found.message, required.source) for found in absent)),
            Reason(
                0.3 if absent else 0.75,
                "its pods were refused for that",
                tuple(fact(service, e.message, e.source, at=e.at) for e in cited[:2]),
            ),
        )


def _was_created(index: ObservationIndex, service: str) -> bool:
    """Return True where pods exist: accounts that come a moment late are normal in a rollout."""
    return index.has_pods(service)


def _account_of(message: str) -> str:
    found = _ACCOUNT.search(message)
    return found["name"] if found else ""
