"""A person at the terminal sees what is waited for."""

from __future__ import annotations

import contextlib
import io
import re
import time
from datetime import timedelta

from sre_agent_deploy.cli.terminal import Terminal
from sre_agent_deploy.commands.workspace import report_if_slow


def test_what_takes_long() -> None:
    """A long wait is reported with its reason and its deadline; a short one is not reported."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        with report_if_slow(Terminal().observe, "the local AWS to start", timedelta(minutes=2)):
            pass
        assert said.getvalue() == ""
        with report_if_slow(Terminal().observe, "the local AWS to start", timedelta(minutes=2), after=0):
            deadline = time.monotonic() + 120
            while not said.getvalue() and time.monotonic() < deadline:
                time.sleep(0.01)
    assert re.fullmatch(r"  [.]{3}  aws +the local AWS to start, gives up at \d\d:\d\d:\d\d\n", said.getvalue())
