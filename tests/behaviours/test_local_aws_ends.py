"""The local AWS runs as long as a command or a deployment needs it, and no longer."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from behaviours.command_line import Desk
from sre_agent_deploy.account import local

NOT_RUNNING = 3


def runs(desk: Desk) -> bool:
    return desk.run("embedded_aws", "status", "--state-dir", str(desk.state_dir)).code != NOT_RUNNING


def once(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for something that a process does."""
    while not holds():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def test_a_deployment_that_is_refused(desk: Desk) -> None:
    """It stops the local AWS that it has started in vain."""
    desk.configure(aws={"vpc_id": "vpc-0123456789abcdef0", "subnet_id": "subnet-0123456789abcdef0"})
    ended = desk.deploy("deploy")
    assert (ended.code, "VPC-NOT-FOUND" in ended.err) == (1, True), ended.text
    assert not desk.state_file.exists()
    assert not runs(desk)


def test_ctrl_c_while_it_starts(desk: Desk) -> None:
    """The started process is ended, and there is no traceback."""
    process = desk.forked("sre_agent_deploy", "deploy")
    once((desk.state_dir / "embedded-aws.lock").exists, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in said) == (130, False), said
    assert not runs(desk)


def start_as_deployment(desk: Desk) -> None:
    """Start the local AWS as if a deployment had started it: what a user started is never stopped."""
    assert desk.run("embedded_aws", "start", "--no-boot", "--state-dir", str(desk.state_dir)).code == 0
    (desk.state_dir / "started-here").write_text(desk.registry()["start_id"])


def begin_deployment(desk: Desk) -> None:
    """Kill a deployment as soon as it has created something."""
    process = desk.forked("sre_agent_deploy", "deploy")
    once(lambda: "born" in _text(desk.state_file), process)
    process.kill()
    process.communicate()


def test_another_deployment_that_is_half_made(desk: Desk, tmp_path: Path) -> None:
    """Cleaning up one deployment leaves the AWS to another, however far that one is; the last cleanup stops it."""
    start_as_deployment(desk)
    other = Desk(tmp_path / "other", {"SRE_AGENT_STATE_DIR": str(desk.state_dir)})
    other.folder.mkdir()
    other.configure(name="other")
    for each in (desk, other):
        begin_deployment(each)

    cleaned = desk.deploy("cleanup", "--yes", "--json")
    assert json.loads(cleaned.out.splitlines()[-1])["aws_stopped"] is False, cleaned.text
    assert runs(desk)
    cleaned = other.deploy("cleanup", "--yes", "--json")
    assert json.loads(cleaned.out.splitlines()[-1])["aws_stopped"] is True, cleaned.text
    assert not runs(desk)
    again = other.deploy("cleanup", "--yes")
    assert (again.code, "cleaned up already" in again.out) == (0, True), again.text


def _text(file: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return file.read_text()
    return ""


def test_another_home(desk: Desk, tmp_path: Path) -> None:
    """A command that runs with another HOME says where the deployment runs; it neither calls it gone nor makes a second one."""
    assert desk.run("embedded_aws", "start", "--no-boot", "--state-dir", str(desk.state_dir)).code == 0
    begin_deployment(desk)
    before = desk.state_file.read_text()
    elsewhere = {"SRE_AGENT_STATE_DIR": str(tmp_path / "another")}
    for words in (("status",), ("verify",), ("deploy",), ("cleanup", "--yes")):
        ended = desk.deploy(*words, **elsewhere)
        assert (ended.code, "LOCAL-RUNS-ELSEWHERE" in ended.err) == (1, True), ended.text
        assert str(desk.state_dir) in ended.err
        assert f"process {desk.registry()['pid']}" in ended.err
    assert desk.state_file.read_text() == before
    assert desk.deploy("cleanup", "--yes").code == 0
    assert "cleaned up already" in desk.deploy("cleanup", "--yes", **elsewhere).out


def test_several_commands_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ends while another is at work stops nothing; the last one stops the local AWS."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(desk.state_dir))
    start_as_deployment(desk)
    first, second = local.hold_local_aws(), local.hold_local_aws()
    started = local.start_local_aws("us-east-1")
    assert isinstance(started, local.Registry)
    registry = dataclasses.replace(started, hold=first)
    assert not local.release_local_aws(registry), "another command is at work"
    second.close()
    for deployment in ("sre-1", "sre-2"):
        local.record_deployment(registry, deployment)
    local.forget_deployment("sre-1")
    assert not local.release_local_aws(registry), "a deployment is in it"
    local.forget_deployment("sre-2")
    s3 = registry.aws(registry.region).client("s3")
    s3.create_bucket(Bucket="of-another-person")
    assert not local.release_local_aws(registry), "somebody else's bucket is in it"
    s3.delete_bucket(Bucket="of-another-person")
    assert local.release_local_aws(registry)
    first.close()
    assert not runs(desk)


def test_whose_start_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start whose starter was killed before it knew the answer is this tool's, and a user's own start never is."""
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(desk.state_dir))
    note = desk.state_dir / "started-here"
    assert desk.run("embedded_aws", "start", "--no-boot", "--state-dir", str(desk.state_dir)).code == 0
    started = local.start_local_aws("us-east-1")
    assert isinstance(started, local.Registry)
    hold = local.hold_local_aws()
    users = dataclasses.replace(started, hold=hold)
    for killed_then in (note.read_text(), f"- {users.start_id}"):
        note.write_text(killed_then)
        assert not local.release_local_aws(users), "its user stops it"
    note.write_text("- earlier")
    assert local.release_local_aws(users)
    hold.close()
    assert not runs(desk)
