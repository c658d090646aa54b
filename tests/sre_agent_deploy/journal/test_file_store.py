"""The state file is complete or absent, and never overwritten when it can't be read."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.sample import sample
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import SCHEMA, State
from sre_agent_deploy.journal.store import FileStore
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

STATE = State("sre-1", "123456789012", "us-east-1", "local", "/config.yaml", {"endpoint": "", "start_id": ""})

# Dies when the new file is complete and is about to replace the old one.
KILLED_WHILE_SAVING = """
import os, signal, sys
from pathlib import Path
from sre_agent_deploy.journal.store import FileStore

sys.addaudithook(lambda event, _: os.kill(os.getpid(), signal.SIGKILL) if event == "os.rename" else None)
FileStore(Path(sys.argv[1])).save(FileStore(Path(sys.argv[1])).load())
"""

# Stops at the chosen one of the file operations of a save; says how the save ended.
STOPPED_WHILE_SAVING = """
import itertools, os, signal, sys
from pathlib import Path
from sre_agent_deploy.journal.store import FileStore
from sre_core.problem import Refused

store, chosen, operations = FileStore(Path(sys.argv[1])), int(sys.argv[2]), itertools.count()

def stop(event, arguments):
    if event in ("open", "os.link", "os.rename", "os.remove", "fcntl.flock") and next(operations) == chosen:
        os.kill(os.getpid(), signal.SIGSTOP)

with store.lock("deploy"):
    state = store.load()
    sys.addaudithook(stop)
    try:
        store.save(state)
        print("saved before")
    except Refused as refused:
        print(*(problem.code for problem in refused.problems))
