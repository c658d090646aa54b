"""One contract for all providers of a kind: an incident that was written into a real system gives the answers of its recording."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from fixtures import cloudwatch, opensearch
from fixtures.embedded import EmbeddedAws
from fixtures.journal import GATEWAY, journal
from fixtures.kubernetes_api import Cluster, served
from fixtures.loki import TENANT, Store, loki
from fixtures.prometheus import prometheus, victoria_metrics
from sre_core import clock
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.providers import open_provider
from sre_services.recording import SHIPPED, Recording, open_recording
from sre_services.timespan import Window

from .conftest import KEY, application

# Recordings have a sample every 30 seconds. Systems refuse samples of the future.
END = datetime.fromtimestamp(clock.now().timestamp() // 60 * 60 - 60, UTC)
SYSTEMS = {"prometheus": prometheus, "victoria-metrics": victoria_metrics}


def ended(name: str) -> Recording:
    found = open_recording(name, END)
    assert isinstance(found, Recording)
    return found


def live(service: str, credentials: Path | None = None, environment: Mapping[str, str] | None = None, **settings: str) -> TestClient:
    """A client with the key, of the service over a real system."""
    sources = {"SRE_SOURCES": json.dumps([settings]), "CREDENTIALS_DIRECTORY": str(credentials)}
    provider = open_provider(service, {**(environment or {}), **sources})
    return TestClient(build_app(Api.of(service), provider, Secret(KEY)), headers={"X-API-Key": KEY}, raise_server_exceptions=False)


@cache
def recorded(service: str) -> TestClient:
    """The service over the recording that was written into the systems."""
    return application(service, "crash-loop", clock.stamp(END))


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.needs(name)) for name in SYSTEMS])
def metrics(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, TestClient]]:
    """The service over a real system, and over the recording that was written into it."""
    running: AbstractContextManager[str] = SYSTEMS[request.param](ended("crash-loop"), tmp_path_factory.mktemp(request.param))
    with running as url:
        yield live("metrics", source="prometheus", url=url), recorded("metrics")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A small API server that replays the recording's objects."""
    with served(Cluster(ended("crash-loop")), tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def on_cluster(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], TestClient]:
    """on_cluster(service): a service over that server, as the user of a client certificate."""
    folder = tmp_path_factory.mktemp("credentials")
    (folder / "kubeconfig").write_text(cluster.kubeconfig(cluster.client_certificate()))

    @cache
    def made(service: str) -> TestClient:
        return live(service, folder, source="kubeconfig", kubeconfig="kubeconfig")

    return made


def between(before: timedelta, length: timedelta) -> str:
    return f"{clock.stamp(END - before - length)}/{clock.stamp(END - before)}"


HOUR = between(timedelta(0), timedelta(hours=1))
HALF = between(timedelta(minutes=20), timedelta(minutes=30))
ASKED: list[tuple[str, dict[str, str]]] = [
    ("/metrics/performance", {"start_time": HOUR.partition("/")[0], "end_time": HOUR.partition("/")[2]}),
    ("/metrics/performance", {"start_time": HALF.partition("/")[0], "end_time": HALF.partition("/")[2], "service": "payment-service"}),
    ("/metrics/errors", {"time_window": HALF}),
    ("/metrics/errors", {"time_window": HOUR, "service": "frontend"}),
    ("/metrics/resources", {"time_window": HOUR}),
    ("/metrics/resources", {"time_window": HALF, "service": "checkout-service", "resource_type": "memory"}),
    ("/metrics/availability", {"time_window": HOUR}),
    ("/metrics/trends", {"time_window": HOUR}),
    ("/metrics/trends", {"time_window": HOUR, "service": "payment-service"}),
]


@pytest.mark.parametrize(("path", "parameters"), ASKED, ids=lambda part: part if isinstance(part, str) else "")
def test_metrics(metrics: tuple[TestClient, TestClient], path: str, parameters: dict[str, str]) -> None:
    """Every answer of a system that speaks Prometheus' API is that of the recording."""
    real, replayed = (without_clock(client.get(path, params=parameters).json()) for client in metrics)
    assert replayed["total"] > 0
    assert real == replayed


