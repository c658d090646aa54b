"""Several sources of a service at once: merged answers that name the source, and one that fails takes nothing from the others."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fixtures.kubernetes_api import Cluster, served
from fixtures.loki import TENANT, loki
from sre_core import clock
from sre_core.problem import Refused
from sre_core.secret import Secret
from sre_services.application import Api, build_app
from sre_services.cli import main
from sre_services.metrics.model import Measure, Series
from sre_services.metrics.several import SeveralMetrics
from sre_services.providers import open_provider
from sre_services.recording import Recording, open_recording
from sre_services.sources.breaker import MOST_FAILURES
from sre_services.sources.several import Named, check_all, collect_failures
from sre_services.timespan import Window

from .conftest import KEY

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def incident() -> Recording:
    found = open_recording("crash-loop", clock.now())
    assert isinstance(found, Recording)
    return found


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the log of one service that Loki does not have."""
    folder = tmp_path_factory.mktemp("logs")
    (folder / "batch.log").write_text(f"{clock.stamp()} ERROR the nightly job failed\n")
    return folder


@pytest.fixture(scope="module")
def loki_url(incident: Recording) -> Iterator[str]:
    with loki(incident) as url:
        yield url


def service(kind: str, *sources: dict[str, str], credentials: Path | None = None) -> TestClient:
    provider = open_provider(kind, {"SRE_SOURCES": json.dumps(sources), "CREDENTIALS_DIRECTORY": str(credentials)})
    return TestClient(build_app(Api.of(kind), provider, Secret(KEY)), headers={"X-API-Key": KEY}, raise_server_exceptions=False)


def test_records_of_two_systems(loki_url: str, log_folder: Path) -> None:
    """They come in one order of time, each with its source, and counts are over both."""
    both = service("logs", {"source": "loki", "url": loki_url, "tenant": TENANT}, {"source": "files", "path": str(log_folder)})
    found = both.get("/logs/errors", params={"since": "2h"}).json()
    assert found["summary"]["by_source"].keys() == {"loki", "files"}
    assert {item["source"] for item in found["items"]} <= {"loki", "files"}
    assert found["items"][0]["source"] == "files", "it is the newest"
    assert sum(found["summary"]["by_source"].values()) == found["summary"]["records"] == found["total"]
    counted = both.get("/logs/counts", params={"time_window": "2h"}).json()
    assert counted["summary"]["count"] == found["total"]
    assert {item["group"] for item in counted["items"]} >= {"batch", "payment-service"}
    templates = both.get("/logs/patterns", params={"time_window": "2h", "min_occurrences": 1}).json()["items"]
    assert {source for item in templates for source in item["sources"]} == {"files", "loki"}
    buckets = both.get("/logs/counts", params={"time_window": "2h", "group_by": "time"}).json()
    assert sum(item["count"] for item in buckets["items"]) == counted["summary"]["count"]
    assert both.get("/health").json()["sources"] == {"loki": {"status": "ok"}, "files": {"status": "ok"}}


def test_one_of_two_fails(log_folder: Path) -> None:
    """The answer names it and says that it is partial; the other's records are there. Health says which one fails, not its address."""
    broken = {"source": "loki", "name": "prod", "url": NOWHERE}
    both = service("logs", broken, {"source": "files", "path": str(log_folder)})
    found = both.get("/logs/errors").json()
    assert [item["service"] for item in found["items"]] == ["batch"]
    assert found["failed_sources"] == {"prod": "SVC-SOURCE-UNREACHABLE"}
    assert found["truncated"]
    assert found["note"].startswith("The source prod did not answer")
    health = both.get("/health")
    assert health.json()["sources"] == {"prod": {"status": "failed", "code": "SVC-SOURCE-UNREACHABLE"}, "files": {"status": "ok"}}
    assert NOWHERE not in health.text
    assert "failed_sources" not in service("logs", {"source": "files", "path": str(log_folder)}).get("/logs/errors").json()


