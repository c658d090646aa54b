"""The short way to one's own cluster: one command deploys on this machine, and the assistant reads the cluster and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from behaviours.command_line import Desk
from fixtures.kubernetes_api import Cluster, served
from fixtures.prometheus import prometheus
from sre_core import clock
from sre_services.recording import Recording, open_recording


@pytest.fixture(scope="module")
def incident() -> Recording:
    """The crash loop, ending now; systems refuse samples of the future."""
    found = open_recording("crash-loop", clock.now() - timedelta(seconds=30))
    assert isinstance(found, Recording)
    return found


@pytest.fixture(scope="module")
def cluster(incident: Recording, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with served(Cluster(incident), tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Desk]:
    """A desk without a configuration."""
    desk = Desk(tmp_path)
    yield desk
    desk.close()


@pytest.mark.needs("prometheus")
def test_one_line_to_ones_own_cluster(empty: Desk, cluster: Cluster, incident: Recording, tmp_path: Path) -> None:
    """Cause and evidence come from the cluster's API server and from Prometheus; only lists and logs were asked for."""
    token = cluster.new_token()
    (tmp_path / "kubeconfig").write_text(cluster.kubeconfig({"token": token}))
    with prometheus(incident, tmp_path / "prometheus") as url:
        ended = empty.deploy("--mode", "local", "--kubeconfig", "kubeconfig", "--prometheus", url)
        assert ended.code == 0, ended.text
        answer = empty.agent("Why does the checkout service fail?")
    assert answer.code == 0, answer.text
    assert answer.out.startswith("# Root cause: payment-service fails at start because of a bad configuration")
    assert "DB_HOST" in answer.out
    [report] = empty.state_dir.glob("reports/inv-*.json")
    document = json.loads(report.read_text())
    tools = {record["tool"].partition("___")[0] for record in document.get("report", document)["evidence"]}
    assert {"kubernetes", "logs", "metrics"} <= tools
    assert {verb for verb, _, _ in cluster.made} <= {"list", "get"}
    assert {resource for verb, _, resource in cluster.made if verb == "get"} <= {"pods/log"}
    written = [empty.folder / "config.yaml", empty.state_file, *empty.state_dir.glob("connections/*"), *empty.state_dir.glob("reports/*/*")]
    assert not [path for path in written if token in path.read_text()]
    assert empty.deploy("cleanup", "--yes").code == 0


def test_a_cluster_out_of_reach(empty: Desk, cluster: Cluster, tmp_path: Path) -> None:
    """A credential that is not accepted is said before anything is changed."""
    (tmp_path / "kubeconfig").write_text(cluster.kubeconfig({"token": "of yesterday"}))
    ended = empty.deploy("--mode", "local", "--kubeconfig", "kubeconfig")
    assert ended.code == 1
    assert "SVC-SOURCE-CREDENTIAL" in ended.text
    assert cluster.url in ended.text
    assert "Nothing was changed." in ended.text
