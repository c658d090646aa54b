"""The operations on runbooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from sre_services.answer import Answer, render_answer
from sre_services.parameters import CONTINUES, Operation, Service, accept_any_case
from sre_services.runbooks import views
from sre_services.runbooks.model import Library
from sre_services.runbooks.scoring import rank_runbooks
from sre_services.syntax import NAME, WORDS


async def _library(request: Request) -> Library:
    found: Library = request.app.state.provider
    return found


Provider = Annotated[Library, Depends(_library)]
IncidentType = Annotated[
    str,
    Query(
        description="The kind of incident in a few words, for example 'crash loop', 'out of memory', 'high latency'.",
        max_length=200,
        json_schema_extra=WORDS.schema,
    ),
    WORDS.validator,
]
Keyword = Annotated[
    str,
    Query(description="Words to look for in titles, symptoms and text.", max_length=200, json_schema_extra=WORDS.schema),
    WORDS.validator,
]
Severity = Annotated[
    Literal["all", "critical", "high", "medium", "low"],
    accept_any_case("all", "critical", "high", "medium", "low"),
    Query(description="Only runbooks of this severity."),
]
PlaybookId = Annotated[
    str,
    Query(description="The playbook_id that search_runbooks gave.", max_length=100, json_schema_extra=NAME.required_schema),
    NAME.validator,
]
Category = Annotated[
    str,
    Query(
        description="An area such as 'kubernetes', 'database', 'network', 'performance' or 'deployment'.",
        max_length=100,
        json_schema_extra=WORDS.schema,
    ),
    WORDS.validator,
]
IssueType = Annotated[
    str,
    Query(description="The issue in a few words, for example 'container restarts'.", max_length=200, json_schema_extra=WORDS.schema),
    WORDS.validator,
]
Issue = Annotated[
    str,
    Query(description="What is wrong, in a few words or as an error message.", max_length=300, json_schema_extra=WORDS.schema),
    WORDS.validator,
]

router = APIRouter(route_class=Operation, dependencies=CONTINUES)


@router.get("/runbooks/search", operation_id="search_runbooks", summary="Find runbooks for an incident")
def search_runbooks(library: Provider, incident_type: IncidentType = "", keyword: Keyword = "", severity: Severity = "all") -> Response:
    """Runbooks ranked by how well they fit, each with its playbook_id, file, the heading that fits best and an excerpt. Without
    incident_type and keyword all are listed."""
    hits = rank_runbooks(views.select_severity(library.runbooks(), severity), f"{incident_type} {keyword}")
    return _answer(library, [views.to_search_hit(hit) for hit in hits])


@router.get("/runbooks/playbook", operation_id="get_incident_playbook", summary="The steps of one runbook")
def get_incident_playbook(library: Provider, playbook_id: PlaybookId) -> Response:
    """Return one runbook: symptoms, numbered steps and escalation. A step with changes=true alters the system and needs a human's
    approval; the others only look."""
    return _answer(library, [views.extract_playbook(runbook) for runbook in library.runbooks() if runbook.id == playbook_id.strip()])


@router.get("/runbooks/troubleshooting", operation_id="get_troubleshooting_guide", summary="How to find the cause of an issue")
def get_troubleshooting_guide(library: Provider, category: Category = "", issue_type: IssueType = "") -> Response:
    """Return the diagnosis sections of the runbooks that fit, the best first, with the steps that only look."""
    chosen = views.select_category(library.runbooks(), category)
    question = issue_type if chosen else f"{category} {issue_type}"
    return _answer(library, [views.extract_guide(hit.runbook) for hit in rank_runbooks(chosen or library.runbooks(), question)])


@router.get("/runbooks/escalation", operation_id="get_escalation_procedures", summary="Whom to inform, and when")
def get_escalation_procedures(library: Provider, severity: Severity = "all", incident_type: IncidentType = "") -> Response:
    """Roles and contacts of the runbooks that fit, with the minutes without progress after which to inform them."""
    hits = rank_runbooks(views.select_severity(library.runbooks(), severity), incident_type)
    return _answer(library, [views.extract_escalation(hit.runbook) for hit in hits if hit.runbook.escalation])


@router.get("/runbooks/resolutions", operation_id="get_common_resolutions", summary="What usually resolves an issue")
def get_common_resolutions(library: Provider, issue: Issue = "", service: Service = "") -> Response:
    """Return the resolution sections of the runbooks that fit, the best first, with the steps that change something. Runbooks that
    name no services are for every service."""
    chosen = views.select_service(library.runbooks(), service)
    return _answer(library, [views.extract_resolution(hit.runbook) for hit in rank_runbooks(chosen, issue)])


def _answer(library: Library, items: Sequence[object]) -> Response:
    known = [runbook.id for runbook in library.runbooks()]
    note = "" if items else f"No runbook fits. Runbooks: {', '.join(known) or 'none'}."
    more = "Ask with more specific words, or get_incident_playbook for one."
    return render_answer(Answer(as_of=library.as_of, items=items, summary={"found": len(items)}, note=note, more=more))
