"""The model of runbooks, and what a provider of them must answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step. `changes` is true when it changes the system: it then needs a person's approval."""

    do: str
    changes: bool
    command: str = ""
    tool: str = ""


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A person or team to inform, after so many minutes without progress."""

    role: str
    contact: str
    after_minutes: int = 0


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a runbook under its heading."""

    heading: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Runbook:
    """A runbook: the fields of its front matter, its text in sections, and its source where there are several."""

    id: str
    file: str
    title: str
    severity: str
    category: str
    services: Sequence[str]
    incident_types: Sequence[str]
    symptoms: Sequence[str]
    steps: Sequence[Step]
    escalation: Sequence[Contact]
    sections: Sequence[Section]
    source: str = ""


class Library(Protocol):
    """Answers with all runbooks, in a stable order."""

    @property
    def as_of(self) -> datetime: ...
    def runbooks(self) -> Sequence[Runbook]: ...
