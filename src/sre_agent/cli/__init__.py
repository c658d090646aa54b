"""The command line of the assistant."""

from __future__ import annotations

import sys


def main() -> None:
    """The entry point of the `sre-agent` script. Ctrl-C is no fault, not even while the program is still loading."""
    try:
        from sre_agent.cli.root import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
