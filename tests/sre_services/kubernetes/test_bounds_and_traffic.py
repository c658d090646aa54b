"""Jobs, autoscalers, limits, routes and policies: what each says of its trouble, from a recording and from an API server alike."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fixtures.kubernetes_api import Cluster, served
from fixtures.kubernetes_objects import sort_objects
from sre_core import clock
from sre_core.secret import Secret
from sre_services import recording
from sre_services.application import Api, build_app
from sre_services.kubernetes.autoscalers import join_autoscaler
from sre_services.kubernetes.ingress import Backends, join_routes
from sre_services.kubernetes.jobs import join_cron_job
from sre_services.kubernetes.services import parse_service
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording

from ..conftest import KEY, RECORDED_END, application

type Json = dict[str, Any]

NOW = clock.parse(RECORDED_END)
PATHS = ("/jobs/status", "/autoscalers/status", "/limits/status", "/routes/status", "/connectivity/status")


def named(name: str, spec: Json, status: Json | None = None, **metadata: Any) -> Json:
    return {"metadata": {"name": name, "namespace": "shop", **metadata}, "spec": spec, "status": status or {}}


def pod_spec(**container: Any) -> Json:
    return {"containers": [{"name": "main", "image": "shop/main:1", **container}]}


def failed_job(reason: str, message: str) -> Json:
    ended = {"type": "Failed", "status": "True", "reason": reason, "message": message, "lastTransitionTime": "2026-11-20T10:05:00Z"}
    return {"failed": 3, "startTime": "2026-11-20T10:00:00Z", "conditions": [ended]}


def cpu_metric(kind: str, value: int | None = None) -> Json:
    about = {"averageUtilization": 80} if value is None else {"averageUtilization": value, "averageValue": "90m"}
    return {"type": "Resource", "resource": {"name": "cpu", kind: {"type": "Utilization", **about} if value is None else about}}


def autoscaler(name: str, target: str, status: Json) -> Json:
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}, "minReplicas": 2, "maxReplicas": 4}
    return named(name, {**spec, "metrics": [cpu_metric("target")]}, status)


def condition(type_: str, status: str, reason: str) -> Json:
    return {"type": type_, "status": status, "reason": reason, "message": f"of {reason}"}


def ingress(name: str, *backends: tuple[str, Json]) -> Json:
    paths = [
        {"path": f"/{number}", "backend": {"service": {"name": service, "port": port}}} for number, (service, port) in enumerate(backends)
    ]
    return named(name, {"ingressClassName": "nginx", "rules": [{"host": "shop.example", "http": {"paths": paths}}]})


def policy(name: str, app: str, **spec: Any) -> Json:
    return named(name, {"podSelector": {"matchLabels": {"app": app}}, **spec})


def of_app(app: str, port: object = None) -> Json:
    return {"from": [{"podSelector": {"matchLabels": {"app": app}}}], **({"ports": [{"port": port}]} if port else {})}


OBJECTS: Mapping[str, Sequence[Json]] = {
    "jobs": [
        named("backup-1", {"backoffLimit": 2}, failed_job("BackoffLimitExceeded", "Job has reached the specified backoff limit"),
              ownerReferences=[{"kind": "CronJob", "name": "backup"}]),
        named("import", {"completions": 1}, {"active": 1, "failed": 2, "startTime": "2026-11-20T10:00:00Z"}),
        named("migrate", {}, {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}),
    ],
    "cronjobs": [
        named("backup", {"schedule": "*/10 * * * *", "concurrencyPolicy": "Forbid",
                         "jobTemplate": {"spec": {"template": {"spec": pod_spec()}}}},
              {"lastScheduleTime": "2026-11-20T10:00:00Z", "active": [{"name": "backup-2"}]}),
    ],
    "horizontalpodautoscalers": [
        autoscaler("busy", "frontend", {"currentReplicas": 4, "desiredReplicas": 4, "currentMetrics": [cpu_metric("current", 97)],
                                        "conditions": [condition("ScalingLimited", "True", "TooManyReplicas")]}),
        autoscaler("blind", "cart-service", {"currentReplicas": 2, "desiredReplicas": 2,
                                             "conditions": [condition("ScalingActive", "False", "FailedGetResourceMetric")]}),
        autoscaler("lost", "cart", {}),
        autoscaler("fine", "catalog-service", {"currentReplicas": 2, "desiredReplicas": 2, "currentMetrics": [cpu_metric("current", 40)],
                                               "conditions": [condition("ScalingLimited", "False", "DesiredWithinRange")]}),
    ],
    "limitranges": [
        named("bounds", {"limits": [{"type": "Container", "max": {"memory": "512Mi"}, "min": {"cpu": "60m"}}]}),
        named("roomy", {"limits": [{"type": "Container", "max": {"memory": "8Gi"}, "default": {"memory": "1Gi"}}]}),
    ],
    "ingresses": [
        ingress("shop", ("frontned", {"number": 8080}), ("cart-service", {"number": 80}), ("payments-db", {"number": 5432})),
        ingress("right", ("frontend", {"name": "main"}), ("cart-service", {"number": 8080})),
    ],
    "gateways": [named("edge", {})],
    "httproutes": [
        named("api", {"parentRefs": [{"name": "edge"}, {"name": "gone"}], "hostnames": ["api.example"],
                      "rules": [{"matches": [{"path": {"value": "/v1"}}], "backendRefs": [{"name": "cart-service", "port": 9}]}]},
              {"parents": [{"parentRef": {"name": "edge"}, "conditions": [condition("ResolvedRefs", "False", "BackendNotFound")]}]}),
    ],
    "networkpolicies": [
        policy("only-checkout", "payment-service", ingress=[of_app("checkout", 8080)]),
        policy("cart-is-quiet", "cart-service", policyTypes=["Egress"], egress=[{"to": [{"podSelector": {}}], "ports": [{"port": 8080}]}]),
        policy("open", "catalog-service", ingress=[of_app("frontend", 8080), {"from": [{"namespaceSelector": {}}]}]),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with these objects; two Services are called by their environment, of which one has no ready endpoint."""
    found = Path(shutil.copytree(recording.SHIPPED / "healthy", tmp_path_factory.mktemp("planted") / "planted")) / "kubernetes"
    for kind, items in OBJECTS.items():
        (found / f"{kind}.json").write_text(json.dumps({"items": items}))
    deployments = json.loads((found / "deployments.json").read_text())
    for item in deployments["items"]:
        calls = {"checkout-service": "payment-service", "cart-service": "catalog-service"}.get(item["metadata"]["name"])
        if calls:
            item["spec"]["template"]["spec"]["containers"][0].setdefault("env", []).append({"name": "NEXT", "value": f"{calls}:8080"})
        if item["metadata"]["name"] == "cart-service":
            item["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"memory": "256Mi"}}
    (found / "deployments.json").write_text(json.dumps(deployments))
    slices = json.loads((found / "endpointslices.json").read_text())
    for item in slices["items"]:
        if item["metadata"]["name"].startswith("payments-db"):
            item["endpoints"] = [{**each, "conditions": {"ready": False}} for each in item["endpoints"]]
    (found / "endpointslices.json").write_text(json.dumps(slices))
    sort_objects(found.parent)
    return found.parent


@pytest.fixture(scope="module")
def recorded(folder: Path) -> TestClient:
    return application("kubernetes", folder)


@pytest.fixture(scope="module")
def by_name(recorded: TestClient) -> dict[str, Json]:
    """Every item of the answers, by its name."""
    return {item["name"]: item for path in PATHS for item in recorded.get(path).json()["items"]}


@pytest.fixture(scope="module")
def live(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    found, home = open_recording(str(folder), NOW), tmp_path_factory.mktemp("api")
    assert isinstance(found, Recording)
    with served(Cluster(found), home) as cluster:
        (home / "kubeconfig").write_text(cluster.kubeconfig(cluster.client_certificate()))
        sources = json.dumps([{"source": "kubeconfig", "kubeconfig": "kubeconfig"}])
        provider = open_provider("kubernetes", {"SRE_SOURCES": sources, "CREDENTIALS_DIRECTORY": str(home)})
        yield TestClient(build_app(Api.of("kubernetes"), provider, Secret(KEY)), headers={"X-API-Key": KEY})


@pytest.mark.parametrize("path", PATHS)
def test_the_same_from_an_api_server(recorded: TestClient, live: TestClient, path: str) -> None:
    """A real API server with the same objects gives the same answer. Only what a schedule missed grows with the time that goes by."""
    answers = [client.get(path).json() for client in (recorded, live)]
    for answer in answers:
        for item in answer["items"]:
            item.pop("missed", None)
    assert answers[0]["items"] == answers[1]["items"]
    assert answers[0]["summary"] == answers[1]["summary"]


@pytest.mark.parametrize(
    ("path", "summary"),
    [
        ("/jobs/status", {"by_kind": {"CronJob": 1, "Job": 3}, "failed": ["backup-1"], "missed_schedules": ["backup"]}),
        ("/autoscalers/status", {"autoscalers": 4, "at_maximum": ["busy"], "limited": ["busy"], "metrics_unknown": ["blind"]}),
        ("/limits/status", {"limit_ranges": 2, "refusing": ["bounds"]}),
        ("/routes/status", {"routes": 3, "mismatched": ["shop", "api"]}),
        ("/connectivity/status", {"policies": 3, "denying": ["cart-is-quiet", "only-checkout"],
                                  "denied_connections": ["cart-service to kube-dns", "checkout-service to payment-service"]}),
    ],
)  # fmt: skip
def test_what_is_in_trouble_comes_first(recorded: TestClient, path: str, summary: Json) -> None:
    """The summary names it, and what is well is named nowhere in it."""
    answer = recorded.get(path).json()
    assert answer["summary"] == summary
    assert recorded.get(path, params={"namespace": "elsewhere"}).json()["items"] == []


def test_where_else_to_look(recorded: TestClient) -> None:
    """The state of workloads names only operations about kinds of which there are objects."""
    further = [path.split("/")[1].rstrip("s") for path in PATHS]
    seen = [recorded.get("/workloads/status", params={"namespace": name}).json()["summary"]["see_also"] for name in ("", "elsewhere")]
    assert sorted(seen[0]) == sorted(f"get_{name}_status" for name in further)
    assert seen[1] == []


def test_jobs(by_name: dict[str, Json]) -> None:
    """A failure has its reason and its count, and a schedule its missed times with what keeps the next run from starting."""
    failed, running, cron_job = by_name["backup-1"], by_name["import"], by_name["backup"]
    assert (failed["state"], failed["reason"], failed["failed"], failed["backoffLimit"]) == ("Failed", "BackoffLimitExceeded", 3, 2)
    assert (running["state"], running["failed"], by_name["migrate"]["state"]) == ("Running", 2, "Complete")
    assert (cron_job["missed"], cron_job["missedSince"], cron_job["failedJobs"]) == (2, "2026-11-20T10:10:00Z", ["backup-1"])
    assert cron_job["mismatches"][0]["object"]["name"] == "backup-2"


@pytest.mark.parametrize(
    ("spec", "missed"),
    [
        ({"schedule": "@hourly"}, 2),
        ({"schedule": "0 11 * * *", "timeZone": "Europe/Berlin"}, 1),
        ({"schedule": "0 11 * * *"}, 0),
        ({"schedule": "* * * * *"}, 100),
        ({"schedule": "* * * * *", "suspend": True}, 0),
        ({"schedule": "29 10 * * *"}, 0),
        ({"schedule": "0 9 ? * *"}, 1),
    ],
)
def test_times_of_a_schedule(spec: Json, missed: int) -> None:
    """They are counted in its own time zone up to a hundred, and one that was due this minute is not late."""
    document = named("report", spec, {"lastScheduleTime": "2026-11-20T08:30:00Z"})
    found = join_cron_job(document, (), NOW)
    assert (found.missed, found.mismatches) == (missed, ())


@pytest.mark.parametrize("spec", [{"schedule": "every day"}, {"schedule": "0 0 * * *", "timeZone": "Nowhere/At-All"}])
def test_a_schedule_that_can_not_be_read(spec: Json) -> None:
    """It is named, and is no failure."""
    found = join_cron_job(named("report", spec, {"lastScheduleTime": "2026-11-20T08:30:00Z"}), (), NOW)
    assert [mismatch.relation for mismatch in found.mismatches] == ["schedule"]


def test_autoscalers(by_name: dict[str, Json]) -> None:
    """One that needs more than it may, one that is blind and why, and one whose target is not there."""
    busy, blind, lost, fine = (by_name[name] for name in ("busy", "blind", "lost", "fine"))
    assert (busy["limited"], busy["currentReplicas"], busy["maxReplicas"]) == (True, 4, 4)
    assert busy["metrics"] == [{"name": "cpu", "target": "80%", "current": "97%"}]
    assert (blind["unknownMetrics"], blind["conditions"][0]["reason"]) == (["cpu"], "FailedGetResourceMetric")
    # The minimum of a LimitRange is what a container requests by default.
    assert "mismatches" not in blind
    assert [found["message"] for found in lost["mismatches"]] == ["Deployment cart does not exist"]
    assert not {"mismatches", "unknownMetrics", "conditions"} & set(fine)


def test_limits(by_name: dict[str, Json]) -> None:
    """Each workload outside of them is named with the bound that it breaks."""
    assert [found["message"] for found in by_name["bounds"]["mismatches"]] == [
        "Deployment notification-service: container notification requests less cpu than the minimum 60m",
        "Deployment recommendation-service: container recommendation has more memory than the maximum 512Mi",
    ]


def test_routes(by_name: dict[str, Json]) -> None:
    """A Service, a port and a Gateway that do not exist, a Service without ready endpoints, and what the Gateway itself says."""
    assert [(found["relation"], found["object"]["name"]) for found in by_name["shop"]["mismatches"]] == [
        ("backendService", "frontned"),
        ("backendPort", "cart-service"),
        ("backendEndpoints", "payments-db"),
    ]
    assert "the nearest is frontend" in by_name["shop"]["mismatches"][0]["message"]
    assert [found["relation"] for found in by_name["api"]["mismatches"]] == ["backendPort", "gateway", "resolvedRefs"]
    assert by_name["api"]["via"] == ["shop/edge", "shop/gone"]
    assert "mismatches" not in by_name["right"]


def test_a_route_that_leads_out_of_the_cluster() -> None:
    """A Service of type ExternalName has neither ports nor endpoints of its own."""
    service = parse_service(named("legacy", {"type": "ExternalName", "externalName": "shop.example"}))
    backends = Backends({("shop", "legacy"): replace(service, ready_endpoints=0)}, frozenset())
    (found,) = join_routes([ingress("old", ("legacy", {"number": 443}))], [], backends)
    assert (found.rules[0].service.name, found.mismatches) == ("legacy", ())


def test_a_request_that_is_the_limit() -> None:
    """If only the limit of a resource is set, its percentage is known, with any other requests."""
    workload = named("web", {"template": {"spec": {"containers": [{"name": "web", "resources": {}}]}}})
    workload["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}}
    assert join_autoscaler(autoscaler("web", "web", {}), {("Deployment", "shop", "web"): workload}).mismatches == ()


@pytest.mark.parametrize(
    ("limits", "known"),
    [
        ({"type": "Container", "defaultRequest": {"cpu": "100m"}}, True),
        ({"type": "Container", "default": {"cpu": "500m"}}, True),
        ({"type": "Container", "defaultRequest": {"memory": "1Gi"}}, False),
        ({"type": "Pod", "max": {"cpu": "4"}}, False),
    ],
)
def test_a_request_that_a_limit_range_gives(limits: Json, known: bool) -> None:
    """Admission gives a container the request that its template lacks, so the percentage is known; not in another namespace."""
    workload = named("web", {"template": {"spec": {"containers": [{"name": "web"}]}}})
    targets = {("Deployment", "shop", "web"): workload}
    found = join_autoscaler(autoscaler("web", "web", {}), targets, [named("defaults", {"limits": [limits]})])
    assert bool(found.mismatches) is not known
    assert join_autoscaler(autoscaler("web", "web", {}), targets, [named("x", {"limits": [limits]}, namespace="other")]).mismatches


def test_policies(by_name: dict[str, Json]) -> None:
    """The connection that the caller's environment names is denied by the policy of the pods that are called; DNS by the caller's own."""
    incoming, outgoing = by_name["only-checkout"], by_name["cart-is-quiet"]
    assert incoming["denies"] == [
        {
            "direction": "ingress",
            "source": {"kind": "Deployment", "namespace": "shop", "name": "checkout-service"},
            "destination": {"kind": "Service", "namespace": "shop", "name": "payment-service"},
            "port": 8080,
            "deniedBy": ["shop/only-checkout"],
        }
    ]
    assert all(pod.startswith("payment-service-") for pod in incoming["pods"])
    assert incoming["pods"]
    assert incoming["allows"] == ["ingress from app=checkout on 8080/TCP"]
    assert [(found["destination"]["name"], found["port"]) for found in outgoing["denies"]] == [("kube-dns", 53)]
    assert "denies" not in by_name["open"]


@pytest.mark.parametrize(
    ("rule", "denied"),
    [
        (None, True),
        ({}, False),
        ({"ports": [{"port": 8080}]}, False),
        ({"ports": [{"port": 8000, "endPort": 8100}]}, False),
        ({"ports": [{"port": 80}]}, True),
        ({"ports": [{"port": 8080, "protocol": "UDP"}]}, True),
        ({"from": [{"podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["checkout-service"]}]}}]}, False),
        ({"from": [{"podSelector": {"matchLabels": {"app": "frontend"}}}]}, True),
        ({"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}]}, False),
        ({"from": [{"namespaceSelector": {"matchLabels": {"team": "other"}}}]}, True),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}, False),
    ],
)
def test_a_rule_of_a_policy(copied_policies: Callable[[Json], TestClient], rule: Json | None, denied: bool) -> None:
    """Peers and ports of a rule are joined as Kubernetes does; no rule denies everything, an empty one nothing."""
    one = policy("one", "payment-service", policyTypes=["Ingress"], **({"ingress": [rule]} if rule is not None else {}))
    (found,) = copied_policies(one).get("/connectivity/status").json()["items"]
    assert bool(found.get("denies")) is denied
    assert found.get("deniesAll", []) == (["Ingress"] if rule is None else [])


@pytest.fixture
def copied_policies(folder: Path, tmp_path: Path) -> Callable[[Json], TestClient]:
    """A service over the recording with this policy only."""

    def made(document: Json) -> TestClient:
        shutil.copytree(folder, tmp_path / "copy")
        (tmp_path / "copy" / "kubernetes" / "networkpolicies.json").write_text(json.dumps({"items": [document]}))
        return application("kubernetes", tmp_path / "copy")

    return made
