"""The Kubernetes service's answers for each recording: the decisive facts, and the decoys beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..conftest import Asked, application

type Ask = Callable[..., Asked]


def test_pods_of_the_crash_loop(ask: Ask) -> None:
    """The pods that are not ready come first, with the reason, exit code and message of the last end."""
    answer = ask("kubernetes", "crash-loop").get("/pods/status")
    assert [name.rpartition("-")[0] for name in answer["summary"]["not_ready"]] == ["payment-service-fbhg6qtkzs"] * 2
    container = answer["items"][0]["containers"][0]
    assert container["state"]["reason"] == "CrashLoopBackOff"
    assert container["restartCount"] == 6
    assert container["lastState"]["exitCode"] == 1
    assert "lookup payments-db-primary.shop.svc.cluster.local" in container["lastState"]["message"]
    assert answer["items"][0]["owner"] == "ReplicaSet/payment-service-fbhg6qtkzs"
    assert {condition["type"]: condition["status"] for condition in answer["items"][0]["conditions"]}["Ready"] == "False"


def test_the_rollout_of_the_crash_loop(ask: Ask) -> None:
    """The newest change comes first, with its time and the value that it changed."""
    answer = ask("kubernetes", "crash-loop").get("/deployments/status")
    assert answer["summary"]["not_fully_available"] == ["payment-service"]
    payment = answer["items"][0]
    assert (payment["name"], payment["desired"], payment["ready"]) == ("payment-service", 2, 0)
    assert payment["revisions"][0]["createdAt"] == "2026-11-20T10:16:00Z"
    assert {
        "path": "containers.payment.env.DB_HOST",
        "before": "payments-db.shop.svc.cluster.local",
        "after": "payments-db-primary.shop.svc.cluster.local",
    } in payment["revisions"][0]["changes"]
    assert payment["unknownHosts"] == ["containers.payment.env.DB_HOST: no Service payments-db-primary in namespace shop"]
    assert [condition["reason"] for condition in payment["conditions"]] == ["MinimumReplicasUnavailable", "ProgressDeadlineExceeded"]


def test_one_deployment_with_its_history(ask: Ask) -> None:
    """Asked by name, all revisions are there, and the environment with secrets by reference only."""
    (payment,) = ask("kubernetes", "crash-loop").items("/deployments/status", deployment_name="payment-service")
    assert [revision["revision"] for revision in payment["revisions"]] == [12, 11, 10]
    assert [change["path"] for change in payment["revisions"][1]["changes"]] == ["containers.payment.image"]
    assert payment["containers"][0]["env"] == [{"name": "DB_PASSWORD", "valueFrom": "secret/payment-service-db:password"}]


def test_pods_of_the_memory_leak(ask: Ask) -> None:
    """Pods that are ready again still tell how they ended: OOMKilled, 137, and their limit."""
    pods = ask("kubernetes", "memory-leak").items("/pods/status", pod_name="catalog-service")
    ends = [(pod["containers"][0]["restartCount"], pod["containers"][0]["lastState"]) for pod in pods]
    assert [(restarts, end["reason"], end["exitCode"]) for restarts, end in ends] == [(3, "OOMKilled", 137)] * 2
    assert {pod["containers"][0]["resources"]["limits"]["memory"] for pod in pods} == {"512Mi"}


def test_events_of_the_memory_leak(ask: Ask) -> None:
    """Each kill is an event, newest first; the severity chooses."""
    answer = ask("kubernetes", "memory-leak").get("/events", since="1h", severity="warning")
    assert answer["summary"]["by_reason"]["OOMKilling"] == 6
    times = [event["lastTimestamp"] for event in answer["items"]]
    assert times == sorted(times, reverse=True)


def test_the_release_of_the_memory_leak(ask: Ask) -> None:
    """The release that began it is among the revisions, with the images before and after."""
    (catalog,) = ask("kubernetes", "memory-leak").items("/deployments/status", deployment_name="catalog-service")
    change = catalog["revisions"][0]["changes"][0]
    assert (change["before"][-7:], change["after"][-7:]) == (":2.14.3", ":2.15.0")
    assert catalog["revisions"][0]["createdAt"] == "2026-11-20T09:22:00Z"


def test_decoys_are_in_every_recording(ask: Ask) -> None:
    """Old restarts, an old bad week and a harmless rollout are there on good days too."""
    for name in ("crash-loop", "memory-leak", "healthy"):
        asked = ask("kubernetes", name)
        cart = asked.items("/pods/status", pod_name="cart-service")[0]["containers"][0]
        assert (cart["restartCount"], cart["lastState"]["finishedAt"][:10]) == (3, "2026-11-14")
        shippers = asked.get("/pods/status", namespace="monitoring", pod_name="log-shipper")
        assert shippers["summary"] == {"pods": 3, "not_ready": [], "restarts": 11, "by_phase": {"Running": 3}}
        assert "shipping-service" in asked.get("/deployments/status")["summary"]["changed_in_last_24h"]


def test_a_healthy_cluster(ask: Ask) -> None:
    """Nothing is unready, unavailable or close to its limit."""
    asked = ask("kubernetes", "healthy")
    assert asked.get("/pods/status")["summary"]["not_ready"] == []
    assert asked.get("/deployments/status")["summary"]["not_fully_available"] == []
    assert asked.get("/resources/usage")["summary"]["above_80_percent_of_limit"] == []
    assert asked.get("/nodes/status")["summary"] == {"nodes": 3, "not_ready": [], "unschedulable": []}


def test_decisive_records_can_be_deleted(copied: Callable[[str], Path]) -> None:
    """A pod is a line of its List: without its lines, nothing tells of it."""
    folder = copied("crash-loop")
    for name in ("pods", "events", "replicasets", "deployments", "podmetrics", "configmaps"):
        path = folder / "kubernetes" / f"{name}.json"
        kept = [line for line in path.read_text().splitlines() if '"payment-service' not in line]
        path.write_text("\n".join(kept).replace(",\n]}", "\n]}"))
    asked = Asked(application("kubernetes", folder))
    assert asked.get("/pods/status")["summary"]["not_ready"] == []
    assert asked.get("/pods/status", pod_name="payment-service")["items"] == []
    assert asked.get("/deployments/status")["summary"]["not_fully_available"] == []


def test_a_renamed_service(copied: Callable[[str], Path]) -> None:
    """A name is only a name: replaced in all files, it is replaced in all answers."""
    folder = copied("crash-loop")
    for path in [found for found in folder.rglob("*") if found.is_file()]:
        path.write_text(path.read_text().replace("payment-service", "billing-service"))
    answer = Asked(application("kubernetes", folder)).get("/pods/status")
    assert all(name.startswith("billing-service-") for name in answer["summary"]["not_ready"])
    assert "payment-service" not in str(answer)


def test_the_usage_of_one_resource(ask: Ask) -> None:
    """Only its numbers are there, the closest to the limit first, with units in the names."""
    items = ask("kubernetes", "healthy").items("/resources/usage", resource_type="memory")
    assert items[0]["memoryBytes"] < items[0]["memoryLimitBytes"] == 512 * 2**20
    shares = [item.get("memoryPercentOfLimit", 0) for item in items]
    assert shares == sorted(shares, reverse=True)
    assert not any("cpu" in key for item in items for key in item)
    cpu = ask("kubernetes", "healthy").items("/resources/usage", resource_type="cpu")
    assert not any("memory" in key for item in cpu for key in item)


def test_an_unknown_name(ask: Ask) -> None:
    """The note says what was looked for, where, and which namespaces there are."""
    asked = ask("kubernetes", "healthy")
    note = asked.get("/pods/status", namespace="default", pod_name="payment")["note"]
    assert "payment" in note
    assert "Namespaces: monitoring, shop." in note
    assert "ip-10-0-1-17" in asked.get("/nodes/status", node_name="worker-9")["note"]
    assert asked.get("/pods/status", namespace="all")["summary"]["pods"] > asked.get("/pods/status")["summary"]["pods"]


def test_more_events_than_fit(copied: Callable[[str], Path]) -> None:
    """The answer is cut at the oldest, and its `more` names the argument that continues there."""
    folder = copied("healthy")
    path = folder / "kubernetes" / "events.json"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *[lines[1]] * 200, *lines[1:]]))
    asked = Asked(application("kubernetes", folder))
    first = asked.get("/events", since="2h")
    assert first["truncated"]
    since = first["more"].split("since=")[1].split(" ")[0]
    assert since.endswith(first["items"][-1]["lastTimestamp"]) or asked.get("/events", since=since)["total"] < first["total"]
