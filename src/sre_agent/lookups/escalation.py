"""Escalation: who is on call, and whom to inform when."""

from __future__ import annotations

import json

from sre_agent.lookups.lookup import Lookup, Said, View
from sre_agent.lookups.runbook import incident_words
from sre_agent.question.intent import cue
from sre_agent.reading import objects, text
from sre_agent.report import Claim


async def look(view: View) -> Said:
    """Show the contacts of the runbook that fits; without words about an incident, those that every runbook names first."""
    wanted = incident_words(view.words)
    answer = await view.call("get_escalation_procedures", incident_type=wanted)
    found = objects(answer.data, "items")
    if not found and wanted:
        answer, wanted = await view.call("get_escalation_procedures"), ""
        found = objects(answer.data, "items")
    if not found:
        return Said(headline="No runbook names a contact", verdict="not_found")
    chosen = found[0] if wanted else _most_common(list(found))
    lines = [
        Claim(
            what=f"{_when(text(level, 'after_minutes'))}: {text(level, 'role')}, {text(level, 'contact')}",
            evidence=view.cite(answer, json.dumps(level)),
        )
        for level in objects(chosen, "escalation")[:6]
    ]
    about = (
        f"runbook {text(chosen, 'playbook_id')}, severity {text(chosen, 'severity')}"
        if wanted
        else f"the same in most of {len(found)} runbooks"
    )
    return Said(headline=f"Whom to inform ({about})", lines=lines, hint="Names of persons are in your pager, not in runbooks.")


def _most_common(found: list[object]) -> object:
    """Return the runbook whose contacts most runbooks share."""
    keys = [json.dumps(list(objects(item, "escalation")), sort_keys=True) for item in found]
    return found[keys.index(max(keys, key=keys.count))]


def _when(minutes: str) -> str:
    return "at once" if minutes in {"0", ""} else f"after {minutes} minutes without progress"


LOOKUP = Lookup(
    kind="escalation",
    example="Who is on call for failed orders?",
    about="words",
    look=look,
    cues=(
        cue(8, r"^(to )?whom?\b.*\bescalat"),
        cue(14, r"\b(contact|responsible) (persons?|people|details)\b|\bcontacts? for\b"),
        cue(13, r"\bon[- ]?call\b|\bescalat\w+\b|\bincident commander\b|\bon duty\b"),
        cue(
            13,
            r"\bwho(m)?\b.*\b(call(ed)?|paged?|contact(ed)?|wake|tell|told"
            r"|inform(ed)?|notify|notified|ask(ed)?|phoned?|ping(ed)?|reach(ed)?|responsible|owns?|alert|involve"
            r"|takes? over|steps? in|talk to|speak to|help)\b",
        ),
        cue(13, r"\b(which|what) (team|person|people|group)\b.*\b(paged?|called|notified|contacted|informed|responsible|owns?)\b"),
        cue(12, r"\b(pager|whose turn)\b"),
        cue(6, r"\bcontacts?\b"),
        cue(12, r"\bwhose (service|phone|pager)\b|\b(pager|contacts?|phone) (number|list|for)\b"),
    ),
)
