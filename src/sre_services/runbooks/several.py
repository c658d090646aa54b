"""Runbooks of several sources as one library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sre_services.runbooks.model import Library, Runbook
from sre_services.sources.several import Named, Several


class SeveralLibraries(Several[Library]):
    """A Library over the sources, in the order in which they are configured."""

    @property
    def as_of(self) -> datetime:
        return max(each.provider.as_of for each in self.sources)

    def runbooks(self) -> list[Runbook]:
        found = self.ask(lambda library: library.runbooks())
        return [replace(runbook, source=name) for name, runbooks in found for runbook in runbooks]


def join_sources(sources: Sequence[Named[Library]]) -> SeveralLibraries:
    """Join the sources of runbooks."""
    return SeveralLibraries(sources)
