"""Standard output that can't be written: told once, and not tried again when the program ends."""

from __future__ import annotations

import os
import sys


def discard_stdout() -> None:
    """Let what could not be written go: Python would try it again at its end, and complain past every handler."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
