"""The reasoner: the part of the assistant that draws conclusions. Rules are one; a language model is another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Protocol, runtime_checkable

from sre_agent.observations import Observations
from sre_agent.report import Report
from sre_agent.scope import Scope
from sre_agent.tools import Tools
from sre_agent.watching import Watch


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """A question, where and when to look, and when the investigation started."""

    prompt: str
    scope: Scope
    started_at: datetime
    watch: Watch | None = None


@runtime_checkable
class Reasoner(Protocol):
    """Draws conclusions from the first look of the specialists, with more calls of the tools where it needs them."""

    @property
    def name(self) -> str:
        """The name that reports show."""
        ...

    async def conclude(self, inquiry: Inquiry, observations: Observations, tools: Tools) -> Report:
        """Answer the question. Every claim of the report cites evidence."""
        ...


# To add a reasoner, write a module with `create(environment) -> Reasoner` and name it here. It is imported only where it is chosen.
# A configuration may name it once `AssistantConfig` in sre_agent_deploy/config/models.py accepts the name.
REASONERS: Mapping[str, str] = {
    "rules": "sre_agent.reasoners.rules.reasoner",
    "bedrock": "sre_agent.reasoners.models.bedrock",
    "anthropic": "sre_agent.reasoners.models.anthropic",
    "openai": "sre_agent.reasoners.models.openai",
}
DEFAULT = "rules"


def create_reasoner(name: str, environment: Mapping[str, str], *, registry: Mapping[str, str] = REASONERS) -> Reasoner:
    """Create the reasoner of this name, with its own settings from the environment. Raises KeyError for an unknown name."""
    reasoner: Reasoner = import_module(registry[name]).create(environment)
    return reasoner
