"""No end of a command's output causes a traceback: a full disk, a closed reader, Ctrl-C."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# As at a terminal: Python keeps what it could not write, and tries again when it ends.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
PRINTING = (
    ("sre_agent_deploy", "--help"),
    ("sre_agent_deploy", "explain", "FILE-REFUSED"),
    ("sre_agent_deploy", "validate", "--config", "examples/local.yaml"),
    ("sre_agent_deploy", "validate", "--json", "--config", "none.yaml"),
    ("sre_agent_deploy", "deploy", "--json", "--config", "none.yaml"),
    ("sre_agent", "--help"),
    ("sre_agent", "--json", "--connection", "none.json", "--prompt", "?"),
    ("sre_agent", "evidence", "--json", "none"),
)


def ended(words: tuple[str, ...], output: int, tmp_path: Path, **environ: str) -> tuple[int, str]:
    """The exit code of a command whose output goes there, and what it says on stderr."""
    variables = {**BUFFERED, "SRE_AGENT_STATE_DIR": str(tmp_path), **environ}
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE, text=True, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_output_that_is_full(words: tuple[str, ...], tmp_path: Path) -> None:
    """It is reported once, with what to do, and the exit code says that it failed."""
    with Path("/dev/full").open("w") as full:
        code, said = ended(words, full.fileno(), tmp_path)
    assert (code, said.count("FILE-REFUSED: The output could not be")) == (1, 1), said
    assert "Traceback" not in said
    assert "Exception ignored" not in said


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_reader_who_has_gone(words: tuple[str, ...], tmp_path: Path) -> None:
    """`| head` has what it wanted: nothing is said, and the exit code tells that not all was written."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        code, said = ended(words, writer, tmp_path)
    finally:
        os.close(writer)
    assert (code, said) == (1, "")


@pytest.mark.parametrize("module", ["sre_agent", "sre_agent_deploy"])
def test_an_interruption_in_the_first_moment(module: str, tmp_path: Path) -> None:
    """Ctrl-C while the program still loads its libraries ends it with one line."""
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    assert ended((module, "--help"), subprocess.DEVNULL, tmp_path, PYTHONPATH=str(tmp_path)) == (130, "Interrupted.\n")
