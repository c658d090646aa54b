"""The report of an investigation: its model, and the JSON that is kept. `render.py` renders it for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sre_agent.evidence import Evidence
from sre_agent.relations import Ref
from sre_core import clock

type Verdict = Literal[
    "root_cause_found", "root_cause_suspected", "nothing_wrong", "not_enough_evidence", "answered", "not_found", "not_understood"
]
type Role = Literal["first", "further", "second_best"]


@dataclass(frozen=True)
class Confidence:
    """The reasoner's confidence: the share of such conclusions that are right, and the word for it."""

    score: float

    @property
    def word(self) -> str:
        """`high` is a confidence with which no wrong object was ever named; `low` is a suspicion."""
        if self.score >= 0.8:
            return "high"
        return "medium" if self.score >= 0.6 else "low"

    def to_json(self) -> dict[str, object]:
        return {"score": round(self.score, 2), "word": self.word}


@dataclass(frozen=True, kw_only=True)
class RootCause:
    """A failure, and what it caused. `kind` is a cause of the published vocabulary (docs/concepts/diagnosis.md).

    Its role: the `first` failure, a `further` one that does not follow from it, or what explains the same complaint `second_best`,
    with what speaks `against` it.
    """

    kind: str
    service: str
    ref: Ref
    summary: str
    confidence: Confidence
    reasons: tuple[str, ...]
    affected: tuple[str, ...]
    evidence: tuple[str, ...]
    role: Role = "first"
    against: str = ""
    score: float = 0.0
    """The sum of the points of its evidence, by which explanations are compared; 0 where a language model named the cause."""

    @property
    def verdict(self) -> Verdict:
        """Return the verdict of a report that names it. Of conclusions with low confidence more are wrong than right."""
        return "root_cause_suspected" if self.confidence.word == "low" else "root_cause_found"

    def to_json(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "cause": self.kind,
            "role": self.role,
            "object": self.ref.to_json(),
            "service": self.service,
            "summary": self.summary,
            "confidence": self.confidence.to_json(),
            "score": round(self.score, 2),
            "reasons": list(self.reasons),
            "affected": list(self.affected),
            "evidence": list(self.evidence),
            **({"against": self.against} if self.against else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence with its citations: an observation, an entry of the timeline, or something that was ruled out."""

    what: str
    evidence: tuple[str, ...]
    why: str = ""
    at: datetime | None = None

    def to_json(self) -> dict[str, object]:
        parts: dict[str, object] = {"what": self.what, "evidence": list(self.evidence)}
        if self.why:
            parts["why"] = self.why
        if self.at:
            parts["time"] = clock.stamp(self.at)
        return parts


@dataclass(frozen=True)
class Gap:
    """Something that could not be observed, and why; `failed` if a call failed, so that requested evidence is missing.

    `unseen` names in a few words what exists and was not read: a list beyond what a question may call.
    """

    what: str
    why: str
    failed: bool = False
    unseen: str = ""

    def to_json(self) -> dict[str, object]:
        return {"what": self.what, "why": self.why, "failed": self.failed, **({"unseen": self.unseen} if self.unseen else {})}


@dataclass(frozen=True, kw_only=True)
class Step:
    """A next step from a runbook. The assistant never executes it; one that changes something needs approval."""

    text: str
    runbook: str
    title: str
    needs_approval: bool
    evidence: tuple[str, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "text": self.text,
            "runbook": self.runbook,
            "title": self.title,
            "needs_approval": self.needs_approval,
            "evidence": list(self.evidence),
        }


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """One step of a runbook that would do what was asked: the seam at which a person's approval would let it be executed."""

    runbook: str
    step: str
    text: str
    command: str
    role: str
    subject: str

    def to_json(self) -> dict[str, object]:
        return {
            "runbook": self.runbook,
            "step": self.step,
            "text": self.text,
            "command": self.command,
            "role": self.role,
            "subject": self.subject,
            "needs_approval": True,
            "executed": False,
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that an investigation found, checked, ruled out and could not observe.

    A look-up has a headline, its lines as findings, and a hint; a diagnosis has a root cause and what led to it.
    """

    investigation_id: str
    prompt: str
    scope: Mapping[str, str]
    started_at: datetime
    finished_at: datetime
    reasoner: str
    verdict: Verdict
    root_cause: RootCause | None
    other_causes: tuple[RootCause, ...] = ()
    findings: tuple[Claim, ...]
    timeline: tuple[Claim, ...]
    ruled_out: tuple[Claim, ...]
    gaps: tuple[Gap, ...]
    checked: tuple[Claim, ...]
    next_steps: tuple[Step, ...]
    evidence: tuple[Evidence, ...]
    kind: str = "diagnosis"
    headline: str = ""
    hint: str = ""
    notes: tuple[str, ...] = ()
    subject: Mapping[str, str] = field(default_factory=dict)
    proposal: Proposal | None = None
    model: Mapping[str, object] = field(default_factory=dict)
    """The language model that was asked, what came of it, and what it cost; empty where none was asked."""

    @property
    def failed(self) -> tuple[Gap, ...]:
        """The calls that failed, without whose answers this one was given."""
        return tuple(gap for gap in self.gaps if gap.failed)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Return what exists and was not read."""
        return tuple(gap.unseen for gap in self.gaps if gap.unseen)

    def to_json(self) -> dict[str, object]:
        """Return the form of `--json` and of kept reports, for other programs."""
        return {
            "schema": 1,
            "investigation_id": self.investigation_id,
            "prompt": self.prompt,
            "scope": dict(self.scope),
            "started_at": clock.stamp(self.started_at),
            "finished_at": clock.stamp(self.finished_at),
            "reasoner": self.reasoner,
            "verdict": self.verdict,
            "root_cause": self.root_cause.to_json() if self.root_cause else None,
            "other_causes": [cause.to_json() for cause in self.other_causes],
            "findings": [claim.to_json() for claim in self.findings],
            "timeline": [claim.to_json() for claim in self.timeline],
            "ruled_out": [claim.to_json() for claim in self.ruled_out],
            "gaps": [gap.to_json() for gap in self.gaps],
            "checked": [claim.to_json() for claim in self.checked],
            "next_steps": [step.to_json() for step in self.next_steps],
            "evidence": [record.to_json() for record in self.evidence],
            "kind": self.kind,
            "headline": self.headline,
            "hint": self.hint,
            "notes": list(self.notes),
            "subject": dict(self.subject),
            "proposal": self.proposal.to_json() if self.proposal else None,
            "model": dict(self.model),
        }
