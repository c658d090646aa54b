"""The state file: whole or not at all, and never overwritten when it is not understood."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sre_agent_deploy.journal.file_store import FileStore
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.migrations import SCHEMA
from sre_agent_deploy.journal.record import State
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

STATE = State("sre-1", "123456789012", "us-east-1", "local", "/config.yaml", {"endpoint": "", "start_id": ""})


def journal(path: Path) -> Journal:
    return Journal(FileStore(path), STATE)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """Every step is in the file when the call returns, readable only by its owner."""
    path = tmp_path / "state"
    written = journal(path)
    written.began("deploy")
    born = written.reached(written.intend("bucket", "AWS::S3::Bucket", 1), "born", id="b-1")
    written.reached(born, "ready", outputs={"arn": "arn:b", "key": Secret("hush")})
    loaded = FileStore(path).load()
    assert loaded == written.state
    assert isinstance(loaded, State)
    assert loaded.records["bucket-1"].outputs == {"arn": "arn:b"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hush" not in path.read_text()


def test_an_open_intent_keeps_its_token(tmp_path: Path) -> None:
    """Sending a birth again is safe because it is the same birth; after it is gone, another one is another birth."""
    written = journal(tmp_path / "state")
    first = written.intend("gateway", "K", 1)
    assert written.intend("gateway", "K", 1).token == first.token
    written.reached(first, "gone")
    second = written.intend("gateway", "K", 1)
    assert second.token != first.token
    written.reached(written.reached(second, "born", id="g-1"), "dying")
    third = written.intend("gateway", "K", 1)
    assert (third.token != second.token, third.phase, third.id) == (True, "intended", "")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "STATE-DAMAGED"),
        (b"{", "STATE-DAMAGED"),
        (b"\xff\xfe\x00", "STATE-DAMAGED"),
        (b"[]", "STATE-DAMAGED"),
        (b'{"schema": 1}', "STATE-DAMAGED"),
        (json.dumps({**STATE.to_json(), "records": {"x": {"phase": "odd"}}}).encode(), "STATE-DAMAGED"),
        (json.dumps({**STATE.to_json(), "schema": SCHEMA + 1}).encode(), "STATE-TOO-NEW"),
    ],
)
def test_a_file_that_is_not_understood(tmp_path: Path, content: bytes, code: str) -> None:
    """It is a Problem with a next step, and the file stays as it is."""
    path = tmp_path / "state"
    path.write_bytes(content)
    problem = FileStore(path).load()
    assert isinstance(problem, Problem)
    assert problem.code == code
    assert path.read_bytes() == content


def test_a_file_that_can_not_be_saved(tmp_path: Path) -> None:
    """Saving fails loudly before anything is made unrecorded; the old file is intact and no rest is left."""
    path = tmp_path / "state"
    written = journal(path)
    written.began("deploy")
    before = path.read_bytes()
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(Refused) as refused:
        Journal(FileStore(blocked / "state"), written.state).began("again")
    assert refused.value.problems[0].code == "STATE-NOT-SAVED"
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "state"]
