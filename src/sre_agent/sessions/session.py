"""The questions of a session, and the protocol of what keeps them: SQLite on one machine, DynamoDB where several serve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sre_agent.reading import part, text
from sre_agent.request import LONGEST_BEFORE
from sre_core import clock
from sre_core.problem import Problem
from sre_core.redaction import redact

KEPT_FOR = timedelta(hours=24)
"""How long a question is kept where no setting says otherwise."""
CONTINUES_FOR = timedelta(hours=1)
"""How long a question without a session of its own continues the one before."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One question of a session, what it was about, and the report that answered it."""

    at: str
    prompt: str
    kind: str
    subject: str
    namespace: str
    report: str

    @classmethod
    def create(cls, prompt: str, report: Mapping[str, object]) -> Turn:
        """Describe a question that was just answered: only what a next one reads, and without the secrets in its words."""
        subject = part(report, "subject")
        return cls(
            at=clock.stamp(),
            prompt=_storable(redact(prompt))[:LONGEST_BEFORE],
            kind=_storable(text(report, "kind")),
            subject=_storable(text(subject, "name")),
            namespace=_storable(text(subject, "namespace")),
            report=_storable(text(report, "investigation_id")),
        )

    def to_json(self) -> dict[str, object]:
        """Return the form in which the next question sends it along."""
        return {"kind": self.kind, "subject": self.subject, "namespace": self.namespace, "prompt": self.prompt}

    def is_younger(self, than: timedelta) -> bool:
        """Say if it was asked within this time."""
        return clock.now() - clock.parse(self.at) <= than


def _storable(words: str) -> str:
    """Replace halves of characters, which JSON can write and no store keeps."""
    return words.encode("utf-8", "replace").decode("utf-8")


class Sessions(Protocol):
    """Keeps the questions of sessions for a while. A failure is a Problem: no answer depends on what is kept here."""

    def last(self, session: str) -> Turn | Problem | None:
        """Return the last question of a session; None where none is kept."""
        ...

    def add(self, session: str, turn: Turn) -> Problem | None:
        """Keep a question as the last one of its session, also if others add one at the same time."""
        ...


def session_key(subject: str, user_id: str, session_id: str) -> str:
    """Return the key of a session. It contains whose session it is, so that the id alone leads to no other caller's questions.

    `subject` is from the caller's token; `user_id` is what a program says of its own users.
    """
    return hashlib.sha256(json.dumps([subject, user_id, session_id]).encode()).hexdigest()


def not_read(why: str, *do: str) -> Problem:
    """Say that the previous question of a session could not be read."""
    return Problem(
        code="SESSION-NOT-READ",
        what="The previous question of this session could not be read, so this one was answered by itself.",
        why=why,
        do=("Ask again, and name the service or pod in the question.", *do),
    )


def not_kept(why: str, *do: str) -> Problem:
    """Say that a question was answered, and is not in its session."""
    return Problem(
        code="SESSION-NOT-KEPT",
        what="The question was answered, but not saved in its session, so the next one can't refer to it.",
        why=why,
        do=("Name the service or pod again in the next question.", *do),
    )
