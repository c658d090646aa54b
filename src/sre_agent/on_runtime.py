"""Starts the assistant by the contract of AgentCore Runtime: on port 8080 of every address. In a package this file is `main.py`."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    from sre_agent.cli.root import main

    # A runtime's machine has a network of its own. The local AWS has none for it, and names a socket instead.
    sys.argv[1:] = ["serve", *(sys.argv[1:] or ["--host", "0.0.0.0", "--port", "8080"])]  # noqa: S104
    main()