def without_clock(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without the moment at which it was given."""
    return {name: part for name, part in answer.items() if name != "as_of"}


def test_metrics_of_a_long_time(metrics: tuple[TestClient, TestClient]) -> None:
    """Where the samples would be too many, the system computes the points; they say the same, less exactly."""
    window = between(timedelta(0), timedelta(days=6))
    real, replayed = ({item["service"]: item["error_percent"] for item in get(client, "/metrics/errors", window)} for client in metrics)
    assert real.keys() == replayed.keys()
    assert max(real, key=lambda name: real[name]) == max(replayed, key=lambda name: replayed[name])
    assert {name for name in real if real[name] > 0.2} == {name for name in replayed if replayed[name] > 1}


def get(client: TestClient, path: str, window: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(path, params={"time_window": window}).json()["items"]
    return found


KUBERNETES: list[tuple[str, dict[str, str]]] = [
    ("/pods/status", {"namespace": "all"}),
    ("/pods/status", {"namespace": "nowhere"}),
    ("/pods/status", {"pod_name": "payment-service"}),
    ("/deployments/status", {"deployment_name": "payment-service"}),
    ("/events", {"since": HOUR, "severity": "Warning"}),
    ("/resources/usage", {"namespace": "all"}),
]
"""With arguments; `kubernetes/test_api_contract.py` asks each operation without."""


@pytest.mark.parametrize(("path", "parameters"), KUBERNETES, ids=lambda part: part if isinstance(part, str) else "")
def test_kubernetes(on_cluster: Callable[[str], TestClient], path: str, parameters: dict[str, str]) -> None:
    """Every answer about a cluster with these objects is that of the recording."""
    both = (on_cluster("kubernetes"), recorded("kubernetes"))
    ours, theirs = (without_clock(client.get(path, params=parameters).json()) for client in both)
    assert ours == theirs
    assert ours["total"] > 0 or parameters == {"namespace": "nowhere"}


LOGS: list[tuple[str, dict[str, str]]] = [
    ("/logs/search", {"pattern": "refused|timeout", "start_time": HOUR.partition("/")[0], "end_time": HOUR.partition("/")[2]}),
    ("/logs/errors", {"since": HALF}),
    ("/logs/errors", {"since": HOUR, "service": "payment-service"}),
    # Few enough to fit with each kind of id: how many fit depends on the length of the ids.
    ("/logs/patterns", {"time_window": HOUR, "min_occurrences": "5"}),
    ("/logs/counts", {"time_window": HOUR, "event_type": "error", "group_by": "pod"}),
    ("/logs/counts", {"time_window": HOUR, "group_by": "time"}),
    ("/logs/recent", {"limit": "30"}),
    ("/logs/recent", {"service": "frontend"}),
]


@pytest.fixture(scope="module")
def recorded_logs(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """The service over the recording with the lines of the pods that the cluster still has."""
    folder = Path(shutil.copytree(SHIPPED / "crash-loop", tmp_path_factory.mktemp("of-pods") / "copy"))
    there = {item["metadata"]["name"] for item in cluster.objects["pods"]}
    for file in folder.glob("logs/*.log"):
        kept = [line for line in file.read_text().splitlines() if line.split("/")[1] in there]
        # Pod by pod, as they come from a cluster: a stack trace is then not torn by the lines of another pod.
        file.write_text("".join(f"{line}\n" for line in sorted(kept, key=lambda line: line.split("/")[1])))
    return application("logs", folder, clock.stamp(END))


@pytest.mark.parametrize(("path", "parameters"), LOGS, ids=lambda part: part if isinstance(part, str) else "")
def test_logs_of_pods(on_cluster: Callable[[str], TestClient], recorded_logs: TestClient, path: str, parameters: dict[str, str]) -> None:
    """A cluster has the logs of the pods that it still has; of these every answer is that of the recording."""
    assert_same_logs(on_cluster("logs"), path, parameters, recorded_logs)


@pytest.fixture(scope="module")
def journal_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with journal(ended("crash-loop"), tmp_path_factory.mktemp("journal")) as url:
        yield url


@pytest.mark.skipif(not GATEWAY.exists() and not os.environ.get("CI"), reason=f"needs {GATEWAY}")
@pytest.mark.parametrize(("path", "parameters"), LOGS, ids=lambda part: part if isinstance(part, str) else "")
def test_logs_of_a_journal(journal_gateway: str, path: str, parameters: dict[str, str]) -> None:
    """systemd's own gateway gives the answers of the recording."""
    assert_same_logs(live("logs", source="journald", url=journal_gateway), path, parameters)


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording's logs as files of our own, with the shifted times."""
    folder, recording = tmp_path_factory.mktemp("logs"), ended("crash-loop")
    for path in recording.files("logs/*.log"):
        lines = [line.partition("] ") for line in path.read_text().splitlines()]
        shifted = [(prefix, *rest.partition(" ")) for prefix, _, rest in lines]
        text = "".join(f"{prefix}] {recording.shift_time(at).isoformat()} {message}\n" for prefix, at, _, message in shifted)
        (folder / path.name).write_text(text)
    return folder


@pytest.mark.parametrize(("path", "parameters"), LOGS, ids=lambda part: part if isinstance(part, str) else "")
def test_logs_of_a_folder(log_folder: Path, path: str, parameters: dict[str, str]) -> None:
    """Files give the answers of the recording."""
    assert_same_logs(live("logs", source="files", path=str(log_folder)), path, parameters)


@pytest.fixture(scope="module")
def loki_store() -> Iterator[tuple[str, Store]]:
    stores: list[Store] = []
    with loki(ended("crash-loop"), stores) as url:
        yield url, stores[0]


@pytest.mark.parametrize(("path", "parameters"), LOGS, ids=lambda part: part if isinstance(part, str) else "")
def test_logs_of_loki(loki_store: tuple[str, Store], path: str, parameters: dict[str, str]) -> None:
    """A Loki that refuses what its documentation does not allow gives the answers of the recording."""
    url, store = loki_store
    assert_same_logs(live("logs", source="loki", url=url, tenant=TENANT), path, parameters)
    assert store.refused == []


def test_what_loki_is_asked(loki_store: tuple[str, Store]) -> None:
    """Service, level and kind are left to Loki to select, and a long answer comes in parts."""
    url, store = loki_store
    client = live("logs", source="loki", url=url, tenant=TENANT)
    store.queries.clear()
    assert client.get("/logs/errors", params={"since": HOUR, "service": "frontend"}).json()["items"]
    assert set(store.queries) == {'{service_name=~"frontend"} |~ "(?i)(ERROR|SEVERE|FATAL|CRITICAL|PANIC)"'}
    assert live("logs", source="loki", url=url).get("/logs/recent").json()["error"]["code"] == "SVC-SOURCE-CREDENTIAL"
    store.refused.clear()


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Callable[..., TestClient], list[str]]]:
    """The service over an OpenSearch, and what that refused."""
    folder, refused = tmp_path_factory.mktemp("credentials"), list[str]()
    (folder / "password").write_text("of this test")
    with opensearch.opensearch(ended("crash-loop"), refused) as url:
        account = {"username": "sre", "password": "password", "index": opensearch.INDEX}
        yield lambda **changed: live("logs", folder, source="opensearch", url=url, **{**account, **changed}), refused


