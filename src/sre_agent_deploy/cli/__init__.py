"""The command line: it parses, asks, renders and gives the exit code. What a command does is in `commands/`."""

from __future__ import annotations

import gc
import sys


def main(arguments: list[str] | None = None) -> None:
    """Run `sre-agent-deploy`. Until a command has something to clean up, Ctrl-C ends it at once, also while it is still loading."""
    try:
        from sre_core import interrupt

        if arguments is None:
            interrupt.exit_on_ctrl_c()
            # A command makes little garbage, and each search for it goes through all that is loaded: a tenth of the start.
            gc.set_threshold(100_000)
        from sre_agent_deploy.cli.root import main as run
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
    run(arguments)
