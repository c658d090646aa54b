"""A resource type that was made up for this test, added by the six steps of CONTRIBUTING.md and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from architecture.sources import ROOT
from fixtures import preloaded
from sre_agent_deploy.resource import Resource

MADE_UP = Path(__file__).parent / "made_up"
WALKS = "tests/sre_agent_deploy/test_queue_walks.py"
EVERY_TYPE = tuple(f"tests/sre_agent_deploy/resources/test_{name}.py" for name in ("every_field", "failures", "templates"))


def add_the_type(copy: Path) -> None:
    """Steps 1 to 5 are the file; step 6 is its import and one line in `blueprint.py`."""
    package = copy / "src" / "sre_agent_deploy"
    shutil.copy(MADE_UP / "sqs_queue.py", package / "resources")
    blueprint = package / "blueprint.py"
    text = blueprint.read_text()
    text = text.replace("\nfrom sre_core import", "\nfrom sre_agent_deploy.resources.sqs_queue import SqsQueue\nfrom sre_core import", 1)
    chosen = 'Item(SqsQueue(name="queue", queue_name=f"{id}-to-see", delay_seconds=30)),'
    blueprint.write_text(text.replace("            *dns(config),\n", f"            {chosen}\n            *dns(config),\n"))


@pytest.mark.timeout(900)  # it runs a whole suite of its own
def test_a_type_that_was_made_up(tmp_path: Path) -> None:
    """Plan, apply, cleanup, sweep, guide and export include it, and the tests that walk all types judge it."""
    for folder in ("src", "tests", "examples"):
        # With what Python has compiled, but not what it just writes.
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.pyc.*", ".venv*"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    add_the_type(tmp_path)
    shutil.copy(MADE_UP / "walks.py", tmp_path / WALKS)
    # Of our programs it starts the local AWS alone, which knows no types of the deployer's.
    environ = {**os.environ, "PYTHONPATH": f"{tmp_path / 'src'}{os.pathsep}{tmp_path / 'tests'}", preloaded.SHARED: preloaded.socket_path()}
    arguments = [*EVERY_TYPE, WALKS, "-k", "queue or Queue or no_template", "-p", "no:xdist"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    # Four fields of the declaration and the failure are judged besides the walks; were the copy not used, they would be missing.
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed
    assert int(passed[1]) >= 11


def test_the_six_steps_name_what_there_is() -> None:
    """Each attribute and method that they name is one of the protocol's, and each method that a type writes is named."""
    steps = (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a resource in six steps")[2].partition("\n## ")[0]
    attributes = set(re.findall(r"`([A-Z_]+)`", steps))
    assert attributes - {"PARTITION"} <= set(Resource.__annotations__)
    methods = {name for name, value in vars(Resource).items() if not name.startswith("_") and callable(getattr(value, "__func__", value))}
    assert methods <= set(re.findall(r"`([a-z_]+)`", steps))
