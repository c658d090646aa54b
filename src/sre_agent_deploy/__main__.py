"""`python -m sre_agent_deploy` is `sre-agent-deploy`."""

from sre_agent_deploy.cli import main

main()
