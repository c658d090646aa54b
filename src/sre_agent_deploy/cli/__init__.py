"""The command line: one file per command; parse, call, render, exit code."""

from sre_agent_deploy.cli.main import main

__all__ = ["main"]
