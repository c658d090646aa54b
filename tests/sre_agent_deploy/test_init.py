"""`init` and `schema`: something good to begin with, and nothing lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fixtures import preloaded
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = preloaded.command("sre_agent_deploy", *words)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(("mode", "environ"), [("production", {"AWS_ACCOUNT_ID": "123456789012"}), ("local", {})])
def test_the_template_is_a_configuration(tmp_path: Path, mode: str, environ: dict[str, str]) -> None:
    """The output of `init` is valid unchanged, once production has its account; editors find its schema beside it."""
    assert run(tmp_path, "init", "--mode", mode).returncode == 0
    config = load(tmp_path / "config.yaml", environ=environ, mode=None)
    assert isinstance(config, Config), config
    assert config.mode == mode
    first = (tmp_path / "config.yaml").read_text().splitlines()[0]
    schema = json.loads((tmp_path / first.partition("$schema=")[2]).read_text())
    assert schema["title"] == "sre-agent-deploy config.yaml"


def test_a_file_that_is_there(tmp_path: Path) -> None:
    """It is never overwritten; with --force it is kept beside the new one, byte for byte."""
    (tmp_path / "config.yaml").write_text("mine\n")
    refused = run(tmp_path, "init")
    assert refused.returncode == 1
    assert "INIT-FILE-EXISTS" in refused.stderr
    assert (tmp_path / "config.yaml").read_text() == "mine\n"
    assert run(tmp_path, "init", "--force", "--mode", "local").returncode == 0
    (aside,) = tmp_path.glob("config.yaml.until-*")
    assert aside.read_text() == "mine\n"


def test_a_schema_of_another_owner(tmp_path: Path) -> None:
    """A file of the schema's name that is not ours stays, and the template doesn't refer to it."""
    (tmp_path / "config.schema.json").write_text('{"title": "other"}')
    assert run(tmp_path, "init").returncode == 0
    assert (tmp_path / "config.schema.json").read_text() == '{"title": "other"}'
    assert "$schema" not in (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize("place", ["none/config.yaml", "config.json", "."])
def test_places_where_no_template_can_be(tmp_path: Path, place: str) -> None:
    """A folder, a missing folder, a format without comments: reported before anything is written."""
    ended = run(tmp_path, "init", "--output", place)
    assert (ended.returncode, "INIT-NO-PLACE: " in ended.stderr) == (1, True), ended.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [("init", "--interactive"), ("--interactive",), ("--interactive", "--config", "x.yaml")])
def test_nobody_to_ask(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Without a terminal the questions are refused with two ways on, and nothing is written."""
    ended = run(tmp_path, *words)
    assert ended.returncode == 1
    assert "INTERACTIVE-NO-TERMINAL: " in ended.stderr
    assert "ssh -t" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_schema_is_printed(tmp_path: Path) -> None:
    """`schema` prints JSON Schema and nothing else."""
    ended = run(tmp_path, "schema")
    assert ended.returncode == 0
    assert "aws" in json.loads(ended.stdout)["properties"]