"""


def journal(path: Path) -> Journal:
    return Journal(FileStore(path), STATE)


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """Every step is in the file when the call returns, readable only by its owner."""
    path = tmp_path / "state"
    written = journal(path)
    written.begin_run("deploy")
    born = written.record_phase(written.record_intent("bucket", "AWS::S3::Bucket", 1), "born", id="b-1")
    written.record_phase(born, "ready", outputs={"arn": "arn:b", "key": Secret("hush")})
    loaded = FileStore(path).load()
    assert loaded == written.state
    assert isinstance(loaded, State)
    assert loaded.records["bucket-1"].outputs == {"arn": "arn:b"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert "hush" not in path.read_text()


def test_an_open_intent_keeps_its_token(tmp_path: Path) -> None:
    """A creation that is sent again has the same token; after the resource is gone, a new creation has a new one."""
    written = journal(tmp_path / "state")
    first = written.record_intent("gateway", "K", 1)
    assert written.record_intent("gateway", "K", 1).token == first.token
    written.record_phase(first, "gone")
    second = written.record_intent("gateway", "K", 1)
    assert second.token != first.token
    written.record_phase(written.record_phase(second, "born", id="g-1"), "dying")
    third = written.record_intent("gateway", "K", 1)
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
    """It is a Problem with a next step, and the file is not changed."""
    path = tmp_path / "state"
    path.write_bytes(content)
    problem = FileStore(path).load()
    assert isinstance(problem, Problem)
    assert problem.code == code
    assert path.read_bytes() == content


def test_what_a_save_left_that_was_killed(tmp_path: Path) -> None:
    """The old file is intact, and the next save deletes the leftover: nothing stays beside the state."""
    path = tmp_path / "state"
    FileStore(path).save(STATE)
    before = path.read_bytes()
    ended = subprocess.run([sys.executable, "-c", KILLED_WHILE_SAVING, path], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    FileStore(path).save(STATE)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_a_file_that_can_not_be_saved(tmp_path: Path) -> None:
    """Saving raises before anything is created without a record; the old file is intact, and no leftover stays."""
    path = tmp_path / "state"
    written = journal(path)
    written.begin_run("deploy")
    before = path.read_bytes()
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(Refused) as refused:
        Journal(FileStore(blocked / "state"), written.state).begin_run("again")
    assert refused.value.problems[0].code == "STATE-NOT-SAVED"
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "state"]


@pytest.fixture
def saved(tmp_path: Path) -> FileStore:
    """A state that was saved several times."""
    written = journal(tmp_path / "state")
    written.begin_run("deploy")
    written.record_phase(written.record_intent("bucket", "AWS::S3::Bucket", 1), "born", id="b-1")
    written.end_run("applied")
    return FileStore(tmp_path / "state")


def test_every_flipped_bit_and_every_cut(saved: FileStore) -> None:
    """Each damage is detected, and nothing is lost: the last good generation is kept beside the file, and offered."""
    good = saved.path.read_bytes()
    positions = sample(range(len(good)), 60)
    damaged = [good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :] for at in positions for bit in range(8)]
    for content in (*damaged, *(good[:at] for at in positions), good + b" ", good + good):
        saved.path.write_bytes(content)
        problem = saved.load()
        assert isinstance(problem, Problem), content
        assert problem.code in ("STATE-DAMAGED", "STATE-TOO-NEW")
        assert problem.code != "STATE-DAMAGED" or f"cp {saved.backup} {saved.path}" in problem.do[0]
        assert saved.path.read_bytes() == content
    shutil.copy(saved.backup, saved.path)
    before = saved.load()
    assert isinstance(before, State)
    assert before.records["bucket-1"].id == "b-1"
    assert (before.serial, before.runs[-1].result) == (3, "")
    saved.path.write_bytes(good)
    last = saved.load()
    assert isinstance(last, State)
    assert (last.serial, last.lineage, last.runs[-1].result) == (4, before.lineage, "applied")


def test_a_state_that_was_edited_on_purpose(saved: FileStore) -> None:
    """It is refused, and accepted once its checksum is taken out."""
    document = json.loads(saved.path.read_text())
    document["verified_at"] = "2026-11-29T00:00:00Z"
    saved.path.write_text(json.dumps(document))
    problem = saved.load()
    assert isinstance(problem, Problem)
    assert "checksum" in str(problem.do)
    del document["checksum"]
    saved.path.write_text(json.dumps(document))
    assert isinstance(saved.load(), State)


def test_a_file_that_another_program_wrote(saved: FileStore) -> None:
    """It is not overwritten by a run that has read it before."""
    state = saved.load()
    assert isinstance(state, State)
    saved.path.write_bytes(b"another")
    with pytest.raises(Refused, match="STATE-CHANGED"):
        saved.save(state)
    assert saved.path.read_bytes() == b"another"


def test_a_state_file_that_is_a_link(saved: FileStore, tmp_path: Path) -> None:
    """It stays one, its lock is that of the file it leads to, and so is its last generation."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = elsewhere / "state"
    link.symlink_to(saved.path)
    through = FileStore(link)
    state = through.load()
    assert isinstance(state, State)
    with through.lock("deploy"):
        assert saved.lock_owner()
        Journal(through, state).begin_run("again")
    assert (link.is_symlink(), [entry.name for entry in elsewhere.iterdir()]) == (True, ["state"])
    assert saved.load() == through.load() != state


def test_a_run_that_is_stopped_while_it_saves(tmp_path: Path) -> None:
    """Another run takes the lock over and saves: if the first was stopped at any operation before its rename, that state stays."""
    ended = [_stop_at(operation, tmp_path / f"{operation}" / "state") for operation in range(10)]
    assert ended == ["LOCK-LOST"] * 9 + ["saved before"]


def _stop_at(operation: int, path: Path) -> str:
    """Return how a run ended that was stopped at this operation, and woken after another had saved."""
    journal(path).begin_run("deploy")
    command = [sys.executable, "-c", STOPPED_WHILE_SAVING, str(path), f"{operation}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        os.waitid(os.P_PID, first.pid, os.WSTOPPED | os.WNOWAIT)
        second = FileStore(path)
        assert second.unlock()
        with second.lock("deploy"):
            loaded = second.load()
            assert isinstance(loaded, State)
            Journal(second, loaded).begin_run("cleanup")
        saved = path.read_bytes()
        first.send_signal(signal.SIGCONT)
        said = first.communicate()[0].strip()
    return said if path.read_bytes() == saved else f"{said}, and it replaced the state"
