"""The assistant on AgentCore Runtime: deployed, verified, updated and rolled back by the same commands, without a lost request."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from behaviours.asking import ask_in_session, fetch_token
from behaviours.command_line import ROOT, Desk
from fixtures import preloaded

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sre_agent:latest"
OCI = "application/vnd.oci.image.manifest.v1+json"
MONITORED = {"monitoring": {"enabled": "always"}}
RUNTIME = {"assistant": {"runtime": "agentcore"}, **MONITORED}
LOGS = "/aws/bedrock-agentcore/runtimes/"


@dataclass
class Callers:
    """Callers who invoke the endpoint that everybody uses, again and again, and what they were answered."""

    statuses: Counter[int] = field(default_factory=Counter)

    @contextmanager
    def asking(self, desk: Desk, count: int = 2) -> Iterator[None]:
        [file] = (desk.state_dir / "connections").glob("*.json")
        connection = json.loads(file.read_text())
        ending = threading.Event()
        trust = ssl.create_default_context(cafile=connection["ca_file"])

        token = fetch_token(desk, connection, trust)

        def ask() -> None:
            with httpx2.Client(verify=trust, timeout=120, headers={"Authorization": f"Bearer {token}"}) as http:
                # More would take the processors from what they watch.
                while not ending.wait(0.2):
                    # A body that is no question: the assistant's own answer to it is 400, and costs no investigation.
                    self.statuses[http.post(connection["invocations_url"], json={}).status_code] += 1

        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ending.set()
            for thread in threads:
                thread.join(timeout=120)


def live_version(desk: Desk) -> str:
    control = desk.client("bedrock-agentcore-control")
    [runtime] = control.list_agent_runtimes()["agentRuntimes"]
    seen = control.get_agent_runtime_endpoint(agentRuntimeId=runtime["agentRuntimeId"], endpointName="live")
    return f"{seen['liveVersion']} of {runtime['agentRuntimeVersion']}"


def library(desk: Desk, name: str, file: str, content: str) -> dict[str, Any]:
    """A configuration whose package brings along another file: another package, so another version."""
    folder = desk.folder / name
    folder.mkdir()
    (folder / file).write_text(content)
    return {"assistant": {"runtime": "agentcore", "libraries": str(folder)}, **MONITORED}


@pytest.mark.timeout(900)  # six deployments, on a machine that has much else to do
def test_a_deployment_on_agentcore_runtime(desk: Desk) -> None:
    """It is verified like any other; a version that does not answer never serves; update and rollback lose no request.

    Its logs are kept as long as others, say what questions used, and are deleted with it.
    """
    desk.start_aws()
    desk.configure(**RUNTIME)
    ended = desk.deploy("deploy")
    assert ended.code == 0, ended.text
    report = json.loads(next(desk.state_dir.glob("reports/sre-*/verification.json")).read_text())
    checks = {finding["check"]: finding["status"] for finding in report["findings"]}
    assert {name for name, status in checks.items() if status != "passed"} == {"access.expired_token"}
    assert {
        "assistant.hops",
        "assistant.investigation",
        "assistant.no_token",
        "assistant.edited_token",
        "assistant.wrong_client",
    } <= checks.keys()
    assert "service.assistant" not in checks
    assert "/runtimes/" in report["assistant_url"]
    assert live_version(desk) == "1 of 1"
    # The machine serves the backends only.
    machine = json.loads(next(desk.state_dir.glob("start-*/instances/*/release/sre_core/release.json")).read_text())
    assert "assistant" in {service["name"] for service in machine["services"]}
    assert not list(desk.state_dir.glob("start-*/instances/*/logs/assistant.log"))
    answered = desk.agent("--prompt", "Which pods restart?")
    assert answered.code == 0, answered.text
    assert "payment-service" in answered.out
    _scripts_of_the_sample(desk)
    _update(desk)
    _logs(desk)


def _logs(desk: Desk) -> None:
    """The groups of both endpoints have lines, from which metrics are made; cleanup deletes them, one that AgentCore made, and no other."""
    logs, cloudwatch = desk.client("logs"), desk.client("cloudwatch")
    [runtime] = desk.client("bedrock-agentcore-control").list_agent_runtimes()["agentRuntimes"]
    groups = {group["logGroupName"]: group for group in logs.describe_log_groups(logGroupNamePrefix=LOGS)["logGroups"]}
    assert groups.keys() == {f"{LOGS}{runtime['agentRuntimeId']}-{endpoint}" for endpoint in ("DEFAULT", "live")}
    assert {(group["retentionInDays"], group["storedBytes"] > 0) for group in groups.values()} == {(30, True)}
    counted = {metric["MetricName"] for metric in cloudwatch.list_metrics()["Metrics"] if metric["Namespace"].startswith("SREAgent/")}
    assert {"Investigations", "ToolCalls"} <= counted
    for made in (f"{runtime['agentRuntimeId']}-mine", "sre_0000000000-AbCdEfGhIj-DEFAULT"):
        logs.create_log_group(logGroupName=LOGS + made)
    cleaned = desk.deploy("cleanup", "--yes")
    assert cleaned.code == 0, cleaned.text
    left = [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePrefix=LOGS)["logGroups"]]
    assert left == [f"{LOGS}sre_0000000000-AbCdEfGhIj-DEFAULT"]


def _scripts_of_the_sample(desk: Desk) -> None:
    """The sample's own scripts find the same runtime, and change nothing."""
    shutil.copytree(ROOT / "compat/deployment", desk.folder / "deployment")
    deployed = _run_script(desk, "deploy_agent_runtime.py", "--container-uri", IMAGE)
    assert "the ECR of the local AWS has no such image" in deployed
    assert "payment-service" in _run_script(desk, "invoke_agent_runtime.py", "--prompt", "Which pods restart?")
    assert (desk.folder / "deployment/.agent_arn").read_text().startswith("arn:aws:bedrock-agentcore:")
    assert live_version(desk) == "1 of 1"


