"""The Runbooks specialist: next steps from the runbooks. It only reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from sre_agent.evidence import Answer
from sre_agent.observations import Observations, Runbook, RunbookStep
from sre_agent.reading import items, number, objects, part, text, texts
from sre_agent.specialists.gaps import record_answers
from sre_agent.tools import Tools

MOST_RUNBOOK_CALLS = 3  # a search, and the runbooks that are read
ALMOST_AS_GOOD = 0.75  # of the best score; a second runbook with less only distracts


async def find_runbooks(tools: Tools, incident: str, words: str) -> Observations:
    """Find the runbooks that fit an incident, the best first, with their steps."""
    hits = await tools.call("search_runbooks", incident_type=incident, keyword=words)
    playbooks = await asyncio.gather(*(tools.call("get_incident_playbook", playbook_id=found) for found in _best(hits)))
    return record_answers(hits, *playbooks) + Observations(
        runbooks=tuple(runbook for playbook in playbooks for runbook in parse_runbooks(playbook))
    )


def parse_runbooks(answer: Answer) -> Iterator[Runbook]:
    """Parse the runbook of `get_incident_playbook`. A step counts as a change unless it says that it only looks."""
    for item, source in items(answer):
        yield Runbook(
            id=text(item, "playbook_id"),
            title=text(item, "title"),
            words=frozenset(" ".join((text(item, "title"), *texts(item, "symptoms"))).lower().split()),
            steps=tuple(
                RunbookStep(
                    text=_describe_step(text(step, "do"), text(step, "command")), changes_something=part(step, "changes") is not False
                )
                for step in objects(item, "steps")
            ),
            source=source,
        )


def _best(hits: Answer) -> list[str]:
    found = [(number(item, "score") or 0.0, text(item, "playbook_id")) for item, _ in items(hits)][:2]
    return [playbook for score, playbook in found if playbook and score >= ALMOST_AS_GOOD * found[0][0]]


def _describe_step(do: str, command: str) -> str:
    return f"{do} ({command})" if command else do
