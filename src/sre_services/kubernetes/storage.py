"""Claims with the volumes that could be bound to them, and why none is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sre_services.kubernetes.model import Mismatch, Ref
from sre_services.kubernetes.objects import Json, key_of, parse_quantity
from sre_services.kubernetes.references import claims_of
from sre_services.kubernetes.scheduling import matches_selector
from sre_services.kubernetes.workload_model import Claim


def join_claims(claims: Sequence[Json], volumes: Sequence[Json], classes: Sequence[Json], pods: Sequence[Json]) -> Iterator[Claim]:
    """Add to each claim the pods that use it and, where it is not bound, what the nearest volume lacks."""
    for document in claims:
        namespace, name = key_of(document)
        spec, phase = document.get("spec") or {}, (document.get("status") or {}).get("phase", "")
        users = [pod for pod in pods if key_of(pod)[0] == namespace and name in claims_of(pod["spec"])]
        yield Claim(
            name=name,
            namespace=namespace,
            phase=phase,
            mismatches=() if phase == "Bound" else tuple(_check(document, volumes, classes)),
            request=_storage(spec),
            access_modes=tuple(spec.get("accessModes") or ()),
            storage_class=spec.get("storageClassName") or "",
            selector=(spec.get("selector") or {}).get("matchLabels") or {},
            volume=spec.get("volumeName") or "",
            used_by=tuple(Ref(kind="Pod", namespace=namespace, name=key_of(pod)[1]) for pod in users),
        )


def _check(claim: Json, volumes: Sequence[Json], classes: Sequence[Json]) -> Iterator[Mismatch]:
    """Report what keeps a claim from the volume that fits it best; a class that can make volumes needs none."""
    wanted = (claim.get("spec") or {}).get("storageClassName") or ""
    by_class = {key_of(found)[1]: found for found in classes}
    if wanted and wanted not in by_class and not any(_class_of(volume) == wanted for volume in volumes):
        known = ", ".join(sorted({*by_class, *filter(None, map(_class_of, volumes))})) or "none"
        yield Mismatch(relation="storageClass", message=f"storage class {wanted} does not exist; there are {known}")
        return
    if wanted in by_class and "no-provisioner" not in by_class[wanted].get("provisioner", "no-provisioner"):
        return
    reasons = {key_of(volume)[1]: _compare(claim, volume) for volume in volumes}
    # A free volume was more likely created for this claim than one that another claim has.
    fitting = sorted(reasons.items(), key=lambda found: ("occupied" in found[1], len(found[1]), found[0]))
    if not fitting:
        yield Mismatch(relation="volume", message="there is no PersistentVolume")
    elif nearest := fitting[0][1]:
        relation, text = next(iter(nearest.items()))
        others = f" (and {', '.join(list(nearest)[1:])})" if len(nearest) > 1 else ""
        message = f"the nearest volume, {fitting[0][0]}, does not fit: {text}{others}"
        yield Mismatch(relation=relation, message=message, object=Ref(kind="PersistentVolume", name=fitting[0][0]))


def _compare(claim: Json, volume: Json) -> Mapping[str, str]:
    """Compare a claim with a volume: what differs, by relation."""
    spec, own = claim.get("spec") or {}, volume.get("spec") or {}
    found: dict[str, str] = {}
    bound = own.get("claimRef") or {}
    if bound and (bound.get("namespace"), bound.get("name")) != key_of(claim):
        found["occupied"] = f"it is bound to claim {bound.get('namespace')}/{bound.get('name')}"
    elif (volume.get("status") or {}).get("phase") in {"Released", "Failed"}:
        found["occupied"] = f"it is {volume['status']['phase']} and not Available"
    if (spec.get("storageClassName") or "") != _class_of(volume):
        found["storageClass"] = (
            f"its storage class is {_class_of(volume) or '(none)'}, the claim asks for {spec.get('storageClassName') or '(none)'}"
        )
    if (selector := spec.get("selector")) and not matches_selector(selector, volume["metadata"].get("labels") or {}):
        found["selector"] = (
            f"its labels {volume['metadata'].get('labels') or {}} do not match the claim's selector {selector.get('matchLabels', selector)}"
        )
    capacity, wanted = (own.get("capacity") or {}).get("storage"), _storage(spec)
    if capacity and wanted and parse_quantity(str(capacity)) < parse_quantity(wanted):
        found["capacity"] = f"it has {capacity}, the claim asks for {wanted}"
    if missing := [mode for mode in spec.get("accessModes") or () if mode not in (own.get("accessModes") or ())]:
        found["accessModes"] = f"it does not offer {', '.join(missing)}, only {', '.join(own.get('accessModes') or ()) or 'none'}"
    return found


def _class_of(volume: Json) -> str:
    return str((volume.get("spec") or {}).get("storageClassName") or "")


def _storage(spec: Json) -> str:
    return str(((spec.get("resources") or {}).get("requests") or {}).get("storage", ""))
