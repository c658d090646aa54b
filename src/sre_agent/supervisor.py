"""One question: it is understood, then looked up, or investigated by four specialists and the reasoner."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sre_agent import subjects
from sre_agent.calls import Answers, CountedTools
from sre_agent.evidence import Answer, EvidenceLog, new_investigation_id
from sre_agent.lookups import write
from sre_agent.lookups.lookup import View
from sre_agent.lookups.registry import CUES, LOOKUPS
from sre_agent.observations import Observations
from sre_agent.question import times
from sre_agent.question.intent import CAPABILITIES, LANGUAGE, Intent, parse_intent
from sre_agent.question.names import match_left_out, strip_left_out
from sre_agent.reading import moment, objects
from sre_agent.reasoners import Inquiry, Reasoner
from sre_agent.report import Report
from sre_agent.request import Request
from sre_agent.scope import BEFORE, Scope, find_service, parse_prompt
from sre_agent.specialists import gaps, kubernetes, logs, metrics
from sre_agent.specialists.runbooks import MOST_RUNBOOK_CALLS
from sre_agent.subjects import Unknown
from sre_agent.tools import Tools
from sre_agent.watching import Watch
from sre_core import clock

# The lists that are read on first: those in which a name that is not seen changes most.
PAGED = (*kubernetes.PAGED[:3], *logs.PAGED[:1], *metrics.PAGED[:3], *kubernetes.PAGED[3:], *logs.PAGED[1:], *metrics.PAGED[3:])

_SEEN_NOW = "Pods, revisions and nodes are seen as they are now; logs, metrics and events are those of the time that was asked for."


async def investigate(prompt: str, tools: Tools, reasoner: Reasoner) -> Report:
    """Answer a question that comes without options and without a conversation."""
    return await answer(Request(prompt=prompt), tools, reasoner)


async def answer(request: Request, tools: Tools, reasoner: Reasoner, watch: Watch | None = None) -> Report:
    """Answer a question: the question decides whether it is looked up or investigated. `watch` sees what a model does."""
    started = clock.now()
    intent = _continue(parse_intent(request.prompt, CUES), request)
    counted = CountedTools(tools)
    scope = await _parse_scope(request, intent, counted)
    view = View(request.prompt, intent, scope, counted, EvidenceLog(new_investigation_id()))
    if intent.kind == LANGUAGE:
        return write.not_understood(view, started, f"This is {intent.language}; the assistant understands English only.")
    if empty := await subjects.find_empty_namespace(view, request):
        return write.unknown_name(view, started, empty)
    subject = await subjects.find_subject(view, request)
    if isinstance(subject, Unknown) and not subject.only_a_note:
        return write.unknown_name(view, started, subject)
    if subject and not isinstance(subject, Unknown):
        if subjects.is_left_out(view, subject, request):
            view.left_out = subject
        else:
            view.subject = subject
    lookup = LOOKUPS.get(subjects.kind_of_answer(view, request))
    if lookup is None:
        return write.not_understood(view, started)
    notes = (subject.note,) if isinstance(subject, Unknown) else subjects.note_unknown(view)
    if view.left_out and lookup.kind != "health" and match_left_out(view.words, [view.left_out.name]):
        notes = (f"{view.left_out.name} could not be left out: this is about everything.",)
    if lookup.look is not None:
        notes = notes or subjects.note_others(view)
        return replace(write.write_answer(view, lookup.kind, started, await lookup.look(view)), notes=notes)
    inquiry = Inquiry(prompt=request.prompt, scope=scope, started_at=started, watch=watch)
    if scope.until:
        notes = (*notes, _SEEN_NOW)
    report = await _diagnose(view, inquiry, reasoner)
    return replace(report, notes=(*report.notes, *notes), subject=write.subject_of(view) or _service_of(report))


def _service_of(report: Report) -> Mapping[str, str]:
    """Return the service that the reasoner found in the words of the question, for the question that follows."""
    service = report.scope["service"]
    return {} if service == "all" else {"name": service, "kind": "service", "namespace": ""}


async def _diagnose(view: View, inquiry: Inquiry, reasoner: Reasoner) -> Report:
    observations = await _observe(view.tools, inquiry.scope)
    service = view.name or find_service(strip_left_out(inquiry.prompt), observations.services)
    return await reasoner.conclude(replace(inquiry, scope=replace(inquiry.scope, service=service)), observations, view.tools)


def _continue(intent: Intent, request: Request) -> Intent:
    """Give a question that only names another subject or another time the kind of the one before."""
    before = request.before
    if intent.kind == CAPABILITIES and intent.continues and before and before.kind in LOOKUPS:
        return replace(intent, kind=before.kind)
    return intent


async def _parse_scope(request: Request, intent: Intent, tools: Tools) -> Scope:
    """Parse when and where to look; options are stronger than the question, and this question than the one before."""
    words = request.time_words(continues=intent.continues)
    now = await _read_clock(tools) if times.names_moment(words) else clock.now()
    lead = BEFORE if intent.kind == "diagnosis" else BEFORE * 0
    scope = parse_prompt(words, now, lead=lead)
    namespace = request.namespace or parse_prompt(request.prompt, now).namespace
    return replace(scope, namespace=namespace)


async def _read_clock(tools: Tools) -> datetime:
    """Read the time of the tools: a recording's now is not this machine's."""
    answered = await tools.call("get_node_status")
    return moment(answered.data, "as_of") or clock.now()


async def _observe(tools: CountedTools, scope: Scope) -> Observations:
    """Let the specialists look, and look further where their answers give a reason, within the calls of one question."""
    cluster, others = await asyncio.gather(_ask_cluster(tools, scope), tools.call_all((*logs.plan(scope), *metrics.plan(scope))))
    scope, answers = cluster[0], {**cluster[1], **others}
    further = tuple(kubernetes.plan_further(scope, answers))
    spare = max(0, tools.left - _reserve(answers))
    answers |= await tools.call_all(further[:spare])
    answers = await tools.read_on(answers, PAGED, spare - len(further))
    unasked = Observations(gaps=tuple(gaps.describe_unasked(call) for call in further[spare:]))
    return sum((parse(answers) for parse in (kubernetes.parse, logs.parse, metrics.parse)), unasked)


async def _ask_cluster(tools: CountedTools, scope: Scope) -> tuple[Scope, dict[str, Answer]]:
    """Ask about the cluster. Where the default namespace has no pods, look at every namespace."""
    pods = await tools.call("get_pod_status", namespace=scope.namespace)
    if not scope.namespace and not pods.failure and not objects(pods.data, "items"):
        scope = replace(scope, namespace="all")
    return scope, await tools.call_all(kubernetes.plan(scope))


def _reserve(answers: Answers) -> int:
    """Return how many calls the reasoner needs: for runbooks, and for errors and trends of suspects where not all were seen."""
    errors = 0 if logs.sees_all_errors(answers.values()) else logs.MOST_SUSPECTS
    return MOST_RUNBOOK_CALLS + errors + (0 if metrics.sees_all_trends(answers.values()) else 1)
