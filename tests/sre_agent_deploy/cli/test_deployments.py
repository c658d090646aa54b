"""`list`, `output`, `state show`, `logs` and `exec`, as they are typed, for deployments named by id or name, from any folder."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from fixtures import preloaded
from sre_agent_deploy.commands.claims import record_claim
from sre_agent_deploy.commands.machine import LogFile, read_lines
from sre_agent_deploy.journal.state import Record, State, render_state

type Typed = Callable[..., tuple[int, str, str]]


def test_a_deployment_is_found_from_anywhere(
    local_folder: Path, typed: Typed, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name or its id; what it offers is printed, a secret only where it is named."""
    assert typed("deploy", "--target", "credential_provider")[0] == 0
    name = json.loads((local_folder / "config.yaml").read_text())["name"]
    state = json.loads((local_folder / ".deployment_state").read_text())
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    rows = {row["name"]: row for row in json.loads(typed("list", "--json")[1])["deployments"]}
    row = rows[name]
    found = (row["deployment"], row["mode"], row["last"], row["state_file"])
    assert found == (state["deployment"], "local", "deploy: applied in part", str(local_folder / ".deployment_state"))
    assert state["deployment"] in typed("list")[1]
    listed = typed("output", "--deployment", name)[1]
    secret = typed("output", "backend_api_key", "--deployment", state["deployment"])[1].strip()
    assert (len(secret), secret in listed, "backend_api_key" in listed) == (48, False, True)
    outputs = json.loads(typed("output", "--json", "--deployment", name)[1])
    assert outputs["backend_api_key"] == {"value": None, "sensitive": True}
    assert outputs["name"]["value"] == name
    code, _, err = typed("output", "deployment-i", "--deployment", name)
    assert (code, "OUTPUT-UNKNOWN" in err, "Did you mean deployment_id?" in err) == (1, True, True), err
    assert state["deployment"] in typed("status", "--deployment", name)[1]
    assert typed("status", "--deployment", name, "--state-file", "x")[0] == 64
    code, _, err = typed("status", "--deployment", name[:-1])
    assert (code, "DEPLOYMENT-UNKNOWN" in err, f"--deployment {name}?" in err) == (1, True, True), err
    code, guide, err = typed("guide", "--deployment", name)
    assert (code, name in guide) == (0, True), err
    kept = str(local_folder / ".deployment_state")
    code, out, err = typed("set", "deployment.volume_gb", "80", "--state-file", kept)
    assert (code, f"{local_folder / 'config.yaml'}: deployment.volume_gb set" in out) == (0, True), out + err
    assert str(local_folder / "config.yaml") in typed("set", "deployment.volume_gb", "80", "--state-file", kept)[1]
    assert "config-2" in typed("backup", "--state-file", kept)[1]
    before = (local_folder / "config.yaml").read_text()
    code, _, err = typed("set", "deployment.volume-gb", "90", "--state-file", kept)
    assert (code, "config.yaml was not changed" in err, "CONFIG-UNKNOWN-KEY" in err) == (1, True, True), err
    assert (local_folder / "config.yaml").read_text() == before
    code, _, err = typed("--mode", "local", "--kubeconfig", kept, "--prometheus", "prometheus:9090")
    assert (code, "--prometheus can't have this value" in err, "config.yaml" in err) == (1, True, False), err
    code, _, err = typed("--mode", "local", "--kubeconfig", "${NOT_SET}/config")
    assert (code, err.count("--kubeconfig can't have this value")) == (1, 1), err
    shown = typed("state", "show", "backend_key", "--deployment", name)[1]
    assert state["records"]["backend_key-1"]["outputs"]["secret_arn"] in shown
    assert "Did you mean backend_key?" in typed("state", "show", "backend-kee", "--deployment", name)[2]
    assert "MACHINE-NOT-CREATED" in typed("logs", "--deployment", name)[2]
    assert "SERVICE-UNKNOWN" in typed("logs", "kubernets", "--deployment", name)[2]
    assert typed("cleanup", "--deployment", name, "--yes")[0] == 0
    monkeypatch.chdir(local_folder)
    assert "DEPLOYMENT-GONE" in typed("output")[2]