def _run_script(desk: Desk, script: str, *words: str) -> str:
    environ = {**os.environ, "SRE_AGENT_STATE_DIR": str(desk.state_dir)}
    command = [str(preloaded.interpreter()), f"deployment/{script}", *words]
    ended = subprocess.run(command, cwd=desk.folder, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def _update(desk: Desk) -> None:
    callers = Callers()
    with callers.asking(desk):
        desk.configure(**library(desk, "broken", "sitecustomize.py", "raise SystemExit('this version does not start')"))
        failed = desk.deploy("deploy", "--on-failure", "rollback", "--yes")
        assert failed.code != 0
        assert "UPDATE-NOT-VERIFIED" in failed.text
        assert live_version(desk) == "1 of 2"
        assert ask_in_session(desk, "Is payment healthy?")["session"]["kept"] is True
        desk.configure(**library(desk, "better", "CHANGES.txt", "a newer version"))
        updated = desk.deploy("deploy", "--yes")
        assert updated.code == 0, updated.text
        assert live_version(desk) == "3 of 3"
        # Another process of another version answers, and knows the question before by the table alone.
        assert ask_in_session(desk, "and its logs?")["report"]["subject"]["name"] == "payment-service"
        returned = desk.deploy("rollback", "--yes")
        assert returned.code == 0, returned.text
        assert live_version(desk) == "1 of 3"
        _run_an_image(desk)
    assert set(callers.statuses) == {400}
    assert callers.statuses.total() > 50


def _run_an_image(desk: Desk) -> None:
    """An image of the account's ECR takes the place of the package, once its role may pull it and it is for arm64."""
    ecr = desk.client("ecr")
    ecr.create_repository(repositoryName="sre_agent")
    manifests = [{"mediaType": OCI, "digest": f"sha256:{'0' * 64}", "size": 1, "platform": {"architecture": "arm64", "os": "linux"}}]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests}
    ecr.put_image(repositoryName="sre_agent", imageManifest=json.dumps(index), imageTag="latest")
    desk.configure(assistant={"runtime": "agentcore", "image": IMAGE}, **MONITORED)
    updated = desk.deploy("deploy", "--yes")
    assert updated.code == 0, updated.text
    assert live_version(desk) == "4 of 4"
    # The sample's script takes it too, and changes nothing.
    assert "was not used" not in _run_script(desk, "deploy_agent_runtime.py", "--container-uri", IMAGE)
    assert live_version(desk) == "4 of 4"


@pytest.mark.parametrize("mode", ["guide", "export cloudformation"])
def test_the_runtime_in_guide_and_export(desk: Desk, mode: str) -> None:
    """A person and a pipeline make the same runtime."""
    desk.configure(**RUNTIME)
    ended = desk.deploy(*mode.split())
    assert ended.code == 0, ended.text
    words = (
        ("Host agent", "Create endpoint")
        if mode == "guide"
        else ("AWS::BedrockAgentCore::Runtime", "AWS::BedrockAgentCore::RuntimeEndpoint")
    )
    assert all(word in ended.out for word in words)
