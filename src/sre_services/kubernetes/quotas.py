"""Quotas of namespaces: what is used up, and which objects are missing that a quota may have refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sre_services.kubernetes.model import Ref
from sre_services.kubernetes.objects import Json, key_of, parse_quantity
from sre_services.kubernetes.workload_model import Quota

# The kind that a quota counts or measures, by the resource's name.
_KINDS = {"services": "Service", "persistentvolumeclaims": "PersistentVolumeClaim", "requests.storage": "PersistentVolumeClaim"}


def parse_quota(document: Json) -> Quota:
    """Parse a `v1` ResourceQuota."""
    namespace, name = key_of(document)
    status, spec = document.get("status") or {}, document.get("spec") or {}
    hard: Mapping[str, str] = {key: str(value) for key, value in (status.get("hard") or spec.get("hard") or {}).items()}
    used: Mapping[str, str] = {key: str(value) for key, value in (status.get("used") or {}).items()}
    exhausted = tuple(key for key, limit in hard.items() if key in used and parse_quantity(used[key]) >= parse_quantity(limit))
    return Quota(name=name, namespace=namespace, used=used, hard=hard, exhausted=exhausted)


def join_quotas(quotas: Sequence[Json], missing: Sequence[Ref]) -> Iterator[Quota]:
    """Add to each quota the missing objects of its namespace whose kind it limits."""
    for quota in map(parse_quota, quotas):
        kinds = {_KINDS[resource.removeprefix("count/")] for resource in quota.hard if resource.removeprefix("count/") in _KINDS}
        own = tuple(ref for ref in missing if ref.namespace == quota.namespace and ref.kind in kinds)
        yield replace(quota, missing_objects=own)
