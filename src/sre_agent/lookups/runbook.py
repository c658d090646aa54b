"""Runbooks: the one that fits, with its first steps."""

from __future__ import annotations

import json
import re

from sre_agent.evidence import Answer
from sre_agent.lookups.lookup import Lookup, Said, View
from sre_agent.question.intent import cue
from sre_agent.question.wording import split_words
from sre_agent.reading import Json, objects, part, text, texts
from sre_agent.report import Claim

MOST_STEPS = 5
# Words of the request itself, not of the incident.
_ASKING_WORDS = """
a about all am an and any apply are at be being best call can case contact could cover covers deal dealing dealt described
describes did do doc docs documentation documented does duty escalate escalation event exist exists expected find fix follow for
get gets give guide handle handled handling happen happens has have help how i if in incident inform is issue issues it its keep
keeps list look me meant my need notify now of on on-call oncall one or our page person playbook playbooks please problem
problems procedure procedures respond responsible right runbook runbooks see should show situation some somebody someone start
step steps supposed tell that the there this to tonight us use wake want we what when whenever where which who whom with would
written you
"""
_ASKING = frozenset(_ASKING_WORDS.split())
_ALL = re.compile(
    r"\b(which|what|list|all|show|how many)\b.{0,25}\b(runbooks|playbooks|procedures)\b.{0,30}(\bare there\b"
    r"|\bdo (we|you) have\b|\bexist|\bavailable\b|$)"
)
_SPELLINGS = {
    "oom": "out of memory oom",
    "oomkilled": "out of memory oom",
    "5xx": "error rate",
    "slow": "latency",
    "rollback": "rollout",
    "crashloop": "crash loop",
}


def incident_words(words: str) -> str:
    """Return the words of a question that describe an incident."""
    kept = [word for word in split_words(words) if word not in _ASKING]
    return " ".join(_SPELLINGS.get(word, word) for word in kept)


async def look(view: View) -> Said:
    """Find the runbook that fits the words of the question, and show its steps; without such words, list all."""
    wanted = "" if _ALL.search(view.words) and not view.name else incident_words(view.words)
    answer = await view.call("search_runbooks", incident_type=wanted, keyword="")
    hits = objects(answer.data, "items")
    if not hits:
        return await _none_fits(view, wanted)
    if not wanted:
        return _list(view, answer, hits)
    best = hits[0]
    playbook = await view.call("get_incident_playbook", playbook_id=text(best, "playbook_id"))
    others = [text(hit, "playbook_id") for hit in hits[1:3]]
    return Said(
        headline=f"Runbook {text(best, 'playbook_id')}: {text(best, 'title')} (severity {text(best, 'severity')})",
        lines=_steps(view, playbook),
        hint=f"Also possible: {', '.join(others)}." if others else "",
    )


async def _none_fits(view: View, wanted: str) -> Said:
    answer = await view.call("search_runbooks")
    said = _list(view, answer, objects(answer.data, "items"))
    return Said(headline=f"No runbook fits “{wanted}”", lines=said.lines, verdict="not_found")


def _list(view: View, answer: Answer, hits: tuple[Json, ...]) -> Said:
    lines = []
    for severity in dict.fromkeys(text(hit, "severity") for hit in hits):
        names = [text(hit, "playbook_id") for hit in hits if text(hit, "severity") == severity]
        lines.append(Claim(what=f"{severity}: {', '.join(names)}", evidence=view.cite(answer, json.dumps(names))))
    return Said(headline=f"{len(hits)} runbooks", lines=lines, hint="Its steps: which runbook is for ... (name an incident or a runbook).")


def _steps(view: View, playbook: Answer) -> list[Claim]:
    """Return the first steps that look, and those that change something, which need a person's approval."""
    [item, *_] = objects(playbook.data, "items") or ({},)
    steps = objects(item, "steps")
    looks, acts = ([step for step in steps if (part(step, "changes") is not False) is changes] for changes in (False, True))
    chosen = [*looks[: max(2, MOST_STEPS - len(acts))], *acts][:MOST_STEPS]
    claims = [Claim(what=_describe(step), evidence=view.cite(playbook, json.dumps(step))) for step in chosen]
    symptoms = texts(item, "symptoms")[:2]
    about = [Claim(what=f"for: {'; '.join(symptoms)}", evidence=view.cite(playbook, json.dumps(symptoms)))] if symptoms else []
    return [*about, *claims]


def _describe(step: Json) -> str:
    command = f" ({text(step, 'command')})" if text(step, "command") else ""
    approval = "" if part(step, "changes") is False else " — changes something, needs approval"
    return f"step {text(step, 'number')}: {text(step, 'do')}{command}{approval}"


LOOKUP = Lookup(
    kind="runbook",
    example="Which runbook is for high latency?",
    about="words",
    look=look,
    cues=(
        cue(19, r"\bwhat (now|to do)\b|\bwhat (is )?next\b|\b(what|which) steps\b|\bsteps to take\b"),
        cue(13, r"\bwhat (am|are|is) (i|we|you|one) (supposed|meant|expected) to do\b"),
        cue(10, r"\b(written down|documented|described)\b|\bwhere is it written\b"),
        cue(13, r"\bwhat (is|has|can|should|must|needs)( to)? be done\b"),
        cue(18, r"\bhow\b.{1,40}\b(is|are|be) (handled|dealt with|treated)\b"),
        cue(32, r"\bhow (to|do (i|we|you)) (fix|solve|resolve|repair) .*\b(problems?|errors?|failures?|issues?)\b"),
        cue(8, r"\b(docs|documentation)\b"),
        cue(10, r"^(the |any |is there (a|any) )?(procedures?|steps|docs|instructions|guide)$"),
        cue(6, r"\b(run ?books?|playbooks?) (for|on|about|against)\b"),
        cue(16, r"\bsteps (for|against|when|if)\b"),
        cue(12, r"\bguides\b.*\b(incidents?|available|are there|do we have)\b"),
        cue(12, r"\b(run ?books?|playbooks?)\b"),
        cue(
            19,
            r"(?<!escalation )\b(procedures?|documentation|guide|instructions) (for|when|about|on|to|if)\b|\b(is|are) there (a "
            r"|any )?(guide|procedure|documentation|docs)\b",
        ),
        cue(
            13,
            r"\bwhat (should|do|can|must|to|shall) ?(i|we|you)? do (about|when|if|for|against|in case|with)\b"
            r"|\bwhat to do (about|when|if|for|against|in case|with)\b",
        ),
        cue(
            13,
            r"\bhow (do|does|should|can|would|must) (i|we|you|one) (handle|deal with|respond to|react to|treat"
            r"|approach|troubleshoot|debug)\b|\bhow to (handle|deal with|respond to|react to|troubleshoot"
            r"|debug)\b",
        ),
    ),
)
