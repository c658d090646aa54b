"""Progress of one question: each call of a tool is shown to the client that waits for the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sre_agent.evidence import Answer, Argument
from sre_agent.tools import Tool, Tools

type Watch = Callable[[str], None]


class WatchedTools:
    """The tools of one question; each call is shown by its operation before it is made."""

    def __init__(self, tools: Tools, watch: Watch) -> None:
        self._tools = tools
        self._watch = watch

    def offered(self) -> Mapping[str, Tool]:
        """Return the tools by operation."""
        return self._tools.offered()

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        """Show the call, and make it."""
        self._watch(operation)
        return await self._tools.call(operation, **arguments)
