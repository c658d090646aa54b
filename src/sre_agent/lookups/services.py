"""Services and workloads: which there are."""

from __future__ import annotations

import json

from sre_agent.lookups.lookup import MOST_LINES, Lookup, Said, View
from sre_agent.question.intent import cue
from sre_agent.reading import Json, objects, text, whole
from sre_agent.report import Claim


async def look(view: View) -> Said:
    """List the workloads with their replicas, those in trouble first."""
    answer = await view.call("get_workload_status", namespace=view.scope.namespace, workload_name=view.name)
    found = sorted(objects(answer.data, "items"), key=lambda item: (not _lacks(item), text(item, "name")))
    if not found:
        return Said(headline="No workload was found")
    lacking = [item for item in found if _lacks(item)]
    lines = [
        Claim(what=f"{text(item, 'name')}: {_replicas(item)}", evidence=view.cite(answer, json.dumps(item)))
        for item in lacking[: MOST_LINES - 1]
    ]
    whole_names = [text(item, "name") for item in found if not _lacks(item)]
    if whole_names:
        lines.append(Claim(what=f"complete: {', '.join(whole_names)}", evidence=view.cite(answer, json.dumps(whole_names))))
    noun = "workload" if len(found) == 1 else "workloads"
    state = f"{len(lacking)} with too few ready replicas" if lacking else "all with all their replicas"
    return Said(headline=f"{len(found)} {noun}{view.of_subject}: {state}", lines=lines, subject=view.subject)


def _lacks(item: Json) -> bool:
    return (whole(item, "ready") or 0) < (whole(item, "desired") or 0)


def _replicas(item: Json) -> str:
    return f"{text(item, 'kind')}, {whole(item, 'ready') or 0} of {whole(item, 'desired') or 0} replicas ready"


LOOKUP = Lookup(
    kind="services",
    example="Which services are there?",
    look=look,
    cues=(
        cue(4, r"^(the |all )?(services|applications|workloads)( please)?$"),
        cue(6, r"\b(name|list|show) (me )?(every|each) (service|application|workload)\b|^enumerate\b"),
        cue(
            6,
            r"\b(which|what|list|show|how many|do we (?:run|have)|name|give me|all|every|see)\b.*\b(services|microservices"
            r"|deployments|workloads|apps|applications)\b",
        ),
        cue(6, r"\b(names?|list|overview|number|inventory) of (\w+ ){0,2}(services|microservices|workloads|applications|apps)\b"),
        cue(6, r"\bservices? (list|overview|inventory|names)\b|\b(everything|all) that is (deployed|running|installed)\b"),
        cue(4, r"\bwhat (runs|do we run|are we running)\b"),
        cue(4, r"\bwhat (is|do we have) (deployed|running)\b(?!.*\bsince\b)"),
    ),
)
