"""Starting and ending: one AWS per state folder, found by its registry, and gone when it is gone."""

from __future__ import annotations

import json
import os
import signal
import ssl
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from embedded_aws.instances import short_folder
from fixtures import preloaded

SOURCE = Path(__file__).parents[2] / "src"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE)}


def run(command: str, state_dir: Path, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = preloaded.command("embedded_aws", command, "--state-dir", str(state_dir), *more)
    return subprocess.run(arguments, capture_output=True, text=True, env=ENVIRONMENT, timeout=120, check=False)


def started(state_dir: Path) -> dict[str, Any]:
    done = run("start", state_dir)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    run("stop", folder)


def test_from_start_to_stop(state_dir: Path) -> None:
    """It is found, not started twice, says how it is, and leaves no process and no key behind."""
    first = started(state_dir)
    process = psutil.Process(first["pid"])
    file = state_dir / "embedded-aws.json"

    assert json.loads(file.read_text()) == first == started(state_dir)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(state_dir.stat().st_mode) == 0o700
    assert process.ppid() != os.getpid(), "it belongs to nobody"
    assert os.getsid(first["pid"]) != os.getsid(0), "closing the terminal does not end it"
    status = run("status", state_dir)
    assert (status.returncode, status.stdout.split(":")[0]) == (0, "running")
    assert first["secret_access_key"] not in " ".join(process.cmdline()) + (state_dir / "embedded-aws.log").read_text() + status.stdout
    assert not [path for path in state_dir.rglob("*") if path.is_file() and "PRIVATE KEY" in path.read_text(errors="replace")]

    assert run("stop", state_dir).returncode == 0
    assert ended(process)
    assert not file.exists()
    assert not list(state_dir.glob("start-*"))
    assert run("status", state_dir).returncode == 3
    assert run("stop", state_dir).returncode == 0


def ended(process: psutil.Process) -> bool:
    """Gone, or only waiting for the system's init to notice."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_refusals_are_events_in_its_log(state_dir: Path) -> None:
    """Each is one line with reason and client, and without query string or key."""
    registry = started(state_dir)
    trusted = ssl.create_default_context(cafile=registry["ca_file"])
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{registry['endpoint']}/bucket/key?token=hidden", context=trusted)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(urllib.request.Request(registry["endpoint"], headers={"Origin": "https://evil.example"}), context=trusted)
    lines = (state_dir / "embedded-aws.log").read_text().splitlines()
    events = [json.loads(line) for line in lines if "security.access_denied" in line]

    assert [event["status_detail"] for event in events] == ["missing_signature", "from_a_web_page"]
    assert events[0]["http_request"]["url"]["path"] == "/bucket/key"
    assert {event["src_endpoint"]["ip"] for event in events} == {"127.0.0.1"}
    assert [event["class_uid"] for event in events] == [3002, 6003]


def test_two_starts_at_once_find_the_same_one(state_dir: Path) -> None:
    """The second start uses what the first started."""
    arguments = [sys.executable, "-m", "embedded_aws", "start", "--state-dir", str(state_dir)]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in both]

    assert [process.returncode for process in both] == [0, 0], answers
    assert len({json.loads(output)["pid"] for output, _ in answers}) == 1
    assert len({json.loads(output)["start_id"] for output, _ in answers}) == 1


def test_after_a_kill_status_says_so_and_another_start_is_another_aws(state_dir: Path) -> None:
    """The content of memory is lost, and every command reports that."""
    first = started(state_dir)
    os.kill(first["pid"], signal.SIGKILL)
    status = run("status", state_dir)

    assert status.returncode == 3
    assert status.stdout.strip() == "died"
    assert "EMBEDDED-AWS-NOT-RUNNING" in status.stderr
    assert run("env", state_dir).returncode == 3
    second = started(state_dir)
    assert second["start_id"] != first["start_id"]
    assert second["access_key_id"] != first["access_key_id"]
    assert [folder.name for folder in state_dir.glob("start-*")] == [f"start-{second['start_id']}"]


def test_after_a_kill_stop_leaves_nothing(state_dir: Path, tmp_path: Path) -> None:
    """`stop` deletes what a killed AWS left on the disk: instances with their credentials, sockets among the temporary files."""
    first = started(state_dir)
    os.kill(first["pid"], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first["pid"])] if psutil.pid_exists(first["pid"]) else [], timeout=120)
    instance = state_dir / f"start-{first['start_id']}" / "instances" / "i-1"
    instance.mkdir(parents=True)
    # Entering and never leaving is what being killed comes to.
    killed = short_folder.short_folder_for(instance, tmp_path)
    left = killed.__enter__()
    (left / "logs.sock").touch()
    (instance / "sockets-in-ec2-elsewhere").symlink_to(SOURCE)
    assert run("stop", state_dir).returncode == 0
    assert not left.exists()
    assert SOURCE.is_dir()
    assert not list(state_dir.glob("start-*"))
    assert not (state_dir / "embedded-aws.json").exists()


def test_a_reused_process_number_is_neither_believed_nor_killed(state_dir: Path) -> None:
    """A registry whose process is another one by now says that its own died."""
    state_dir.mkdir()
    with subprocess.Popen(["sleep", "60"]) as innocent:
        forge(state_dir, pid=innocent.pid, process_started="1")

        assert run("status", state_dir).stdout.strip() == "died"
        assert run("stop", state_dir).returncode == 0
        assert innocent.poll() is None
        innocent.kill()


def test_after_a_reboot_status_says_so(state_dir: Path) -> None:
    """A registry of another boot is not this boot's."""
    state_dir.mkdir()
    forge(state_dir, boot_id="another boot")

    assert run("status", state_dir).stdout.strip() == "gone with a reboot"


def forge(state_dir: Path, **changed: object) -> None:
    from sre_core.process import Identity

    mine = Identity.mine()
    document = {
        "schema": 1,
        "start_id": "0123456789abcdef",
        "pid": mine.pid,
        "process_started": mine.process_started,
        "boot_id": mine.boot_id,
        "started_at": "2026-11-22T14:35:40Z",
        "endpoint": "https://127.0.0.1:1",
        "ca_file": str(state_dir / "ca.pem"),
        "log_file": str(state_dir / "embedded-aws.log"),
        "account_id": "123456789012",
        "region": "us-east-1",
        "access_key_id": "AKIA",
        "secret_access_key": "secret",
        **changed,
    }
    (state_dir / "embedded-aws.json").write_text(json.dumps(document))


@pytest.mark.parametrize("text", ['{"schema": 1, "pid"', "[]", '{"schema": 2}', '{"schema": 1}'])
def test_a_damaged_registry_is_nothing(state_dir: Path, text: str) -> None:
    """Half a file, or another program's, is no AWS; the next start writes a whole one."""
    state_dir.mkdir()
    (state_dir / "embedded-aws.json").write_text(text)

    assert run("status", state_dir).stdout.strip() == "stopped"


def test_what_ends_it_at_start_is_shown(state_dir: Path) -> None:
    """The error is on the terminal, not only in a log."""
    state_dir.mkdir()
    (state_dir / "ca.pem").mkdir()  # where the certificate should be written
    done = run("start", state_dir)
    (state_dir / "ca.pem").rmdir()

    assert done.returncode == 1
    assert "EMBEDDED-AWS-DIED-AT-START" in done.stderr
    assert "ca.pem" in done.stderr


def test_a_folder_that_can_not_be_made_is_a_problem(tmp_path: Path) -> None:
    """No traceback: what, why, and what to do."""
    (tmp_path / "file").touch()
    done = run("start", tmp_path / "file" / "state")

    assert done.returncode == 1
    assert done.stderr.startswith("EMBEDDED-AWS-NO-STATE-DIR")


def test_another_region_is_refused(state_dir: Path) -> None:
    """One start has one region: a request for another is refused by name, and not answered with the wrong one."""
    done = run("start", state_dir, "--region", "eu-west-1")
    registry = json.loads(done.stdout)
    aws = boto3.session.Session().client(
        "ssm",
        endpoint_url=registry["endpoint"],
        verify=registry["ca_file"],
        region_name=registry["region"],
        aws_access_key_id=registry["access_key_id"],
        aws_secret_access_key=registry["secret_access_key"],
    )
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"

    assert registry["region"] == "eu-west-1"
    assert aws.get_parameter(Name=name)["Parameter"]["Value"].startswith("ami-")
    assert "EMBEDDED-AWS-OTHER-REGION" in run("start", state_dir, "--region", "us-west-2").stderr
    assert json.loads(run("start", state_dir).stdout)["start_id"] == registry["start_id"]
    assert "EMBEDDED-AWS-ALREADY-RUNNING" in run("serve", state_dir).stderr
