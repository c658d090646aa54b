"""A state file that is damaged, too new, not writable or edited: a Problem, an unchanged file, and nothing created or deleted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from behaviours import lister
from behaviours.command_line import Desk, Ended

MAKING = ("deploy", "resume", "cleanup --yes")
LOOKING = ("status", "plan", "verify", "history")
TESTS = str(Path(__file__).parents[1])


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A deployment whose instance runs nothing: only its resources and its state count."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    desk.configure()
    desk.start_aws("--no-boot")
    assert "NOT verified" in desk.deploy("deploy").out
    yield desk
    desk.close()


@pytest.fixture
def good(deployed: Desk) -> Iterator[dict[str, Any]]:
    """The good state, which is put back afterwards."""
    before = deployed.state_file.read_bytes()
    document = json.loads(before)
    # What was edited on purpose has no checksum.
    del document["checksum"]
    yield document
    deployed.state_file.write_bytes(before)


def truncated(state: dict[str, Any]) -> bytes:
    return json.dumps(state).encode()[:3000]


def too_new(state: dict[str, Any]) -> bytes:
    return json.dumps({**state, "schema": 99}).encode()


def mistyped(state: dict[str, Any]) -> bytes:
    return json.dumps({**state, "aws": "the other one"}).encode()


@pytest.mark.parametrize(("trouble", "code"), [(truncated, "STATE-DAMAGED"), (too_new, "STATE-TOO-NEW"), (mistyped, "STATE-DAMAGED")])
def test_a_file_that_is_not_understood(deployed: Desk, good: dict[str, Any], trouble: Callable[[Any], bytes], code: str) -> None:
    """Every command reports it, and none continues as if there were no state."""
    deployed.state_file.write_bytes(trouble(good))
    there = lister.everything(deployed.client)
    for words in (*MAKING, *LOOKING):
        ended = deployed.deploy(*words.split())
        assert (ended.code, f"{code}: " in ended.err) == (1, True), (words, ended.text)
        assert deployed.state_file.read_bytes() == trouble(good), words
    assert lister.everything(deployed.client) == there


def test_a_state_that_names_a_resource_of_another_owner(deployed: Desk, good: dict[str, Any]) -> None:
    """A resource without the deployment's tag is neither changed nor deleted, with any content of the file; the last lines say what
    stays."""
    deployed.client("s3").create_bucket(Bucket="somebody-elses")
    theirs = deployed.client("cognito-idp").create_user_pool(PoolName="theirs")["UserPool"]["Id"]
    good["records"]["bucket-1"]["id"], good["records"]["user_pool-1"]["id"] = "somebody-elses", theirs
    deployed.state_file.write_text(json.dumps(good))
    there = lister.everything(deployed.client)
    for words in ("plan", "deploy --yes", "resume --yes"):
        ended = deployed.deploy(*words.split())
        assert (ended.code, ended.err.count("EXISTS-NOT-OURS: ")) == (1, 2), (words, ended.text)
    assert lister.everything(deployed.client) == there
    assert "somebody-elses" in deployed.deploy("status").out


def limited(desk: Desk, size: int, *words: str) -> Ended:
    """A command that can write no file longer than this, as on a disk that is nearly full."""
    return desk.run("behaviours.limited", str(size), *words, PYTHONPATH=TESTS)


def test_a_disk_that_fills_up(desk: Desk) -> None:
    """The run stops at the step that it can't record; what was created is recorded, so the next run ends with one of each."""
    desk.start_aws("--no-boot")
    before = lister.everything(desk.client)
    assert desk.deploy("plan").code == 2  # creates the local CA, which has to fit on the disk, too
    ended = limited(desk, 4096, "deploy")
    assert (ended.code, "STATE-NOT-SAVED: " in ended.err, "Traceback" in ended.err) == (1, True, False), ended.text
    state = json.loads(desk.state_file.read_text())
    assert 0 < len(state["records"]) < 29
    # Nothing half written stays: only the lock's file, and the generation before.
    assert [path.name for path in desk.folder.glob(".*deployment_state.*") if path.suffix not in (".lock", ".backup")] == []

    assert "NOT verified" in desk.deploy("resume").out
    made = lister.everything(desk.client)
    assert [len(made[kind]) for kind in ("buckets", "pools", "roles", "instances", "addresses")] == [1, 1, 2, 1, 1], made
    cleaned = limited(desk, 64, "cleanup", "--yes")
    assert (cleaned.code, "Traceback" in cleaned.err) == (1, False), cleaned.text
    assert lister.everything(desk.client) == made, "nothing is deleted that can't be written down"
    assert desk.deploy("cleanup", "--yes").code == 0
    assert lister.everything(desk.client) == before


def test_a_place_that_is_read_only(deployed: Desk, good: dict[str, Any]) -> None:
    """The problem names the file that the user may not write, and the commands that only read still work."""
    folder = deployed.folder / "read-only"
    folder.mkdir()
    (folder / ".deployment_state").write_text(json.dumps(good))
    folder.chmod(0o555)
    there = lister.everything(deployed.client)
    for words in MAKING:
        ended = without_roots_rights(deployed, *words.split(), "--state-file", "read-only/.deployment_state")
        assert (ended.code, "FILE-REFUSED: " in ended.err, str(folder) in ended.err) == (1, True, True), (words, ended.text)
    assert without_roots_rights(deployed, "status", "--state-file", "read-only/.deployment_state").code == 0
    assert lister.everything(deployed.client) == there
    assert [path.name for path in folder.iterdir()] == [".deployment_state"]


def without_roots_rights(desk: Desk, *words: str) -> Ended:
    """A command that file modes apply to, even when root runs the tests."""
    return desk.run("behaviours.unprivileged", *words, PYTHONPATH=TESTS)
