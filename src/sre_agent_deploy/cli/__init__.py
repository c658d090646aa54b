"""The command line: one file per command; parse, call, render, exit code."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> None:
    """The entry point of the `sre-agent-deploy` script. Ctrl-C is no fault, not even while the program is still loading."""
    try:
        from sre_agent_deploy.cli.root import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run(arguments)