@pytest.fixture
def production(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a machine that knows a deployment on EC2, with an AWS CLI that prints how it is called."""
    record = Record("instance", "AWS::EC2::Instance", 1, "", "ready", "2026-11-29T00:00:00Z", id="i-0123456789abcdef0")
    state = State("sre-0123456789", "111122223333", "eu-west-1", "production", "config.yaml", records={record.key: record})
    (tmp_path / ".deployment_state").write_bytes(render_state(state))
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("aws", "session-manager-plugin"):
        program = programs / name
        program.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n')
        program.chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "SRE_AGENT_STATE_DIR": str(tmp_path / "folder")}


def run(folder: Path, environ: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = preloaded.command("sre_agent_deploy", *words)
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_a_session_on_an_instance(production: Mapping[str, str], tmp_path: Path) -> None:
    """`ssh` opens a shell, `exec` runs the command as it is typed, and `logs` reads the journal; all by the AWS CLI."""
    session = ["ssm", "start-session", "--region", "eu-west-1", "--target", "i-0123456789abcdef0"]
    assert run(tmp_path, production, "ssh").stdout.splitlines()[1:] == session
    asked = run(tmp_path, production, "exec", "--", "ls", "-l", "a b").stdout.splitlines()[1:]
    document = ["--document-name", "AWS-StartInteractiveCommand", "--parameters"]
    assert asked == [*session, *document, json.dumps({"command": ["ls -l 'a b'"]})]
    logs = run(tmp_path, production, "logs", "metrics", "-f", "-n", "5").stdout.splitlines()[-1]
    assert json.loads(logs) == {"command": ["sudo journalctl --no-pager -n 5 -u sre-agent-metrics.service -f"]}


def test_a_machine_without_the_aws_cli(production: Mapping[str, str], tmp_path: Path) -> None:
    """The exact command is shown, to be typed where the programs are."""
    without = {**production, "PATH": "/nowhere"}
    ended = run(tmp_path, without, "exec", "uptime")
    assert (ended.returncode, "SESSION-PROGRAM-MISSING" in ended.stderr) == (1, True), ended.stderr
    assert "aws ssm start-session --region eu-west-1 --target i-0123456789abcdef0 --document-name AWS-Start" in ended.stderr


def test_logs_that_grow(tmp_path: Path) -> None:
    """The last lines of each come first, then what is written from then on."""
    path = tmp_path / "metrics.log"
    path.write_text("one\ntwo\nthree\n")
    lines = read_lines((LogFile("metrics", path),), 2, follow=True)
    assert [next(lines), next(lines)] == [("metrics", "two"), ("metrics", "three")]
    with path.open("a") as log:
        log.write("four\n")
    assert next(lines) == ("metrics", "four")
    lines.close()
    assert [*read_lines((LogFile("metrics", path),), 1, follow=False)] == [("metrics", "four")]


@pytest.mark.parametrize("words", [("output",), ("output", "client_secret"), ("open",), ("exec", "uptime"), ("logs",)])
def test_a_local_aws_that_has_ended(words: tuple[str, ...], typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The state is no longer true, so each command says that its local AWS is gone, and what to do."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path / "folder"))
    monkeypatch.chdir(tmp_path)
    record = Record("instance", "AWS::EC2::Instance", 1, "", "ready", "2026-11-29T00:00:00Z", id="i-0123456789abcdef0")
    state = State("sre-0123456789", "111122223333", "eu-west-1", "local", "config.yaml", records={record.key: record})
    (tmp_path / ".deployment_state").write_bytes(render_state(state))
    code, _, err = typed(*words)
    assert (code, "LOCAL-AWS-GONE" in err, "Deploy again" in err) == (1, True, True), err


def test_two_deployments_of_one_name(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same name in two regions is no answer: both are shown with their ids."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path))
    for id, region in (("sre-0000000001", "eu-west-1"), ("sre-0000000002", "us-east-1")):
        record_claim(id, f"/{id}", "production", name="same", account="111122223333", region=region)
    code, out, err = typed("list", "--deployment", "sre-0000000002")
    assert (code, "sre-0000000002" in out, "sre-0000000001" in out) == (0, True, False), out + err
    code, _, err = typed("list", "--deployment", "sme")
    assert (code, "Did you mean --deployment same?" in err) == (1, True), err
    code, _, err = typed("status", "--deployment", "same")
    assert (code, "DEPLOYMENT-AMBIGUOUS" in err, "sre-0000000001" in err, "us-east-1" in err) == (1, True, True, True), err
