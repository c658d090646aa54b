"""The conclusion of a language model, and how far it changes the answer of the rules.

The rules are the starting point, not the limit: a model may conclude what they did not. What it can't do is overrule what they are sure
of, name a cause without measurements of the object, or add a step: steps come from runbooks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel, Field

from sre_agent.evidence import EvidenceLog
from sre_agent.reasoners.claims import Checked, ModelClaim
from sre_agent.reasoners.instructions import gives_order, is_instruction
from sre_agent.reasoners.rules.vocabulary import CAUSES
from sre_agent.relations import Ref
from sre_agent.report import Claim, Confidence, Report, RootCause
from sre_core.redaction import redact

SURE = 0.8
"""The confidence from which the rules are not overruled: measured, they are never wrong with it (docs/concepts/diagnosis.md)."""
MOST_CONFIDENT = 0.75
"""A model's own confidence is not calibrated, so it never counts as high."""
MOST_FINDINGS = 12
MEASURING = ("kubernetes", "metrics")
"""The specialists whose observations are state and numbers. Logs, events' texts and runbooks are text that an attacker may have written."""


# What Kubernetes accepts: both get into commands that a person copies.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,118}[a-z0-9])?")
_KIND = re.compile(r"[A-Za-z]{0,40}")


class Conclusion(BaseModel):
    """The conclusion of the investigation."""

    verdict: Literal["root_cause_found", "nothing_wrong", "not_enough_evidence"]
    cause: str = Field(default="", max_length=60, description="The cause: a word of the given vocabulary.")
    kind: str = Field(default="", max_length=40, description="The kind of the object at fault, such as Deployment, Pod, Service or Node.")
    namespace: str = Field(default="", max_length=80)
    name: str = Field(default="", max_length=120, description="The name of the object at fault.")
    summary: str = Field(default="", max_length=300, description="One sentence: what broke and why. No advice.")
    confidence: float = Field(default=0.5, ge=0, le=1)
    claims: list[ModelClaim] = Field(default_factory=list, max_length=12)


@dataclass(frozen=True)
class Decision:
    """The report that results, and whether the cause in it is the model's."""

    report: Report
    is_models: bool = False


def decide(rules: Report, said: Conclusion, checked: Checked, log: EvidenceLog, measured: Mapping[str, str]) -> Decision:
    """Combine the rules' report with the model's conclusion. `measured` gives the specialist of each tool."""
    report = replace(rules, findings=_findings(rules, checked.accepted), evidence=tuple(log), notes=(*rules.notes, *_refusals(checked)))
    if said.verdict != "root_cause_found":
        return Decision(replace(report, notes=(*report.notes, *_other_verdict(rules, said))))
    cause = rules.root_cause
    if cause and (cause.kind, cause.ref.name) == (said.cause, said.name):
        return Decision(report)
    fault = find_fault(said, checked, log, measured)
    if fault:
        return Decision(replace(report, notes=(*report.notes, f"The cause that the language model named was refused: {fault}.")))
    if cause and cause.confidence.score >= SURE:
        note = f"The language model suspects another cause: {said.cause} of {said.name}. The rules are sure of theirs, so theirs is kept."
        return Decision(replace(report, notes=(*report.notes, note)))
    others = tuple(other for other in rules.other_causes if other.role == "further")
    if cause:
        others = (*others, replace(cause, role="second_best", against="the language model, which looked further, names another cause"))
    found = _root_cause(said, checked.accepted, log)
    return Decision(replace(report, verdict=found.verdict, root_cause=found, other_causes=others), is_models=True)


def find_fault(said: Conclusion, checked: Checked, log: EvidenceLog, measured: Mapping[str, str]) -> str:
    """Return why a model's cause can't be concluded; empty where it can."""
    if said.cause not in CAUSES:
        return "it is not in the vocabulary of causes"
    if not _NAME.fullmatch(said.name) or not _KIND.fullmatch(said.kind):
        return "its object has no name or kind that Kubernetes could have"
    if is_instruction(said.summary) or gives_order(said.summary):
        return "it tells people what to do"
    records = [log[claim.evidence] for claim in checked.accepted]
    if len({record.tool for record in records}) < 2:
        return "its accepted claims cite fewer than two tools"
    stated = [record for record in records if measured.get(record.tool) in MEASURING]
    if not any(said.name in record.excerpt or said.name in record.arguments.values() for record in stated):
        return f"no measurement that it cites is of {redact(said.name)}"
    return ""


def _root_cause(said: Conclusion, claims: tuple[ModelClaim, ...], log: EvidenceLog) -> RootCause:
    """State the model's cause. Its namespace is put into commands, so one that no cited observation names is left out."""
    seen = bool(_NAME.fullmatch(said.namespace)) and any(said.namespace in log[claim.evidence].excerpt for claim in claims)
    return RootCause(
        kind=said.cause,
        service=said.name,
        ref=Ref(kind=said.kind or "Deployment", namespace=said.namespace if seen else "", name=said.name),
        summary=redact(said.summary) or f"{said.name}: {CAUSES[said.cause].title}",
        confidence=Confidence(min(said.confidence, MOST_CONFIDENT)),
        reasons=tuple(redact(claim.claim) for claim in claims),
        affected=(),
        evidence=tuple(dict.fromkeys(claim.evidence for claim in claims)),
    )


def _findings(rules: Report, claims: tuple[ModelClaim, ...]) -> tuple[Claim, ...]:
    added = tuple(Claim(what=redact(claim.claim), evidence=(claim.evidence,)) for claim in claims)
    return (*added, *rules.findings)[:MOST_FINDINGS]


def _refusals(checked: Checked) -> tuple[str, ...]:
    if not checked.refused:
        return ()
    first = checked.refused[0].because
    number = len(checked.refused)
    return (f"{number} claim{'s' if number > 1 else ''} of the language model {'were' if number > 1 else 'was'} refused: {first}.",)


def _other_verdict(rules: Report, said: Conclusion) -> tuple[str, ...]:
    """Say that the model came to another verdict; the rules' one is kept, because it is proven by what was observed."""
    if rules.verdict == said.verdict:
        return ()
    words = {"nothing_wrong": "sees nothing wrong", "not_enough_evidence": "sees not enough evidence for a cause"}
    return (f"The language model {words[said.verdict]}. The rules' result is kept.",)
