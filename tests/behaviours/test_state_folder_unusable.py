"""A state folder that can't be used is a Problem in both programs, and doctor says so before anything is tried."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from .command_line import Desk


@dataclass(frozen=True)
class Unusable:
    """A desk whose state folder can't be used, not even by root."""

    desk: Desk
    folder: Path
    environ: dict[str, str]


@pytest.fixture(params=["a file", "HOME in /proc"])
def unusable(request: pytest.FixtureRequest, tmp_path: Path) -> Unusable:
    (tmp_path / "file").write_text("not a folder")
    desk = Desk(tmp_path)
    desk.configure()
    variable, path = {
        "a file": ("SRE_AGENT_STATE_DIR", tmp_path / "file"),
        "HOME in /proc": ("HOME", Path("/proc/state")),
    }[request.param]
    environ = {"SRE_AGENT_STATE_DIR": "", "XDG_STATE_HOME": "", variable: str(path)}
    return Unusable(desk, path if variable != "HOME" else path / ".local" / "state" / "sre-agent", environ)


def test_commands_that_write_there(unusable: Unusable) -> None:
    """They name the folder, the reason and the variable to change, and touch nothing; doctor reports the same beforehand."""
    before = {path: path.lstat().st_mtime_ns for path in unusable.desk.folder.iterdir()}
    for words in ("plan", "set name other"):
        ended = unusable.desk.deploy(*words.split(), **unusable.environ)
        assert ended.code == 1
        assert f"STATE-FOLDER-UNUSABLE: The state folder {unusable.folder} can't be used." in ended.err
        assert "export SRE_AGENT_STATE_DIR=" in ended.err
    doctor = unusable.desk.deploy("doctor", "--json", **unusable.environ)
    (found,) = [finding for finding in json.loads(doctor.out)["findings"] if finding["name"] == "state folder"]
    assert (doctor.code, found["status"], found["problem"]["code"]) == (1, "wrong", "STATE-FOLDER-UNUSABLE")
    assert {path: path.lstat().st_mtime_ns for path in unusable.desk.folder.iterdir()} == before


def test_the_assistants_program(unusable: Unusable) -> None:
    """`sre-agent` does not say that there is no deployment where it can't look for one; in /proc there is none to find."""
    ended = unusable.desk.agent("--prompt", "What is wrong?", **unusable.environ)
    code = "NO-DEPLOYMENT: " if str(unusable.folder).startswith("/proc") else "STATE-FOLDER-UNUSABLE: "
    assert (ended.code, code in ended.err, "Traceback" in ended.err) == (1, True, False), ended.text
