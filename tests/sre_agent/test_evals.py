"""The evaluation runner that the project ships says what it measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_recordings_that_ship() -> None:
    """Cases that are right end with 0, and the last line has the score."""
    command = [sys.executable, "-m", "evals", "recordings", "--only", "without"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("A@1 1.00")
