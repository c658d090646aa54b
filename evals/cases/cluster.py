"""The cluster of a case, as the lists of a recording: descriptions are what is, manifests add what descriptions leave out."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from evals.cases import objects
from evals.cases.case import Case
from evals.cases.description import Block, format_time, parse_age, parse_time

type Json = dict[str, Any]
type Lists = dict[str, list[Json]]

# What a pod's template declares and a description does not print.
_FROM_MANIFEST = ("affinity", "imagePullSecrets", "topologySpreadConstraints", "securityContext", "hostAliases", "dnsPolicy", "dnsConfig")
_WORKLOADS = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "replicasets": "ReplicaSet"}
_FILES = {"resourcequota": "resourcequotas", "endpoints": "endpointslices"}


def build_lists(case: Case) -> Lists:
    """Build every list of the recording."""
    now = find_now(case)
    lists: Lists = defaultdict(list)
    events: list[Json] = []
    for kind, text, block in case.described():
        try:
            built = _build(kind, text, block, now)
        except (KeyError, ValueError, TypeError, IndexError):
            continue  # a text that is not as kubectl prints it is left out, as if it had not been asked for
        if built is not None:
            lists[_FILES.get(kind, kind)].append(built)
        if kind == "nodes" and (lease := objects.lease(block)):
            lists["leases"].append(lease)
        events += objects.events(block, objects.KINDS.get(kind, kind), now)
    _add_manifests(case, lists)
    _add_listed(case, lists, now)
    lists["nodecomponents"] = list(_components(case))
    lists["events"] = list(_distinct([*events, *_listed_events(case, now)]))
    return lists


def find_now(case: Case) -> datetime:
    """Find when the pods were looked at: their start and their age, by the middle one; else when the case was collected."""
    starts = {block.text("Name"): parse_time(block.text("Start Time")) for kind, _, block in case.described() if kind == "pods"}
    ages = {row.get("NAME", ""): parse_age(row.get("AGE", "")) for _, rows in case.listed("pods") for row in rows}
    found = sorted(start + age for name, start in starts.items() if start and (age := ages.get(name)) and age < timedelta(hours=10))
    return found[len(found) // 2] if found else case.collected


def write_lists(folder: Path, lists: Lists) -> None:
    """Write each list as the Kubernetes API gives it."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind, items in lists.items():
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        (folder / f"{kind}.json").write_text(text, encoding="utf-8")


def _build(kind: str, text: str, block: Block, now: datetime) -> Json | None:
    if kind in _WORKLOADS:
        return objects.workload(block, _WORKLOADS[kind], now)
    if kind == "services":
        return objects.service(text, block, now)
    builders = {
        "pods": objects.pod,
        "nodes": objects.node,
        "persistentvolumeclaims": objects.claim,
        "persistentvolumes": objects.persistent_volume,
        "resourcequota": objects.quota,
        "endpoints": objects.endpoint_slice,
    }
    if kind in builders:
        return builders[kind](block, now)
    if kind in ("serviceaccounts", "storageclasses", "configmaps"):
        return {"kind": objects.KINDS[kind], "metadata": objects.metadata(block, now)} | _extra(kind, block)
    return None


def _extra(kind: str, block: Block) -> Json:
    if kind == "storageclasses":
        return {"provisioner": block.text("Provisioner"), "volumeBindingMode": block.text("VolumeBindingMode")}
    if kind == "serviceaccounts":
        secrets = [name for name in (block.text("Image pull secrets"),) if name]
        return {"imagePullSecrets": [{"name": name} for name in secrets]}
    return {}


def _add_manifests(case: Case, lists: Lists) -> None:
    """Add what manifests declare: constraints of pod templates, and the spec of claims that are not bound."""
    for document in case.manifests():
        kind, name = str(document["kind"]), str((document.get("metadata") or {}).get("name", ""))
        if kind in _WORKLOADS.values():
            template = ((document.get("spec") or {}).get("template") or {}).get("spec") or {}
            declared = {field: template[field] for field in _FROM_MANIFEST if field in template}
            for spec in _specs_of(lists, kind, name):
                spec |= {field: value for field, value in declared.items() if field not in spec}
        elif kind == "PersistentVolumeClaim":
            for claim in lists["persistentvolumeclaims"]:
                if claim["metadata"]["name"] == name:
                    claim["spec"] = {**_text_amounts(document.get("spec") or {}), **{k: v for k, v in claim["spec"].items() if v}}


