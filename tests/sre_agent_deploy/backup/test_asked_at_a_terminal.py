"""A person decides conflicts at a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from fixtures.kept_files import Folder

MINE = "version: 1\nmode: local\nname: mine  # my own\ndeployment:\n  volume_gb: 80\ntags: {a: b}\n"
THEIRS = "version: 1\nmode: local\nname: theirs\ndeployment:\n  volume_gb: 60\n"


def at_a_terminal(words: list[str], answers: str) -> tuple[int, str]:
    """Run a command with a terminal as its stdin and stdout, and type the answers."""
    ours, its = pty.openpty()
    command = subprocess.Popen([sys.executable, "-m", "sre_agent_deploy", *words], stdin=its, stdout=its, stderr=its)
    os.close(its)
    os.write(ours, answers.encode())
    seen = b""
    try:
        while chunk := os.read(ours, 4096):
            seen += chunk
    except OSError:
        pass  # the other end of a terminal closes like this
    os.close(ours)
    return command.wait(60), seen.decode()


@pytest.mark.parametrize(
    ("answers", "code", "expected"),
    [
        ("m\nt\nm\n", 0, MINE.replace("80", "60")),
        ("t\nm\nt\n", 0, MINE.replace("name: mine", "name: theirs").replace("{a: b}", '{a: ""}')),
        ("T\n", 0, THEIRS),
        ("t\na\n", 1, MINE),
        ("what?\nM\n", 0, MINE),
    ],
)
def test_each_conflict_is_decided(folder: Folder, answers: str, code: int, expected: str) -> None:
    """The user chooses mine or theirs for each value, or for all that follow; own comments stay; abort leaves the file as it is."""
    folder.write("config.yaml", THEIRS)
    folder.run("backup", "--output", "b.zip")
    folder.write("config.yaml", MINE)
    ended, seen = at_a_terminal(["restore", "b.zip"], answers)
    assert (ended, folder.config.read_text()) == (code, expected), seen
    assert "mine:   mine" in seen
    assert "theirs: theirs" in seen
