"""Questions to the assistant, for tests."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from sre_agent.reasoners import Reasoner
from sre_agent.report import Report


class Investigate(Protocol):
    """Asks a real assistant about a recording, through a real gateway over TLS."""

    def __call__(
        self, recording: str, prompt: str = "What is wrong?", *, broken: Collection[str] = (), reasoner: Reasoner | None = None
    ) -> Report: ...