def _specs_of(lists: Lists, kind: str, name: str) -> Iterator[Json]:
    """Yield the pod specs of a workload: its template, and its pods."""
    file = next(file for file, found in _WORKLOADS.items() if found == kind)
    owners = {name}
    for document in lists[file]:
        if document["metadata"]["name"] == name:
            yield document["spec"]["template"]["spec"]
    for document in lists["replicasets"]:
        if any(owner["name"] == name for owner in document["metadata"].get("ownerReferences", ())):
            owners.add(document["metadata"]["name"])
            yield document["spec"]["template"]["spec"]
    for document in lists["pods"]:
        if any(owner["name"] in owners for owner in document["metadata"].get("ownerReferences", ())):
            yield document["spec"]


def _text_amounts(spec: Json) -> Json:
    requests = ((spec.get("resources") or {}).get("requests")) or {}
    return {**spec, "resources": {"requests": {name: str(amount) for name, amount in requests.items()}}}


def _add_listed(case: Case, lists: Lists, now: datetime) -> None:
    """Add objects that are only listed: pods of other namespaces, and the names of Secrets."""
    known = {document["metadata"]["name"] for document in lists["pods"]}
    for namespace, rows in case.listed("pods"):
        lists["pods"] += [_short_pod(row, namespace, now) for row in rows if row.get("NAME", "") not in known and "READY" in row]
        known |= {row.get("NAME", "") for row in rows}
    for namespace, rows in case.listed("secrets"):
        lists["secrets"] += [{"metadata": {"name": row["NAME"], "namespace": namespace}} for row in rows if row.get("NAME")]


def _short_pod(row: dict[str, str], namespace: str, now: datetime) -> Json:
    ready, _, wanted = row["READY"].partition("/")
    phase = row.get("STATUS", "Unknown")
    counted = re.match(r"\d+", row.get("RESTARTS", ""))
    restarts = int(counted[0]) if counted else 0
    age = parse_age(row.get("AGE", "")) or timedelta()
    metadata = {"name": row["NAME"], "namespace": namespace, "creationTimestamp": format_time(now - age)}
    condition = {"type": "Ready", "status": "True" if ready == wanted else "False"}
    state: Json = {"name": "main", "ready": ready == wanted, "restartCount": restarts}
    if phase not in {"Running", "Completed", "Succeeded", "Pending"}:
        state["state"] = {"waiting": {"reason": phase}}
    status = {"phase": phase if phase in {"Pending", "Succeeded"} else "Running", "conditions": [condition], "containerStatuses": [state]}
    return {"kind": "Pod", "metadata": metadata, "spec": {"containers": [{"name": "main", "image": ""}]}, "status": status}


def _components(case: Case) -> Iterator[Json]:
    offset = case.collected.strftime("%z")
    offset = f"{offset[:3]}:{offset[3:]}" if offset else "+00:00"
    for node, name, text in case.components():
        if built := objects.component(node, name, text, offset):
            yield built


def _listed_events(case: Case, now: datetime) -> Iterator[Json]:
    kinds = {kind.lower(): kind for kind in objects.KINDS.values()}
    for namespace, rows in case.listed("events"):
        for row in rows:
            kind, _, name = row.get("OBJECT", "").partition("/")
            if name:
                last = now - (parse_age(row.get("LAST SEEN", "")) or timedelta())
                about = (kinds.get(kind, kind.title()), "" if kind == "node" else namespace, name)
                yield objects.event(row.get("TYPE", ""), row.get("REASON", ""), about, row.get("MESSAGE", ""), 1, last, last)


def _distinct(events: list[Json]) -> Iterator[Json]:
    """Yield each event once, the one that counts most; its name in other namespaces is the same."""
    found: dict[tuple[str, str, str, str], Json] = {}
    for event in events:
        about = event["involvedObject"]
        key = (about["kind"], about["name"], event["reason"], re.sub(r"\W+", " ", event["message"])[:160])
        if key not in found or event["count"] > found[key]["count"]:
            found[key] = event
    yield from found.values()
