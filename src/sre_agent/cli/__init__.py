"""The command line of the assistant."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def main() -> None:
    """Run `sre-agent`. The program has nothing to clean up, so Ctrl-C ends it at once, also while it is still loading."""
    try:
        from sre_core import interrupt

        interrupt.exit_on_ctrl_c()
        from sre_agent.cli.root import main as run
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        sys.exit(INTERRUPTED)
    run()
