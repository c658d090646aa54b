"""Labelled cases become recordings that the real services answer from, and are scored."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from labelled_case import key, write_case

ROOT = Path(__file__).parents[2]
# The adapter is beside the packages, not in one of them.
sys.path.append(str(ROOT))

from evals.cases.case import find_cases  # noqa: E402
from evals.cases.recording import write_recording  # noqa: E402
from evals.cases.run import run  # noqa: E402


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of the case whose selector is right."""
    folder = tmp_path_factory.mktemp("cases")
    write_case(folder / "service" / "1")
    (case,) = find_cases(folder)
    return write_recording(case, folder / "recording")


def items(recording: Path, kind: str) -> list[dict[str, Any]]:
    return list(json.loads((recording / "kubernetes" / f"{kind}.json").read_text())["items"])


def test_a_pod_of_a_description(recording: Path) -> None:
    """Everything that kubectl prints of it is where the API has it, and what it leaves out comes from the manifest."""
    pod = next(pod for pod in items(recording, "pods") if pod["metadata"]["name"].startswith("till"))
    (container,) = pod["spec"]["containers"]
    assert pod["spec"]["serviceAccountName"] == "till"
    assert pod["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert container["ports"] == [{"containerPort": 8080, "protocol": "TCP"}]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": 8080}
    assert container["env"][0] == {"name": "STORE_ADDR", "value": "store:6379"}
    assert container["env"][1]["valueFrom"] == {"secretKeyRef": {"name": "till-token", "key": "token"}}
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "till-data"}} in pod["spec"]["volumes"]
    (status,) = pod["status"]["containerStatuses"]
    assert status["lastState"]["terminated"] == {"reason": "Error", "exitCode": 1, "finishedAt": "2025-11-14T14:27:59Z"}
    deployment = next(found for found in items(recording, "deployments") if found["metadata"]["name"] == "till")
    assert deployment["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_what_a_case_holds_besides_pods(recording: Path) -> None:
    """Claims, quotas, endpoints, the components of nodes and events with their object."""
    (claim,) = items(recording, "persistentvolumeclaims")
    assert claim["spec"]["resources"] == {"requests": {"storage": "3Gi"}}
    assert claim["spec"]["selector"] == {"matchLabels": {"disk": "ssd"}}
    (quota,) = items(recording, "resourcequotas")
    assert quota["status"] == {"used": {"pods": "2"}, "hard": {"pods": "10"}}
    assert {found["endpoints"][0]["conditions"]["ready"] for found in items(recording, "endpointslices")} == {True}
    (component,) = items(recording, "nodecomponents")
    assert (component["node"], component["component"], component["state"]) == ("node-a", "kubelet", "active")
    event = items(recording, "events")[0]
    assert (event["involvedObject"]["kind"], event["count"], event["lastTimestamp"]) == ("Pod", 3, "2025-11-14T14:29:50Z")


def test_logs_and_metrics_of_a_case(recording: Path) -> None:
    """Patterns are lines with the time that their example has; alerts are steps, and dependencies edges without rates."""
    lines = (recording / "logs" / "web.log").read_text().splitlines()
    assert len(lines) == 12
    assert lines[0].startswith("[pod/web-7d9f8b6c5d-x7k2p/main] 2025-11-14T14:29:00")
    (latency,) = json.loads((recording / "metrics" / "latency.json").read_text())["data"]["result"]
    assert (latency["metric"]["quantile"], latency["values"][0][1], latency["values"][-1][1]) == ("0.95", "0.005000", "0.080000")
    (call,) = json.loads((recording / "metrics" / "calls.json").read_text())["data"]["result"]
    assert (call["metric"]["client"], call["metric"]["server"]) == ("web", "till")


def test_the_score_of_a_folder(tmp_path: Path) -> None:
    """One command asks about every case below a folder and ends with A@1, abstentions, confident errors, time and calls."""
    write_case(tmp_path / "cases" / "service" / "1", selector="app=tills")
    kept = tmp_path / "said.json"
    command = [sys.executable, "-m", "evals", "cases", str(tmp_path / "cases"), "--json", str(kept)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "A@1 " in done.stdout.splitlines()[-1]
    (scored,) = json.loads(kept.read_text())
    assert scored["expected"] == {"cause": "service_selector_mismatch", "object": "app/till"}
    assert scored["calls"] > 5
    assert scored["said"] == scored["expected"]


def test_a_case_that_is_damaged(tmp_path: Path) -> None:
    """One text that is not as kubectl prints it is left out, and one damaged case does not end the run."""
    write_case(tmp_path / "cases" / "service" / "1", selector="app=tills", changes={key("GetErrorLogs", service_name="web"): 7})
    broken = write_case(tmp_path / "cases" / "service" / "2", changes={key("GetResources", resource_type="pods", name=""): "NAME READY\nx"})
    (broken / "metadata.json").write_text(json.dumps({"result": {"root_cause": "a", "fault_object": "app/b"}}))
    found = {scored.name: scored for scored in run(tmp_path / "cases")}
    assert found["service/1"].right
    assert found["service/2"].abstained
