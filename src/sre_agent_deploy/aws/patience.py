"""Moved to `sre_agent_deploy.patience`."""

from sre_agent_deploy.patience import pauses

__all__ = ["pauses"]
