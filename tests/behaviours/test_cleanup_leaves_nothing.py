"""Cleanup takes a deployment back to nothing, after which the same can be deployed again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from behaviours import lister
from behaviours.command_line import Desk


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One desk for tests that each deploy the same and clean up: each but the first deploys again."""
    desk = Desk(tmp_path_factory.mktemp("shared"))
    desk.configure()
    yield desk
    desk.close()


def test_status_and_cleanup_after_the_aws_was_killed(shared: Desk) -> None:
    """After kill -9 of the daemon `status` says so and what to do, and `cleanup` leaves nothing on the disk; the next test deploys."""
    assert shared.deploy("deploy").code == 0
    refused = shared.deploy("cleanup")
    assert (refused.code, "CLEANUP-UNCONFIRMED" in refused.err) == (1, True)
    os.kill(shared.registry()["pid"], signal.SIGKILL)
    ended = shared.deploy("status")
    assert ended.code == 1
    assert "LOCAL-AWS-GONE" in ended.err
    assert "sre-agent-deploy deploy" in ended.err
    assert "LOCAL-AWS-GONE" in shared.deploy("cleanup", "--yes").err
    assert not list(shared.state_dir.glob("start-*")), "the disks of its instances, with their credentials"
    assert not list((shared.state_dir / "connections").glob("*.json"))
    assert not shared.registry_file.exists()


def test_cleanup_after_a_deployment(shared: Desk) -> None:
    """Unfiltered listings show exactly what was there before, and no instance process is left; the next test deploys the same id again."""
    shared.start_aws()
    before = lister.everything(shared.client)
    assert shared.deploy("deploy").code == 0
    assert lister.everything(shared.client) != before
    assert len(shared.processes()) > 5

    ended = shared.deploy("cleanup", "--yes")
    assert ended.code == 0, ended.text
    assert lister.everything(shared.client) == before
    assert len(shared.processes()) == 1, "only the AWS that the test itself started"


def test_two_folders_deploy_the_same_at_once(shared: Desk, tmp_path: Path) -> None:
    """The same deployment from another folder, with another state file, waits for its turn instead of making things twice.

    Its id is that of the deployments that were cleaned up before.
    """
    other = Desk(tmp_path / "other", {"SRE_AGENT_STATE_DIR": str(shared.state_dir)})
    other.folder.mkdir()
    other.configure()
    first, second = shared.forked("sre_agent_deploy", "deploy"), other.forked("sre_agent_deploy", "deploy")
    said = [process.communicate(timeout=240) for process in (first, second)]
    codes = sorted((first.returncode, second.returncode))
    assert codes == [0, 1], said
    assert any("STATE-LOCKED" in err for _, err in said)
    assert len(lister.login(shared.client)["pools"]) == 1
    assert shared.deploy("cleanup", "--yes").code == 0 or other.deploy("cleanup", "--yes").code == 0


def test_cleanup_of_what_never_was(desk: Desk) -> None:
    """An unknown id deletes nothing and is not reported as a success."""
    desk.start_aws("--no-boot")
    ended = desk.deploy("cleanup", "--deployment-id", "sre-0000000000", "--mode", "local")
    assert ended.code == 0, ended.text
    assert "Nothing of deployment sre-0000000000 was found" in ended.out