@pytest.mark.parametrize(("path", "parameters"), LOGS, ids=lambda part: part if isinstance(part, str) else "")
def test_logs_of_opensearch(search: tuple[Callable[..., TestClient], list[str]], path: str, parameters: dict[str, str]) -> None:
    """An OpenSearch that refuses what its documentation does not allow gives the answers of the recording."""
    client, refused = search
    assert_same_logs(client(), path, parameters)
    assert refused == []


def test_what_opensearch_refuses(search: tuple[Callable[..., TestClient], list[str]]) -> None:
    """An index that is not there, a field that can't be counted and a wrong password are Problems with its reason."""
    client, refused = search
    codes = {
        "index": ("nowhere", "SVC-SOURCE-ABSENT"),
        "label": ("message", "SVC-SOURCE-ANSWER"),
        "username": ("me", "SVC-SOURCE-CREDENTIAL"),
    }
    for name, (value, code) in codes.items():
        assert client(**{name: value}).get("/logs/errors").json()["error"]["code"] == code
    assert "not optimised for aggregations" in client(label="message").get("/logs/errors").json()["error"]["message"]
    refused.clear()


@pytest.fixture(scope="module")
def log_groups(embedded: EmbeddedAws) -> list[str]:
    return cloudwatch.write_logs(embedded, ended("crash-loop"), "/same-answers")


@pytest.mark.parametrize(("path", "parameters"), LOGS, ids=lambda part: part if isinstance(part, str) else "")
def test_logs_of_cloudwatch(embedded: EmbeddedAws, log_groups: list[str], path: str, parameters: dict[str, str]) -> None:
    """Logs Insights of the local AWS gives the answers of the recording."""
    client = live("logs", environment=cloudwatch.environment(embedded), source="cloudwatch", log_groups=",".join(log_groups))
    assert_same_logs(client, path, parameters)


def test_metrics_of_cloudwatch(embedded: EmbeddedAws) -> None:
    """A load balancer's counts say of each service what the recording says, though CloudWatch has one value a minute."""
    window = Window(END - timedelta(minutes=15), END)
    cloudwatch.write_requests(embedded, ended("crash-loop"), window)
    real = live("metrics", environment=cloudwatch.environment(embedded), source="cloudwatch")
    ours, theirs = (
        {item["service"]: item for item in get(client, "/metrics/errors", str(window))} for client in (real, recorded("metrics"))
    )
    assert ours.keys() == theirs.keys()
    assert next(iter(ours)) == next(iter(theirs)), "the worst service comes first"
    for name, item in theirs.items():
        assert ours[name]["error_percent"] == pytest.approx(item["error_percent"], abs=0.5), name
        assert ours[name]["requests_per_second"] == pytest.approx(item["requests_per_second"], rel=0.1), name
    assert real.get("/health").json()["sources"] == {"cloudwatch": {"status": "ok"}}


def assert_same_logs(real: TestClient, path: str, parameters: dict[str, str], replayed: TestClient | None = None) -> None:
    both = (real, replayed or recorded("logs"))
    ours, theirs = (without_ids(client.get(path, params=parameters).json()) for client in both)
    assert ours == theirs
    assert ours["items"]


def without_ids(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what names a record in one provider only, and without the moment of the answer."""
    own = ("id", "example_id")
    items = [{name: part for name, part in item.items() if name not in own} for item in answer["items"]]
    # The order of records of the same moment is a system's own.
    items.sort(key=lambda item: (item.get("time", ""), item.get("pod", ""), item.get("message", "")) if "time" in item else ())
    window = {} if "limit" in answer.get("more", "") else answer["window"]
    return {**without_clock(answer), "window": {**window, "end": ""}, "items": items}
