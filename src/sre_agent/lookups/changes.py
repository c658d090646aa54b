"""Changes: the revisions of workloads in a time, and what each changed."""

from __future__ import annotations

import re

from sre_agent.lookups.lookup import MOST_LINES, Lookup, Said, View
from sre_agent.observations import Change
from sre_agent.question.intent import cue
from sre_agent.reading import moment
from sre_agent.report import Claim
from sre_agent.specialists.cluster_records import parse_changes
from sre_core import clock

_ROLLOUTS = r"rollouts?|rollbacks?|roll ?-?backs?|deployments?|deploys?|releases?|revisions?|versions?|changes?"
_HISTORY = re.compile(r"\b(histor(y|ies)|revisions)\b")


async def look(view: View) -> Said:
    """List the revisions, the newest first. Where no time is named, those of the last 24 hours; of one workload's history, all."""
    answer = await view.call("get_deployment_status", namespace=view.scope.namespace, deployment_name=view.name)
    scope = view.scope.at_least_a_day()
    as_of = moment(answer.data, "as_of") or clock.now()
    since, until = scope.since(as_of), scope.until or as_of
    every = sorted(parse_changes(answer), key=lambda change: change.at, reverse=True)
    # Of all workloads at once, the tool gives the newest revision of each.
    kept = bool(view.subject) and not view.scope.named and bool(_HISTORY.search(view.words))
    found = every if kept else [change for change in every if since <= change.at <= until]
    lines = [
        Claim(
            what=f"{clock.stamp(change.at)} {change.service} revision {change.revision}: {_describe(change)}",
            at=change.at,
            evidence=(view.log.record(change.source),),
        )
        for change in found[:MOST_LINES]
    ]
    count = f"{len(found)} change{'' if len(found) == 1 else 's'}" if found else "Nothing changed"
    last = (
        f"The newest change: {every[0].service} revision {every[0].revision} at {clock.stamp(every[0].at)}." if every and not found else ""
    )
    place = f" {'of' if found else 'in'} {view.name}" if view.subject else ""
    time = "in the revisions that Kubernetes keeps" if kept else f"from {clock.stamp(since)} to {clock.stamp(until)}"
    return Said(headline=f"{count}{place} {time}", lines=lines, hint=last, subject=view.subject)


def _describe(change: Change) -> str:
    return "; ".join(change.differences) or "no difference in the pod template"


LOOKUP = Lookup(
    kind="changes",
    example="What changed since yesterday?",
    look=look,
    cues=(
        cue(9, r"\b(was|were) (\S+ ){1,3}(deployed|released|rolled out|updated|upgraded|changed)\b"),
        cue(8, r"\bdeployments?\b.*\b(made|done|happened|went out)\b"),
        cue(9, r"\bdeployments (of|from|on) (last|this|yesterday|today|\w+day)\b"),
        cue(9, r"\w+day's (deployments|releases|rollouts)\b"),
        cue(
            11,
            r"\bwhat\b.{0,30}\bchanged?\b|\bwhat changes\b|\bhas (anything|something) changed\b|\b(did"
            r"|has) (any(thing|one|body)|some(thing|one|body)) (been )?(changed?|deploy(ed)?|released?)\b",
        ),
        cue(6, r"\b(changes|changed|rollouts?|releases?|revisions?|deploys)\b"),
        cue(
            9,
            r"\b(was|were|been|got|has|who|anything|what|something|when|recently|last) (last |recently "
            r"|just )?(deployed|released|rolled out|shipped|updated|upgraded|pushed|went out|went live)\b|\b(when|who)\b.*\b(deployed"
            r"|released|rolled out|deploy|release)\b",
        ),
        cue(
            7,
            r"\b(recent|latest|last|new|newest) (deployments?|changes?|releases?|rollouts?|deploys?|versions?"
            r"|revisions?)\b|\bdeployments? (since|today|yesterday|in the last|history)\b",
        ),
        cue(9, rf"\b({_ROLLOUTS}) histor(y|ies)\b|\bhistor(y|ies) of (the |its |our |all )?([\w.-]+ )?({_ROLLOUTS})\b"),
        cue(9, r"\bdifferent (from|than|since|compared)\b|\bdifferences? (from|to|since|between)\b"),
        cue(
            9,
            r"\b(anything|something|anyone|anybody|someone|somebody|who|what|was|were)\b.*\b(modified|altered|edited|touch(ed)?|adjusted)\b",
        ),
        cue(9, r"\b(anything|something|what|who|nothing)\b.{0,30}\b(go|goes|going|gone|went) (out|live)\b"),
        cue(8, r"\bwhat is (new|different)\b|\bwhich version\b|\bwhat version\b"),
    ),
)
