"""Workloads, claims, quotas and components of nodes: relations that lead nowhere, in the service's own data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Asked, application

type Json = dict[str, Any]

CART = "cart-service"


def listed(folder: Path, kind: str) -> list[Json]:
    path = folder / "kubernetes" / f"{kind}.json"
    return list(json.loads(path.read_text())["items"]) if path.exists() else []


def write(folder: Path, kind: str, items: list[Json]) -> None:
    (folder / "kubernetes" / f"{kind}.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def named(name: str, **others: Any) -> Json:
    return {"metadata": {"name": name, "namespace": "shop"}, **others}


def changed_template(folder: Path, change: Callable[[Json], Any]) -> None:
    """Change the pod template of one deployment."""
    items = listed(folder, "deployments")
    change(next(item for item in items if item["metadata"]["name"] == CART)["spec"]["template"]["spec"])
    write(folder, "deployments", items)


def waiting(folder: Path, spec: Json) -> None:
    """Let one pod of the deployment wait for a node, with these constraints."""
    pods = listed(folder, "pods")
    pod = next(pod for pod in pods if pod["metadata"]["name"].startswith(CART))
    pod["spec"] = {**{key: value for key, value in pod["spec"].items() if key != "nodeName"}, **spec}
    pod["status"] = {"phase": "Pending"}
    write(folder, "pods", pods)


def mismatches(folder: Path) -> list[Json]:
    answer = Asked(application("kubernetes", folder)).get("/workloads/status", workload_name=CART)
    return list(answer["items"][0].get("mismatches", ()))


@pytest.mark.parametrize("recording", ["healthy", "memory-leak"])
def test_no_mismatch_where_all_is_well(ask: Callable[..., Asked], recording: str) -> None:
    """In a system whose references are right, none is reported, and what is well is short."""
    answer = ask("kubernetes", recording).get("/workloads/status")
    assert answer["summary"] == {"workloads": 9, "mismatched": [], "not_fully_ready": [], "see_also": []}
    assert all("containers" not in item for item in answer["items"] if "troubledPods" not in item)


@pytest.mark.parametrize(
    ("change", "relation", "words"),
    [
        ({"serviceAccountName": "carts"}, "serviceAccount", "ServiceAccount carts does not exist"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "gone"}}]}, "persistentVolumeClaim", "gone"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "gone"}}]}, "secret", "Secret gone"),
        ({"env": [{"name": "STORE", "value": "catalog-servce:8080"}]}, "envHost", "the nearest is catalog-service"),
        ({"env": [{"name": "STORE_URL", "value": "http://catalog-service:9/x"}]}, "envPort", "port 9 of Service catalog-service"),
        (
            {"env": [{"name": "DB_HOST", "value": "catalog-service"}, {"name": "DB_PORT", "value": "3307"}]},
            "envPort",
            "DB_HOST names port 3307",
        ),
        ({"readinessProbe": {"tcpSocket": {"port": 8081}}}, "readinessProbe", "asks port 8081"),
    ],
    ids=["account", "claim", "secret", "host", "port", "host and port apart", "probe"],
)
def test_a_reference_that_leads_nowhere(copied: Callable[[str], Path], change: Json, relation: str, words: str) -> None:
    """It is found by relation, and the message names both sides."""
    folder = copied("healthy")
    for kind in ("serviceaccounts", "persistentvolumeclaims", "secrets"):
        write(folder, kind, [named("other"), *(named(item["metadata"]["name"]) for item in listed(folder, "deployments"))])
    inside = {"env", "readinessProbe"}

    def apply(spec: Json) -> None:
        spec.update({key: value for key, value in change.items() if key not in inside})
        spec["containers"][0].update({key: value for key, value in change.items() if key in inside})

    changed_template(folder, apply)
    (found,) = mismatches(folder)
    assert found["relation"] == relation
    assert words in found["message"]


def test_values_that_name_no_service(copied: Callable[[str], Path]) -> None:
    """Hosts outside the cluster, addresses and plain words are no references."""
    folder = copied("healthy")
    values = {
        "A_HOST": "localhost",
        "B_URL": "https://example.com/x",
        "C": "10.0.0.1:80",
        "MODE": "fast",
        "TIME": "12:30",
        "D": "a.b.example:9",
    }
    changed_template(
        folder, lambda spec: spec["containers"][0].update(env=[{"name": key, "value": value} for key, value in values.items()])
    )
    assert mismatches(folder) == []


@pytest.mark.parametrize(
    ("spec", "node", "relation"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, {}, "nodeSelector"),
        ({}, {"spec": {"unschedulable": True}}, "cordon"),
        ({}, {"spec": {"taints": [{"key": "gpu", "value": "true", "effect": "NoSchedule"}]}}, "taint"),
        ({}, {"spec": {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}]}}, "notReady"),
        ({"containers": [{"name": "c", "resources": {"requests": {"cpu": "64"}}}]}, {}, "cpu"),
        ({"containers": [{"name": "c", "resources": {"requests": {"memory": "900Gi"}}}]}, {}, "memory"),
        ({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["z"]}]}]}}}}, {}, "nodeAffinity"),
        ({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
            {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}, "topologyKey": "kubernetes.io/hostname"}]}}},
         {}, "podAntiAffinity"),
    ],
)  # fmt: skip
def test_a_pod_that_no_node_takes(copied: Callable[[str], Path], spec: Json, node: Json, relation: str) -> None:
    """The deciding constraint is named, from the nodes' own labels, taints and free resources."""
    folder = copied("healthy")
    write(folder, "nodes", [item | {"spec": item.get("spec", {}) | node.get("spec", {})} for item in listed(folder, "nodes")])
    waiting(folder, spec)
    assert [found["relation"] for found in mismatches(folder)] == [relation]


