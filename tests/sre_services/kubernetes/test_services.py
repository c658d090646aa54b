"""Services: what their selectors and ports lead to, in the service's own data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..conftest import Asked, application

type Json = dict[str, Any]


def service(answer: Json) -> Json:
    """The one Service of an answer."""
    (found,) = answer["items"]
    return dict(found)


def test_a_service_whose_pods_are_well(ask: Callable[..., Asked]) -> None:
    """Selector, ports, matched pods and endpoints agree, and nothing is called a mismatch."""
    found = service(ask("kubernetes", "healthy").get("/services/status", service_name="cart-service"))
    assert found["selector"] == {"app": "cart-service"}
    assert found["ports"] == [{"port": 8080, "targetPort": "8080", "protocol": "TCP", "name": "main"}]
    assert len(found["pods"]) == found["readyEndpoints"] == len(found["endpoints"]) == 2
    assert {endpoint["pod"] for endpoint in found["endpoints"]} == set(found["pods"])
    assert "mismatches" not in found


@pytest.mark.parametrize("recording", ["healthy", "memory-leak"])
def test_no_mismatch_where_all_is_well(ask: Callable[..., Asked], recording: str) -> None:
    """In a whole system in which Services work, none is reported, and their answers stay short."""
    answer = ask("kubernetes", recording).get("/services/status")
    assert answer["summary"] == {"services": 12, "mismatched": [], "without_ready_endpoints": []}
    assert all("endpoints" not in item for item in answer["items"])


def test_a_service_without_ready_endpoints(ask: Callable[..., Asked]) -> None:
    """Pods that crash are endpoints that are not ready, and the Service comes first."""
    answer = ask("kubernetes", "crash-loop").get("/services/status")
    assert answer["summary"]["without_ready_endpoints"] == ["payment-service"]
    first = answer["items"][0]
    assert (first["name"], first["readyEndpoints"], first["notReadyEndpoints"]) == ("payment-service", 0, 2)
    assert first["mismatches"][0]["relation"] == "endpoints"


@pytest.mark.parametrize(
    ("change", "relation", "words"),
    [
        ({"selector": {"app": "cart_service"}}, "selector", ["app=cart_service", "matches no pod", "app=cart-service"]),
        ({"ports": [{"port": 8080, "targetPort": 8081}]}, "targetPort", ["targetPort 8081/TCP", "8080/TCP"]),
        ({"ports": [{"port": 8080, "targetPort": 8080, "protocol": "UDP"}]}, "targetPort", ["8080/UDP", "another protocol", "8080/TCP"]),
        ({"ports": [{"port": 80, "targetPort": "http"}]}, "targetPort", ["targetPort http/TCP"]),
    ],
)  # fmt: skip
def test_a_mismatch(copied: Callable[[str], Path], change: Json, relation: str, words: list[str]) -> None:
    """It is found by relation, with the nearest pod as an object of kind, namespace and name, and what that has instead."""
    folder = copied("healthy")
    _edit(folder, "services", "cart-service", lambda found: found["spec"].update(change))
    found = service(Asked(application("kubernetes", folder)).get("/services/status", service_name="cart-service"))
    (mismatch,) = found["mismatches"]
    assert mismatch["relation"] == relation
    assert all(word in mismatch["message"] for word in words), mismatch["message"]
    assert mismatch["object"]["kind"] == "Pod"
    assert mismatch["object"]["namespace"] == "shop"
    assert mismatch["object"]["name"].startswith("cart-service-")


def test_ports_that_a_pod_need_not_declare(copied: Callable[[str], Path]) -> None:
    """A container that declares no ports may listen on any: no mismatch is invented. A mesh's proxy declares only its own."""
    folder = copied("healthy")

    def undeclared(pod: Json) -> None:
        pod["spec"]["containers"][0].pop("ports")
        pod["spec"]["containers"].append({"name": "istio-proxy", "image": "i", "ports": [{"containerPort": 15090}]})

    _edit(folder, "pods", "cart-service", undeclared)
    assert "mismatches" not in service(Asked(application("kubernetes", folder)).get("/services/status", service_name="cart-service"))


def test_unknown_endpoints(copied: Callable[[str], Path]) -> None:
    """Where endpoints are not known, their number is absent and not zero."""
    folder = copied("crash-loop")
    (folder / "kubernetes" / "endpointslices.json").unlink()
    found = service(Asked(application("kubernetes", folder)).get("/services/status", service_name="payment-service"))
    assert "readyEndpoints" not in found
    assert "mismatches" not in found


def test_a_service_without_selector(copied: Callable[[str], Path]) -> None:
    """One that only names a host outside has no pods, which is no mismatch."""
    folder = copied("healthy")
    external = {"type": "ExternalName", "externalName": "db.example.com", "selector": None, "ports": None}
    _edit(folder, "services", "cart-service", lambda found: found["spec"].update(external))
    found = service(Asked(application("kubernetes", folder)).get("/services/status", service_name="cart-service"))
    assert found["externalName"] == "db.example.com"
    assert "mismatches" not in found


def _edit(folder: Path, kind: str, name: str, change: Callable[[Json], object]) -> None:
    """Change the objects of a recording whose names begin so."""
    path = folder / "kubernetes" / f"{kind}.json"
    document = json.loads(path.read_text())
    for item in document["items"]:
        if item["metadata"]["name"].startswith(name):
            change(item)
    path.write_text(json.dumps(document))
