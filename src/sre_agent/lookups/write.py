"""The report of a look-up: the same form as that of a diagnosis, so that it is kept, cited and shown alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import cast

from sre_agent.evidence import Answer, Excerpt
from sre_agent.lookups.capabilities import LINES
from sre_agent.lookups.lookup import Said, View
from sre_agent.reading import objects, text
from sre_agent.report import Claim, Report, Verdict
from sre_agent.specialists.gaps import record_answers
from sre_agent.subjects import Unknown
from sre_core import clock

MOST_NAMES = 12


def write_answer(view: View, kind: str, started: datetime, said: Said) -> Report:
    """Write the report of a look-up. A call that failed is a gap; an empty answer is an answer."""
    gaps = record_answers(searches=tuple(view.answers)).gaps
    failed = [gap for gap in gaps if gap.failed]
    nothing = bool(failed) and not said.lines
    return Report(
        investigation_id=view.log.investigation_id,
        prompt=view.prompt,
        scope=view.scope.to_json(),
        started_at=started,
        finished_at=clock.now(),
        reasoner="look-up",
        verdict="not_enough_evidence" if nothing else cast("Verdict", said.verdict),
        root_cause=None,
        findings=tuple(said.lines) or _explain_empty(view),
        timeline=(),
        ruled_out=(),
        gaps=gaps,
        checked=(),
        next_steps=(),
        evidence=tuple(view.log),
        kind=kind,
        headline="The answer could not be looked up" if nothing else said.headline,
        hint=said.hint,
        subject=subject_of(view),
        proposal=said.proposal,
    )


def _explain_empty(view: View) -> tuple[Claim, ...]:
    """Return what the tools say of an empty answer: which names and times there are."""
    notes = {text(answer.data, "note"): answer for answer in view.answers if text(answer.data, "note")}
    return tuple(Claim(what=note, evidence=(view.log.record(Excerpt(answer, note)),)) for note, answer in notes.items())[:2]


def not_understood(view: View, started: datetime, headline: str = "") -> Report:
    """Say what the assistant can do, in three lines."""
    lines = [Claim(what=line, evidence=()) for line in LINES]
    said = Said(headline=headline or "Ask about incidents of the cluster, for example", lines=lines, verdict="not_understood")
    return write_answer(view, view.intent.kind, started, said)


def unknown_name(view: View, started: datetime, unknown: Unknown) -> Report:
    """Say that a thing does not exist, with the nearest names."""
    cited = tuple(view.log.record(Excerpt(answer, _names(answer))) for answer in unknown.answers)
    lines = [f"nearest: {', '.join(unknown.nearest)}"] if unknown.nearest else []
    more = "" if len(unknown.known) <= MOST_NAMES else f" and {len(unknown.known) - MOST_NAMES} more"
    lines.append(
        f"there are: {', '.join(unknown.known[:MOST_NAMES])}{more}" if unknown.known else "no name could be found where it was looked for"
    )
    headline = unknown.headline or f"There is nothing named {unknown.name}"
    said = Said(headline=headline, lines=[Claim(what=line, evidence=cited) for line in lines], verdict="not_found")
    return write_answer(view, view.intent.kind, started, said)


def _names(answer: Answer) -> str:
    return json.dumps([text(item, "name") for item in objects(answer.data, "items")])


def subject_of(view: View) -> Mapping[str, str]:
    """Return the subject as reports keep it, for the question that follows."""
    subject = view.subject
    return {"name": subject.name, "kind": subject.kind, "namespace": subject.namespace} if subject else {}
