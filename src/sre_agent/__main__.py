"""`python -m sre_agent` is `sre-agent`."""

from sre_agent.cli import main

main()
