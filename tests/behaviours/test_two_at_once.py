"""Of two commands for one deployment at once, one works, and the other names the owner, its start and host, and what to do."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator

import pytest

from behaviours.command_line import Desk
from sre_agent_deploy.journal.lock import hold_lock
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.journal.store import FileStore

WHO = f"on {socket.gethostname()} (process {os.getpid()}) runs `deploy` since 20"


@pytest.fixture(scope="module")
def worked_on(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A deployment that has begun, and whose lock another process (this one) holds."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.configure()
    desk.start_aws("--no-boot")
    registry = desk.registry()
    origin = {"endpoint": registry["endpoint"], "start_id": registry["start_id"]}
    state = State("sre-8eaf38c98a", registry["account_id"], registry["region"], "local", str(desk.folder / "config.yaml"), origin)
    begun = Record("bucket", "AWS::S3::Bucket", 1, "token", "intended", "2026-11-22T15:00:00Z")
    FileStore(desk.state_file).save(state.with_record(begun))
    with hold_lock(desk.state_file, "deploy"):
        yield desk
    desk.close()


@pytest.mark.parametrize("words", ["deploy", "resume", "cleanup --yes", "deploy --json"])
def test_a_second_writer(worked_on: Desk, words: str) -> None:
    """It is refused before it changes anything, and says what to do."""
    before = worked_on.state_file.read_bytes()
    ended = worked_on.deploy(*words.split())
    assert ended.code == 1, ended.text
    assert "STATE-LOCKED" in ended.text
    assert WHO in ended.text
    assert "Wait until it ends" in ended.text
    if "--json" in words:
        assert json.loads(ended.out.splitlines()[-1])["problem"]["code"] == "STATE-LOCKED"
    assert worked_on.state_file.read_bytes() == before


@pytest.mark.parametrize("words", ["status", "plan", "verify"])
def test_commands_that_only_read(worked_on: Desk, words: str) -> None:
    """It shows the resources, and that another process changes them."""
    ended = worked_on.deploy(words)
    assert "At work now: " in ended.text
    assert WHO in ended.text
    assert "STATE-LOCKED" not in ended.text


def test_a_lock_of_a_living_owner(worked_on: Desk) -> None:
    """The lock can't be taken away, and the owner's process number is shown."""
    ended = worked_on.deploy("unlock", "--yes")
    assert (ended.code, "UNLOCK-OWNER-ALIVE" in ended.err, f"kill {os.getpid()}" in ended.err) == (1, True, True)


def test_settings_for_the_next_run(worked_on: Desk) -> None:
    """The file of the configuration is the user's: it can be edited meanwhile."""
    assert worked_on.deploy("set", "deployment.instance_type", "t3.2xlarge").code == 0
