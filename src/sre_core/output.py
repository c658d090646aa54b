"""Give up a standard output that can't be written."""

from __future__ import annotations

import os
import sys


def discard_stdout() -> None:
    """Drop what could not be written: Python would try it again at its end, and print an error past every handler."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
