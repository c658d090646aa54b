"""The parts of a runbook that answer a question; each cites the file and its heading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre_services.answer import clip_text
from sre_services.runbooks.model import Contact, Runbook, Section, Step
from sre_services.runbooks.scoring import Hit

_EXCERPT = 400
_DIAGNOSIS, _RESOLUTION = "diagnosis", "resolution"


@dataclass(frozen=True, kw_only=True)
class SearchHit:
    """A runbook that fits, with enough detail to choose."""

    playbook_id: str
    title: str
    file: str
    heading: str
    score: float
    severity: str
    category: str
    services: Sequence[str]
    incident_types: Sequence[str]
    symptoms: Sequence[str]
    excerpt: str
    source: str = ""


@dataclass(frozen=True, kw_only=True)
class NumberedStep:
    """A step with its number in the runbook, for citations and approvals."""

    number: int
    do: str
    changes: bool
    command: str
    tool: str


@dataclass(frozen=True, kw_only=True)
class Extract:
    """Part of a runbook."""

    playbook_id: str
    title: str
    file: str
    heading: str
    severity: str
    symptoms: Sequence[str] = ()
    text: str = ""
    steps: Sequence[NumberedStep] = ()
    escalation: Sequence[Contact] = ()
    source: str = ""


def select_severity(runbooks: Sequence[Runbook], severity: str) -> list[Runbook]:
    """Select the runbooks of this severity."""
    return [runbook for runbook in runbooks if severity in ("all", runbook.severity)]


def select_category(runbooks: Sequence[Runbook], category: str) -> list[Runbook]:
    """Select the runbooks of this category, ignoring case; all without one."""
    return [runbook for runbook in runbooks if category.strip().lower() in ("", runbook.category.lower())]


def select_service(runbooks: Sequence[Runbook], service: str) -> list[Runbook]:
    """Select the runbooks for this service or for every service."""
    return [runbook for runbook in runbooks if not service or not runbook.services or service in runbook.services]


def to_search_hit(hit: Hit) -> SearchHit:
    """Convert a hit to an item of an answer."""
    runbook, section = hit.runbook, hit.section or next(iter(hit.runbook.sections), None)
    return SearchHit(
        playbook_id=runbook.id,
        title=runbook.title,
        file=runbook.file,
        heading=section.heading if section else "",
        score=round(hit.score, 2),
        severity=runbook.severity,
        category=runbook.category,
        services=runbook.services,
        incident_types=runbook.incident_types,
        symptoms=runbook.symptoms,
        excerpt=clip_text(section.text, _EXCERPT) if section else "",
        source=runbook.source,
    )


def extract_playbook(runbook: Runbook) -> Extract:
    """Extract everything that is to be done."""
    return _extract(runbook, "Steps", symptoms=runbook.symptoms, steps=_numbered(runbook), escalation=runbook.escalation)


def extract_guide(runbook: Runbook) -> Extract:
    """Extract how to find the cause: the diagnosis, and the steps that only look."""
    section = _section(runbook, _DIAGNOSIS)
    looking = [step for step in _numbered(runbook) if not step.changes]
    return _extract(runbook, section.heading, symptoms=runbook.symptoms, text=section.text, steps=looking)


def extract_resolution(runbook: Runbook) -> Extract:
    """Extract how to resolve it: the resolution, and the steps that change something."""
    section = _section(runbook, _RESOLUTION)
    return _extract(runbook, section.heading, text=section.text, steps=[step for step in _numbered(runbook) if step.changes])


def extract_escalation(runbook: Runbook) -> Extract:
    """Extract whom to inform."""
    return _extract(runbook, "Escalation", escalation=runbook.escalation)


def _extract(
    runbook: Runbook,
    heading: str,
    *,
    symptoms: Sequence[str] = (),
    text: str = "",
    steps: Sequence[NumberedStep] = (),
    escalation: Sequence[Contact] = (),
) -> Extract:
    return Extract(
        playbook_id=runbook.id,
        title=runbook.title,
        file=runbook.file,
        heading=heading,
        severity=runbook.severity,
        symptoms=symptoms,
        text=text,
        steps=steps,
        escalation=escalation,
        source=runbook.source,
    )


def _section(runbook: Runbook, beginning: str) -> Section:
    fitting = (section for section in runbook.sections if section.heading.lower().startswith(beginning))
    return next(fitting, Section(heading="", text=""))


def _numbered(runbook: Runbook) -> list[NumberedStep]:
    return [_step(number, step) for number, step in enumerate(runbook.steps, start=1)]


def _step(number: int, step: Step) -> NumberedStep:
    return NumberedStep(number=number, do=step.do, changes=step.changes, command=step.command, tool=step.tool)