def test_all_of_them_fail(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no empty answer. The check before a deployment names each one."""
    sources = [{"source": "loki", "url": NOWHERE}, {"source": "loki", "url": f"{NOWHERE}/second"}]
    answer = service("logs", *sources).get("/logs/errors")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SVC-SOURCE-UNREACHABLE")
    monkeypatch.setenv("SRE_SOURCES", json.dumps(sources))
    assert main(["check", "logs"]) == 1
    named = [json.loads(line)["what"] for line in capsys.readouterr().out.splitlines()]
    assert [f"Loki at {url} did not answer." for url in (NOWHERE, f"{NOWHERE}/second")] == named


def test_two_clusters(incident: Recording, tmp_path: Path) -> None:
    """Objects of the same name stay apart, each with its cluster, and are related to objects of their own cluster only."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with served(Cluster(incident), tmp_path / "a") as one, served(Cluster(incident), tmp_path / "b") as other:
        one.objects["endpointslices"] = []
        (tmp_path / "one").write_text(one.kubeconfig({"token": one.new_token()}))
        (tmp_path / "other").write_text(other.kubeconfig({"token": other.new_token()}))
        sources = [{"source": "kubeconfig", "name": name, "kubeconfig": name} for name in ("one", "other")]
        both = service("kubernetes", *sources, credentials=tmp_path)
        pods = both.get("/pods/status", params={"pod_name": "payment-service"}).json()["items"]
        assert {pod["cluster"] for pod in pods} == {"one", "other"}
        found = both.get("/services/status", params={"service_name": "frontend"}).json()["items"]
        assert {(item["cluster"], item.get("readyEndpoints")) for item in found} == {("one", None), ("other", 3)}
        assert both.get("/nodes/status").json()["total"] == 6
        alone = service("kubernetes", sources[0], credentials=tmp_path).get("/pods/status").json()
        assert not [item for item in alone["items"] if "cluster" in item]


class Measured:
    """A system that measured one value for each of some services."""

    as_of = clock.now()

    def __init__(self, **values: float) -> None:
        self._values = values

    def services(self) -> list[str]:
        return list(self._values)

    def series(self, measure: Measure, window: Window, services: object) -> list[Series]:
        return [Series(service=name, times=[0.0], values=[value]) for name, value in self._values.items()]


def test_metrics_that_two_systems_have() -> None:
    """Of a service that both measure the first one counts; the others' are added. Nothing is summed twice."""
    both = SeveralMetrics([Named("a", Measured(web=1.0)), Named("b", Measured(web=2.0, worker=3.0))])
    found = both.series(Measure.UP, Window(clock.now(), clock.now()), both.services())
    assert [(series.service, series.source, *series.values) for series in found] == [("web", "a", 1.0), ("worker", "b", 3.0)]


def test_a_fault_of_our_own_is_not_hidden() -> None:
    """Only a refusal lets the others answer for it; anything else is our bug and surfaces."""

    class Broken(Measured):
        def services(self) -> list[str]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        SeveralMetrics([Named("a", Broken()), Named("b", Measured(web=1.0))]).services()


class Hanging(Measured):
    """A system that does not answer before the end of a test."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.end = 0, threading.Event()

    def services(self) -> list[str]:
        self.asked += 1
        self.end.wait(30)
        return []


class Patient(SeveralMetrics):
    SECONDS = 0.5  # a busy machine may leave a thread without a processor for a tenth of a second


def test_one_of_two_does_not_answer() -> None:
    """The other's answer comes within the deadline, and one that was too slow is not asked again for the same answer.

    Nor does it take the threads of the other, or those of checks.
    """
    hanging = Hanging()
    both, began = Patient([Named("slow", hanging), Named("b", Measured(web=1.0))]), time.monotonic()
    try:
        for number in range(20):
            with collect_failures() as failed:
                assert [both.services(), both.services()] == [["web"], ["web"]]
            assert {name: problem.code for name, problem in failed.items()} == {"slow": "SVC-SOURCE-SLOW"}
            assert hanging.asked == min(number + 1, MOST_FAILURES), "once for an answer, and then left alone"
        assert check_all({"b": lambda: None}) == {"b": None}
        assert time.monotonic() - began < 10
        with collect_failures(), pytest.raises(Refused) as refused:
            Patient([Named("slow", hanging), Named("slow too", hanging)]).services()
        assert [problem.code for problem in refused.value.problems] == ["SVC-SOURCE-SLOW"] * 2
    finally:
        hanging.end.set()
