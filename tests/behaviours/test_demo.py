"""The first five minutes: `scripts/demo` as a newcomer runs it, and everything that it says to type next."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from behaviours.command_line import ROOT
from fixtures import preloaded


@dataclass(frozen=True)
class Newcomer:
    """A person with a checkout of their own and an empty home."""

    checkout: Path
    home: Path

    def run(self, *command: str) -> str:
        """Run a command without any input, and return its output; it must succeed."""
        inherited = {name: value for name, value in os.environ.items() if name not in ("SRE_AGENT_STATE_DIR", "XDG_STATE_HOME")}
        environ = {**inherited, "HOME": str(self.home)}
        ended = subprocess.run(
            command, cwd=self.checkout, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    def make_commands(self) -> None:
        """Make a `.venv` whose commands are forked, because starting Python is most of what they take; `status` and `evidence` are the
        installed ones."""
        commands = self.checkout / ".venv" / "bin"
        commands.mkdir(parents=True)
        for name, words in (("python", ""), ("sre-agent", " -m sre_agent"), ("sre-agent-deploy", " -m sre_agent_deploy")):
            installed = f'case "$1" in status | evidence) exec {ROOT}/.venv/bin/{name} "$@" ;; esac'
            (commands / name).write_text(f'#!/bin/sh\n{installed}\nexec {preloaded.interpreter()}{words} "$@"\n')
            (commands / name).chmod(0o700)


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    """Copy the script to another folder and run it there, because it works beside itself: a deployment in this checkout is not
    disturbed."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    (checkout / "scripts").mkdir(parents=True)
    home.mkdir()
    shutil.copy(ROOT / "scripts" / "demo", checkout / "scripts")
    (checkout / "examples").symlink_to(ROOT / "examples")
    here = Newcomer(checkout, home)
    here.make_commands()
    yield here
    here.run(".venv/bin/python", "-m", "embedded_aws", "stop", "--state-dir", str(home / ".local" / "state" / "sre-agent"))


def test_the_demo_twice_and_what_it_says_next(newcomer: Newcomer) -> None:
    """It deploys, verifies and solves the incident; again, it uses what is there; what it says to type works, and leaves nothing."""
    first = newcomer.run("scripts/demo")
    assert "is verified" in first
    assert "created" in first
    assert "# Root cause: payment-service" in first
    again = newcomer.run("scripts/demo")
    assert re.search(r"Resources: \d+ already there \(", again), again
    assert "created" not in again
    assert "# Root cause: payment-service" in again

    [evidence, *_] = re.findall(r"inv-[0-9a-f]{8}-e\d+", again)
    commands = re.findall(r"^  (\.venv/bin/.*?)(?:  .*)?$", again, flags=re.MULTILINE)
    assert len(commands) >= 5
    assert "cleanup" in commands[-1]
    for command in commands:
        newcomer.run(*shlex.split(command.replace('"..."', '"Is the database at fault?"').replace(" ID", f" {evidence}")))
    state = newcomer.home / ".local" / "state" / "sre-agent"
    assert not (state / "embedded-aws.json").exists(), "what the demo started has ended with the cleanup"
    assert not list((state / "connections").glob("*.json"))
