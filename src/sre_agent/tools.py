"""The interface to the tools. A deployment uses the gateway; evaluations use recorded tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sre_agent.evidence import Answer, Argument


@dataclass(frozen=True)
class Tool:
    """A tool that the gateway offers: its full name, and how the gateway describes it and its arguments."""

    name: str
    description: str
    schema: Mapping[str, object]

    @property
    def parameters(self) -> frozenset[str]:
        """Return the names of its arguments."""
        properties = self.schema.get("properties")
        return frozenset(properties) if isinstance(properties, Mapping) else frozenset()


class Tools(Protocol):
    """The tools of one investigation, called by operation (`get_pod_status`), on any target."""

    async def call(self, operation: str, /, **arguments: Argument) -> Answer:
        """Call one tool. A failure is part of the answer and never raised."""
        ...

    def offered(self) -> Mapping[str, Tool]:
        """Return the tools by operation."""
        ...
