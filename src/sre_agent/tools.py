"""What specialists ask with. In a deployment it is always the gateway; evaluations put recorded tools in its place."""

from __future__ import annotations

from typing import Protocol

from sre_agent.evidence import Answer, Argument


class Tools(Protocol):
    """The tools of one investigation, called by operation: `get_pod_status`, whatever target it is behind."""

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        """What the tool said, or an answer that carries its failure: this never raises for one tool."""
        ...
