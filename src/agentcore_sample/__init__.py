"""The scripts of the AgentCore sample, a client of `sre-agent-deploy`: each calls its commands. START HERE: scripts.py."""

from sre_agent_deploy.commands import CONFIG, Request

# A script works in the folder of its checkout; naming the file makes each run use it, and not the one of the last run.
REQUEST = Request(config_file=CONFIG)
