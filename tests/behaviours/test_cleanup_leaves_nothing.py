"""Cleanup takes a deployment back to nothing, with or without its state file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil

from behaviours import lister
from behaviours.command_line import Desk


def _processes(desk: Desk) -> list[str]:
    """List every process of this desk: each has the desk's folder in its arguments, its environment or its open files."""
    mine = []
    for process in psutil.process_iter(["pid", "cmdline", "environ"]):
        texts = " ".join(process.info["cmdline"] or []) + " ".join((process.info["environ"] or {}).values())
        if str(desk.folder) in texts and process.info["pid"] != os.getpid():
            mine.append(f"{process.info['pid']}: {' '.join(process.info['cmdline'] or [])}")
    return mine


def test_cleanup_after_a_deployment(desk: Desk) -> None:
    """Unfiltered listings show exactly what was there before, no instance process is left, and the same id deploys again."""
    desk.start_aws()
    before = lister.everything(desk.client)
    assert desk.deploy("deploy").code == 0
    assert lister.everything(desk.client) != before
    assert len(_processes(desk)) > 5

    ended = desk.deploy("cleanup", "--yes")
    assert ended.code == 0, ended.text
    assert lister.everything(desk.client) == before
    assert len(_processes(desk)) == 1, "only the AWS that the test itself started"

    again = desk.deploy("deploy")
    assert again.code == 0, again.text


def test_cleanup_without_the_state_file(desk: Desk) -> None:
    """The tags are enough; and the AWS that the deployment itself started ends with it."""
    assert desk.deploy("deploy").code == 0
    deployment = next(desk.state_dir.glob("connections/sre-*.json")).stem
    desk.state_file.unlink()
    ended = desk.deploy("--cleanup", "--deployment-id", deployment, "--mode", "local", "--yes")
    assert ended.code == 0, ended.text
    assert not _processes(desk)
    assert not list(desk.state_dir.glob("connections/*"))


def test_cleanup_of_a_deployment_of_another_owner(desk: Desk) -> None:
    """A state file that was edited to name another owner's bucket deletes nothing of theirs, and says so."""
    desk.start_aws("--no-boot")
    assert "NOT verified" in desk.deploy("deploy").out
    s3 = desk.client("s3")
    s3.create_bucket(Bucket="somebody-elses")
    s3.put_object(Bucket="somebody-elses", Key="precious", Body=b"data")
    text = desk.state_file.read_text()
    bucket = next(name for name in lister.storage(desk.client)["buckets"] if name.startswith("sre-"))
    edited = json.loads(text.replace(f'"id": "{bucket}"', '"id": "somebody-elses"'))
    del edited["checksum"]
    desk.state_file.write_text(json.dumps(edited))

    shown = desk.deploy("cleanup", "--dry-run")
    assert (shown.code, "CLEANUP-NOT-OURS" in shown.err, "somebody-elses" in shown.out) == (1, True, False), shown.text
    ended = desk.deploy("cleanup", "--yes")
    assert ended.code == 1
    assert "CLEANUP-NOT-OURS" in ended.err
    assert s3.get_object(Bucket="somebody-elses", Key="precious")["Body"].read() == b"data"


def test_cleanup_of_what_never_was(desk: Desk) -> None:
    """An unknown id deletes nothing and is not reported as a success."""
    desk.start_aws("--no-boot")
    ended = desk.deploy("cleanup", "--deployment-id", "sre-0000000000", "--mode", "local")
    assert ended.code == 0, ended.text
    assert "Nothing of deployment sre-0000000000 was found" in ended.out


def test_two_folders_deploy_the_same_at_once(desk: Desk, tmp_path: Path) -> None:
    """The same deployment from another folder, with another state file, waits for its turn instead of making things twice."""
    other = Desk(tmp_path / "other", {"SRE_AGENT_STATE_DIR": str(desk.state_dir)})
    other.folder.mkdir()
    other.configure()
    first, second = desk.forked("sre_agent_deploy", "deploy"), other.forked("sre_agent_deploy", "deploy")
    said = [process.communicate(timeout=240) for process in (first, second)]
    codes = sorted((first.returncode, second.returncode))
    assert codes == [0, 1], said
    assert any("STATE-LOCKED" in err for _, err in said)
    assert len(lister.login(desk.client)["pools"]) == 1
    assert desk.deploy("cleanup", "--yes").code == 0 or other.deploy("cleanup", "--yes").code == 0
