"""Nodes: how many there are, and whether they are ready."""

from __future__ import annotations

import json

from sre_agent.evidence import Answer
from sre_agent.lookups.lookup import MOST_LINES, Lookup, Said, View
from sre_agent.question.intent import cue
from sre_agent.reading import Json, number, objects, part, text
from sre_agent.report import Claim


async def look(view: View) -> Said:
    """List the nodes, those in trouble first."""
    answer = await view.call("get_node_status", node_name=view.name if view.subject and view.subject.kind == "node" else "")
    nodes = sorted(objects(answer.data, "items"), key=lambda node: part(node, "ready") is True)
    ready = sum(part(node, "ready") is True for node in nodes)
    if not nodes:
        return Said(headline="No node was found")
    noun = "node" if len(nodes) == 1 else "nodes"
    state = "all ready" if ready == len(nodes) else f"{ready} ready, {len(nodes) - ready} not ready"
    return Said(
        headline=f"{len(nodes)} {noun}, {state}", lines=[_line(view, answer, node) for node in nodes[:MOST_LINES]], subject=view.subject
    )


def _line(view: View, answer: Answer, node: Json) -> Claim:
    complaints = [text(found, "type") for found in objects(node, "conditions") if _complains(found)]
    facts = ["ready" if part(node, "ready") is True else "NOT READY", *complaints]
    facts += ["cordoned"] if part(node, "unschedulable") is True else []
    facts += [f"{text(node, 'pods')} pods"] if text(node, "pods") else []
    facts += [f"{text(node, 'capacity', 'cpu')} CPU", f"{_gib(node)} GiB", text(node, "kubeletVersion")]
    return Claim(what=f"{text(node, 'name')}: {', '.join(fact for fact in facts if fact)}", evidence=view.cite(answer, json.dumps(node)))


def _complains(condition: Json) -> bool:
    return text(condition, "type") != "Ready" and text(condition, "status") == "True"


def _gib(node: Json) -> str:
    return f"{(number(node, 'capacity', 'memory') or 0) / 2**30:.0f}"


LOOKUP = Lookup(
    kind="nodes",
    example="How many nodes are there?",
    about="node",
    look=look,
    cues=(
        cue(9, r"\bnodes?\b"),
        cue(5, r"\bhow (many|big)\b.*\b(nodes?|machines?|hosts|servers|workers|boxes|instances in the cluster)\b"),
        cue(5, r"\b(machines|worker machines|workers|hosts|boxes)\b"),
        cue(3, r"\b(worker|all|our) (machines|hosts|servers|boxes)\b"),
        cue(8, r"\b(machines|hosts|servers|boxes)\b.*\bcluster\b"),
        cue(5, r"\bcluster size\b|\bsize of (the|our) cluster\b|\bhow (big|large) is (the|our|this) cluster\b"),
        cue(5, r"\bkubelet version\b"),
    ),
)
