"""The interface to the tools. A deployment uses the gateway; evaluations use recorded tools."""

from __future__ import annotations

from typing import Protocol

from sre_agent.evidence import Answer, Argument


class Tools(Protocol):
    """The tools of one investigation, called by operation (`get_pod_status`), whatever target has it."""

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        """Call one tool. A failure is part of the answer and never raised."""
        ...
