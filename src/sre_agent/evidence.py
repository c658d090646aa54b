"""Evidence: what a tool answered, and where. Every claim of a report cites records made here."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sre_core import clock

EXCERPT_LIMIT = 1_200  # characters: enough for a stack trace's head, small enough for a report with fifty of them

type Argument = str | int | float | bool


def format_call(tool: str, arguments: Mapping[str, Argument]) -> str:
    """Format a call as a person writes it."""
    return f"{tool}({', '.join(f'{name}={value}' for name, value in arguments.items())})"


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """The answer of one tool at one time; two answers are never equal.

    `data` is parsed and redacted; `sha256` and `size` are of the full text as it came.
    """

    tool: str
    arguments: Mapping[str, Argument]
    at: datetime
    data: object = None
    sha256: str = ""
    size: int = 0
    failure: str = ""
    truncated: bool = False

    @property
    def call(self) -> str:
        """The call as a person writes it: `kubernetes___get_pod_status(namespace=NAME)`."""
        return format_call(self.tool, self.arguments)


@dataclass(frozen=True)
class Excerpt:
    """The part of an answer that matters, and when the fact in it happened."""

    answer: Answer = field(repr=False)
    text: str
    happened: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One observation, with an id that findings cite."""

    id: str
    tool: str
    arguments: Mapping[str, Argument]
    at: datetime
    excerpt: str
    sha256: str
    happened: datetime | None = None

    @property
    def call(self) -> str:
        """The call as a person writes it."""
        return format_call(self.tool, self.arguments)

    def to_json(self) -> dict[str, object]:
        """Return the form that reports keep and `sre-agent evidence ID` shows."""
        return {
            "id": self.id,
            "tool": self.tool,
            "arguments": dict(self.arguments),
            "time": clock.stamp(self.at),
            "happened": clock.stamp(self.happened) if self.happened else None,
            "excerpt": self.excerpt,
            "sha256": self.sha256,
        }


class EvidenceLog:
    """Gives each observation of one investigation an id; the same observation keeps its id."""

    def __init__(self, investigation_id: str) -> None:
        self.investigation_id = investigation_id
        self._records: dict[str, Evidence] = {}
        self._ids: dict[tuple[str, str, str], str] = {}

    @classmethod
    def resume(cls, investigation_id: str, records: Iterable[Evidence]) -> EvidenceLog:
        """Return a log that goes on after the records of a report, which keep their ids."""
        log = cls(investigation_id)
        for record in records:
            log._records[record.id] = record
            log._ids[record.call, record.sha256, record.excerpt] = record.id
        return log

    def record(self, excerpt: Excerpt) -> str:
        """Record an excerpt, and return the id by which it is cited."""
        answer = excerpt.answer
        text = excerpt.text if len(excerpt.text) <= EXCERPT_LIMIT else f"{excerpt.text[: EXCERPT_LIMIT - 2]} …"
        key = (answer.call, answer.sha256, text)
        if key not in self._ids:
            self._ids[key] = f"{self.investigation_id}-e{len(self._records) + 1}"
            self._records[self._ids[key]] = Evidence(
                id=self._ids[key],
                tool=answer.tool,
                arguments=answer.arguments,
                at=answer.at,
                excerpt=text,
                sha256=answer.sha256,
                happened=excerpt.happened,
            )
        return self._ids[key]

    def __contains__(self, evidence_id: str) -> bool:
        return evidence_id in self._records

    def __getitem__(self, evidence_id: str) -> Evidence:
        return self._records[evidence_id]

    def __iter__(self) -> Iterator[Evidence]:
        return iter(self._records.values())

    def __len__(self) -> int:
        return len(self._records)


def new_investigation_id() -> str:
    """Make an id that no two investigations share: `inv-7c2f91ab`."""
    return f"inv-{secrets.token_hex(4)}"


def investigation_of(evidence_id: str) -> str:
    """Return the investigation that an evidence id belongs to."""
    return evidence_id.rpartition("-e")[0]