def test_a_selector_that_one_tainted_node_matches(copied: Callable[[str], Path]) -> None:
    """The selector is satisfied, so what keeps the pod out is the taint of that node, and not the other nodes' labels."""
    folder = copied("healthy")
    nodes = listed(folder, "nodes")
    nodes[0]["metadata"].setdefault("labels", {})["disk"] = "ssd"
    nodes[0]["spec"] = {"taints": [{"key": "sick", "value": "true", "effect": "NoExecute"}]}
    write(folder, "nodes", nodes)
    waiting(folder, {"nodeSelector": {"disk": "ssd"}})
    (found,) = mismatches(folder)
    assert found["relation"] == "taint"
    assert found["object"]["name"] == nodes[0]["metadata"]["name"]


@pytest.mark.parametrize(
    ("claim", "volume", "relation"),
    [
        ({}, {"claimRef": {"namespace": "shop", "name": "other"}}, "occupied"),
        ({"storageClassName": "fats"}, {}, "storageClass"),
        ({"selector": {"matchLabels": {"disk": "ssd"}}}, {}, "selector"),
        ({"resources": {"requests": {"storage": "9Gi"}}}, {}, "capacity"),
        ({"accessModes": ["ReadWriteMany"]}, {}, "accessModes"),
    ],
)
def test_a_claim_that_no_volume_fits(copied: Callable[[str], Path], claim: Json, volume: Json, relation: str) -> None:
    """The problem names what the nearest volume lacks; a claim that is bound has no mismatch."""
    folder = copied("healthy")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    write(folder, "persistentvolumeclaims", [
        named("data", spec=spec | claim, status={"phase": "Pending"}), named("bound", spec=spec, status={"phase": "Bound"})
    ])  # fmt: skip
    offered = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    write(folder, "persistentvolumes", [{"metadata": {"name": "pv"}, "spec": offered | volume, "status": {"phase": "Available"}}])
    answer = Asked(application("kubernetes", folder)).get("/storage/status")
    assert answer["summary"]["not_bound"] == ["data"]
    assert [found["relation"] for found in answer["items"][0]["mismatches"]] == [relation]
    assert "mismatches" not in answer["items"][1]


def test_a_quota_that_is_used_up(copied: Callable[[str], Path]) -> None:
    """It names the resource of which nothing is left, and the Service that a workload names and that could not be made."""
    folder = copied("healthy")
    status = {"hard": {"services": "11", "pods": "50"}, "used": {"services": "11", "pods": "20"}}
    write(folder, "resourcequotas", [named("counts", status=status)])
    changed_template(folder, lambda spec: spec["containers"][0].update(env=[{"name": "STORE", "value": "store:6379"}]))
    (quota,) = Asked(application("kubernetes", folder)).get("/quotas/status")["items"]
    assert quota["exhausted"] == ["services"]
    assert quota["missingObjects"] == [{"kind": "Service", "namespace": "shop", "name": "store"}]


def test_components_of_nodes(copied: Callable[[str], Path]) -> None:
    """A machine's own report of its units has priority; the cluster's report of the others says how it is known."""
    folder = copied("healthy")
    node = listed(folder, "nodes")[0]["metadata"]["name"]
    unit = {"node": node, "component": "kube-proxy", "state": "inactive", "detail": "dead", "since": "2026-11-20T10:00:00Z"}
    write(folder, "nodecomponents", [{"metadata": {"name": "x"}, **unit}])
    answer = Asked(application("kubernetes", folder)).get("/nodes/components")
    assert answer["summary"]["not_running"] == [f"{node} kube-proxy"]
    assert (answer["items"][0]["state"], answer["items"][0]["knownFrom"]) == ("inactive (dead)", "machine")
    assert {item["knownFrom"] for item in answer["items"][1:]} == {"node condition Ready"}
