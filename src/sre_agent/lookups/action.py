"""A wish to act: the step of a runbook for it, its command, and who may run it. Nothing is executed here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from sre_agent.evidence import Answer
from sre_agent.lookups.lookup import Lookup, Said, View
from sre_agent.lookups.verbs import CUES, Verb, find_verb
from sre_agent.reading import Json, objects, text
from sre_agent.report import Claim, Proposal
from sre_agent.runbook_commands import fill_names


@dataclass(frozen=True)
class _Found:
    """A step of a runbook that does what was asked, and the answer that shows it."""

    runbook: Json
    step: Json
    source: Answer


async def look(view: View) -> Said:
    """Find the step of a runbook that does what was asked, with names filled in; name the nearest steps where none does."""
    verb = find_verb(view.words)
    answer = await view.call("get_common_resolutions", issue=f"{verb.search} {view.name}".strip(), service=_service(view))
    found = _steps(answer, verb)
    if not found and verb.search:
        answer = await view.call("get_common_resolutions")
        found = _steps(answer, verb)
    if not found:
        return _no_step(view, verb, answer)
    contacts = await view.call("get_escalation_procedures", incident_type=text(found[0].runbook, "title"))
    return _propose(view, verb, found[0], contacts)


def _propose(view: View, verb: Verb, found: _Found, contacts: Answer) -> Said:
    playbook, number, do = text(found.runbook, "playbook_id"), text(found.step, "number"), text(found.step, "do")
    command = _fill(text(found.step, "command"), view)
    role, cited = _first_role(contacts, playbook), view.cite(found.source, json.dumps(found.step))
    lines = [
        Claim(what=f"runbook {playbook}, step {number}: {do}", evidence=cited),
        Claim(what=f"command: {command}", evidence=cited),
        Claim(
            what=f"who may run it: {role}, with the permission to {verb.permission}{_where(view)}",
            evidence=_cite_role(view, contacts, playbook),
        ),
    ]
    if re.search(r"\b(NAME|NODE|POD)\b", command):
        lines.append(Claim(what="replace the words in capitals: the question names nothing that they could be", evidence=cited))
    return Said(
        headline=f"{verb.title}{_named(view)}: nothing was done, this version only looks",
        lines=lines,
        hint="Before it, see whether it is the right step (what is wrong?).",
        subject=view.subject,
        proposal=Proposal(runbook=playbook, step=number, text=do, command=command, role=role, subject=view.name),
    )


def _no_step(view: View, verb: Verb, answer: Answer) -> Said:
    every = {text(found.step, "command"): found for found in _steps(answer, None) if text(found.step, "command")}
    lines = [
        Claim(
            what=f"runbook {text(found.runbook, 'playbook_id')}, step {text(found.step, 'number')}: {_fill(command, view)}",
            evidence=view.cite(answer, json.dumps(found.step)),
        )
        for command, found in list(every.items())[:4]
    ]
    return Said(
        headline=f"{verb.title}{_named(view)}: no runbook has a step for it, and nothing was done",
        lines=lines,
        hint="The steps above are those of runbooks that change something.",
        subject=view.subject,
        verdict="not_found",
    )


def _named(view: View) -> str:
    return f" {view.name}" if view.subject else ""


def _service(view: View) -> str:
    return view.name if view.subject and view.subject.kind == "service" else ""


def _steps(answer: Answer, verb: Verb | None) -> list[_Found]:
    """Return the steps whose command does what was asked; those for any service before those that name one."""
    found = [
        _Found(item, step, answer)
        for item in objects(answer.data, "items")
        for step in objects(item, "steps")
        if verb is None or verb.command.search(text(step, "command"))
    ]
    return sorted(found, key=lambda one: not re.search(r"\b(NAME|NODE|POD)\b", text(one.step, "command")))


def _fill(command: str, view: View) -> str:
    """Put the names of the question into a command of a runbook."""
    subject, asked = view.subject, view.scope.namespace
    namespace = (subject.namespace if subject else "") or ("" if asked == "all" else asked)
    place = {"node": "NODE", "pod": "POD"}.get(subject.kind if subject else "", "NAME")
    return fill_names(command, {"NAMESPACE": namespace, place: view.name})


def _first_role(contacts: Answer, playbook: str) -> str:
    levels = _levels(contacts, playbook)
    return f"{text(levels[0], 'role')} ({text(levels[0], 'contact')})" if levels else "the team that owns it"


def _levels(contacts: Answer, playbook: str) -> tuple[Json, ...]:
    items = objects(contacts.data, "items")
    own = [item for item in items if text(item, "playbook_id") == playbook] or list(items[:1])
    return objects(own[0], "escalation") if own else ()


def _cite_role(view: View, contacts: Answer, playbook: str) -> tuple[str, ...]:
    levels = _levels(contacts, playbook)
    return view.cite(contacts, json.dumps(levels[0])) if levels else ()


def _where(view: View) -> str:
    namespace = view.subject.namespace if view.subject else view.scope.namespace
    return f" in namespace {namespace}" if namespace and namespace != "all" else ""


LOOKUP = Lookup(
    kind="action",
    example="Restart orders.",
    look=look,
    cues=CUES,
)
