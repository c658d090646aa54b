"""The evaluation runner that the project ships says what it measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_recordings_that_ship() -> None:
    """All cases are right, and the last line has the score."""
    done = subprocess.run([sys.executable, "-m", "evals", "recordings"], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("A@1 1.00")
