"""Nodes: how many there are, and whether they are ready."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from sre_agent.evidence import Answer
from sre_agent.lookups.lookup import MOST_LINES, Lookup, Said, View
from sre_agent.question.intent import cue
from sre_agent.reading import Json, number, objects, part, text
from sre_agent.report import Claim


async def look(view: View) -> Said:
    """List the nodes with their use: those in trouble first, then, where the use is asked for, those with the highest."""
    answer = await view.call("get_node_status", node_name=view.name if view.subject and view.subject.kind == "node" else "")
    asked = next((words for words in _USES if words.search(view.words)), None)
    nodes = sorted(
        objects(answer.data, "items"), key=lambda node: (part(node, "ready") is True, -(_USES[asked](node) or 0.0) if asked else 0.0)
    )
    ready = sum(part(node, "ready") is True for node in nodes)
    if not nodes:
        return Said(headline="No node was found")
    noun = "node" if len(nodes) == 1 else "nodes"
    state = "all ready" if ready == len(nodes) else f"{ready} ready, {len(nodes) - ready} not ready"
    unmeasured = sum(_cpu_share(node) is None for node in nodes) if asked else 0
    return Said(
        headline=f"{len(nodes)} {noun}, {state}",
        lines=[_line(view, answer, node) for node in nodes[:MOST_LINES]],
        hint=f"The use of {unmeasured} of {len(nodes)} nodes is not known: the cluster's metrics API does not give it."
        if unmeasured
        else "",
        subject=view.subject,
    )


def _line(view: View, answer: Answer, node: Json) -> Claim:
    complaints = [text(found, "type") for found in objects(node, "conditions") if _complains(found)]
    facts = ["ready" if part(node, "ready") is True else "NOT READY", *complaints]
    facts += ["cordoned"] if part(node, "unschedulable") is True else []
    facts += [f"{text(node, 'pods')} pods"] if text(node, "pods") else []
    facts += [_use(number(node, "cpuMillicores"), 1000, f"{text(node, 'capacity', 'cpu')} CPU")]
    facts += [_use(number(node, "memoryBytes"), 2**30, f"{_gib(node)} GiB"), text(node, "kubeletVersion")]
    return Claim(what=f"{text(node, 'name')}: {', '.join(fact for fact in facts if fact)}", evidence=view.cite(answer, json.dumps(node)))


def _complains(condition: Json) -> bool:
    return text(condition, "type") != "Ready" and text(condition, "status") == "True"


def _gib(node: Json) -> str:
    return f"{(number(node, 'capacity', 'memory') or 0) / 2**30:.0f}"


def _use(used: float | None, unit: float, capacity: str) -> str:
    return capacity if used is None else f"{used / unit:.1f} of {capacity} used"


def _cpu_share(node: Json) -> float | None:
    return _share(number(node, "cpuMillicores"), (number(node, "capacity", "cpu") or 0.0) * 1000)


def _memory_share(node: Json) -> float | None:
    return _share(number(node, "memoryBytes"), number(node, "capacity", "memory") or 0.0)


def _share(used: float | None, capacity: float) -> float | None:
    return used / capacity if used is not None and capacity else None


_RESOURCES = r"cpus?|memory|ram|cores?|loads?|usage|utili[sz]ation|consumption"
_USES: Mapping[re.Pattern[str], Callable[[Json], float | None]] = {
    re.compile(r"\b(memory|ram)\b"): _memory_share,
    re.compile(r"\b(cpus?|cores?|load(ed)?|busy|busiest|us(e|es|ed|age)|utili[sz]ation|consum\w+|hot|hottest|full)\b"): _cpu_share,
}
LOOKUP = Lookup(
    kind="nodes",
    example="How many nodes are there?",
    about="node",
    look=look,
    cues=(
        cue(9, r"\bnodes?\b"),
        cue(12, rf"^(?!.*\bpods?\b)(?=.*\b({_RESOURCES})\b).*\b(?<!on )(?<!on the )(?<!on this )nodes?\b"),
        cue(5, r"\bhow (many|big)\b.*\b(nodes?|machines?|hosts|servers|workers|boxes|instances in the cluster)\b"),
        cue(5, r"\b(machines|worker machines|workers|hosts|boxes)\b"),
        cue(3, r"\b(worker|all|our) (machines|hosts|servers|boxes)\b"),
        cue(8, r"\b(machines|hosts|servers|boxes)\b.*\bcluster\b"),
        cue(5, r"\bcluster size\b|\bsize of (the|our) cluster\b|\bhow (big|large) is (the|our|this) cluster\b"),
        cue(10, r"(?<!on )(?<!to )\b(any|which|what|every|each) (node|box|boxes|machine|host|hosts|worker)\b(?! of)"),
        cue(5, r"\bkubelet version\b"),
    ),
)
