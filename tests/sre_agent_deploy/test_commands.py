"""The command line: the mission's flags are the commands, and nothing that was said is ignored."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures import preloaded
from sre_core import exit_codes


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = preloaded.command("sre_agent_deploy", *words)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "words",
    [
        ("--mode", "local", "validate"),
        ("--config", "a.yaml", "deploy"),
        ("--validate-only", "--cleanup"),
        ("--validate-only", "--deployment-id", "sre-1"),
        ("--resume", "--deployment-id", "sre-1"),
        ("--mode", "local"),
        ("--state-file", "x", "status"),
    ],
)
def test_what_would_be_ignored_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Flags that mean nothing to the command are named, and nothing is done; the exit code is that of a wrong command line."""
    ended = run(tmp_path, *words)
    assert ended.returncode == exit_codes.USAGE
    assert "Error: " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--validate-only", "--config", "none.yaml"), "CONFIG-FILE-MISSING"),
        (("validate", "--config", "none.yaml"), "CONFIG-FILE-MISSING"),
        (("--resume", "--state-file", "none"), "STATE-NOT-FOUND"),
        (("resume",), "STATE-NOT-FOUND"),
        (("rotate", "ca"), "STATE-NOT-FOUND"),
        (("rotate", "api-key"), "STATE-NOT-FOUND"),
        (("status",), "STATE-NOT-FOUND"),
        (("cleanup",), "CLEANUP-WHICH"),
        (("--cleanup",), "CLEANUP-WHICH"),
    ],
)
def test_mistakes_are_reported_with_a_next_step(tmp_path: Path, words: tuple[str, ...], code: str) -> None:
    """A mission flag and its command say the same: what, why, and what to do."""
    ended = run(tmp_path, *words)
    assert ended.returncode == 1
    assert f"{code}: " in ended.stderr
    assert "do:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_validation_of_a_good_and_a_bad_configuration(tmp_path: Path) -> None:
    """Exit 0 or 1; every fault at once, each at its line."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("version: 1\nmode: local\n")
    bad.write_text("version: 1\nmode: local\nname: NOT GOOD\naws:\n  region: nowhere\n")
    assert run(tmp_path, "--validate-only", "--config", "good.yaml").returncode == 0
    ended = run(tmp_path, "validate", "--config", "bad.yaml")
    assert ended.returncode == 1
    assert "bad.yaml:3:" in ended.stderr
    assert "bad.yaml:5:" in ended.stderr


def test_validation_of_a_recording(tmp_path: Path) -> None:
    """Every fault of the user's own recording is shown with its file and line, beside those of other files; offline, and also as JSON."""
    config, folder = tmp_path / "config.yaml", tmp_path / "incident"
    config.write_text("version: 1\nmode: local\nservices:\n  recording: ./incident\n")
    missing = run(tmp_path, "--validate-only", "--config", "config.yaml")
    assert missing.returncode == 1
    assert "SVC-RECORDING-NOT-FOUND" in missing.stderr
    (folder / "logs").mkdir(parents=True)
    (folder / "recording.json").write_text('{"namespace": "shop", "recorded_end": "2026-11-20T10:30:00Z"}')
    assert run(tmp_path, "--validate-only", "--config", "config.yaml").returncode == 0
    for name in ("cart", "frontend"):
        (folder / "logs" / f"{name}.log").write_text("2026-11-20T10:00:00Z fine\n2026-99-99T00:00:00Z not a day\n")
    (folder / "kubernetes").mkdir()
    (folder / "kubernetes" / "pods.json").write_text("{\n]")
    ended = run(tmp_path, "validate", "--config", "config.yaml")
    assert ended.returncode == 1
    for place in ("logs/cart.log:2", "logs/frontend.log:2", "kubernetes/pods.json:2:1"):
        assert f"at incident/{place}\n" in ended.stderr
    assert "3 faults in config.yaml" in ended.stderr
    # Once all systems are the user's own, only runbooks come from the recording.
    config.write_text(f"{config.read_text()}  logs: [{{source: files, path: /var/log/shop}}]\n")
    assert run(tmp_path, "validate", "--config", "config.yaml", "--json").returncode == 0


def test_places_that_refuse(tmp_path: Path) -> None:
    """An unwritable place, such as a file in place of a folder, is reported with what to do; nothing ends in a traceback."""
    (tmp_path / "taken").write_text("")
    (tmp_path / "local.yaml").write_text("version: 1\nmode: local\n")
    environ = {**os.environ, "SRE_AGENT_STATE_DIR": str(tmp_path / "taken" / "state")}
    command = [sys.executable, "-m", "sre_agent_deploy", "deploy", "--config", "local.yaml"]
    ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert ended.returncode == 1
    assert "STATE-FOLDER-UNUSABLE" in ended.stderr
    assert str(tmp_path / "taken") in ended.stderr
    assert "Traceback" not in ended.stderr


INTERRUPTER = """
import os, signal, sys, weakref

class Thing:
    pass

class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPT_AT"]:
            thing = Thing()
            # As in a callback of the import system: an exception would be shown and lost there.
            keep = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
            del thing

sys.meta_path.insert(0, Interrupter())
"""


@pytest.mark.parametrize(
    "module", ["click", "sre_agent_deploy.cli.root", "sre_agent_deploy.cli.deploy", "pydantic", "sre_agent_deploy.blueprint"]
)
def test_ctrl_c_while_loading(tmp_path: Path, module: str) -> None:
    """Ctrl-C during any import gives one line and 130, and no traceback."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTER)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "INTERRUPT_AT": module, "SRE_AGENT_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "sre_agent_deploy", "plan", "--config", "none.yaml"]
    ended = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert (ended.returncode, ended.stderr) == (exit_codes.INTERRUPTED, "Interrupted.\n")
