"""Finds what carries a deployment's tag and is not in its journal: nothing of it is ignored, and nothing is created beside it.

Only kinds whose id AWS chooses are listed (`ID_FROM_AWS`): of these a deployment can have two, and AWS refuses neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.config import duration
from sre_agent_deploy.engine import inventory
from sre_agent_deploy.engine.inventory import Entry
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.plan import Change
from sre_agent_deploy.resource import Resource
from sre_agent_deploy.resources import kinds
from sre_core import clock
from sre_core.problem import Problem

type Listings = Mapping[type[Resource], tuple[Entry, ...] | Problem]


@dataclass(frozen=True)
class Extras:
    """The resources that only their tag assigns to a deployment, and the problems of listings that AWS refused."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()


def list_repeatable(aws: Aws, deployment: str, used: Iterable[str]) -> Listings:
    """List what a deployment has of each kind that it uses and can have twice. Makes no mutating call."""
    wanted = frozenset(used)
    chosen = [kind for kind in kinds.ORDER if kind.ID_FROM_AWS and kind.KIND in wanted]
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(chosen, pool.map(lambda kind: _list_kind(aws, kind, deployment), chosen), strict=True))


def find_extras(aws: Aws, deployment: str, listings: Listings, state: State | None, changes: Iterable[Change]) -> Extras:
    """Find what was listed and neither the journal nor the plan knows. Each is read: a listing may still show what is gone."""
    known = {change.id for change in changes} | {record.id for record in (state.alive() if state else ())}
    unfinished = {(record.name, record.generation) for record in (state.alive() if state else ()) if not record.id}
    listed = [entry for entries in listings.values() if not isinstance(entries, Problem) for entry in entries]
    siblings = {(entry.kind, entry.name) for entry in listed if entry.id in known}
    unknown = [entry for entry in listed if entry.id not in known and (entry.name, entry.generation) not in unfinished]
    # What lies in a parent of ours has no tags: it is one of ours created twice only if its name says so, else the user's own.
    unknown = [entry for entry in unknown if not entry.kind.PARENT or (entry.kind, entry.name) in siblings]
    refused = tuple(found for found in listings.values() if isinstance(found, Problem))
    return Extras(tuple(entry for entry in unknown if _is_ours(aws, entry, deployment)), refused)


def _list_kind(aws: Aws, kind: type[Resource], deployment: str) -> tuple[Entry, ...] | Problem:
    answer = attempt(lambda: kind.owned(aws, deployment), progress=aws.progress)
    if isinstance(answer, Problem | Lost):
        return answer.problem if isinstance(answer, Lost) else answer
    return tuple(Entry.of_listing(kind, owned) for owned in answer)


def _is_ours(aws: Aws, entry: Entry, deployment: str) -> bool:
    """Read it; what can't be read counts as ours, because a failed lookup does not prove that it is absent."""
    found = attempt(lambda: inventory.read_resource(aws, entry.kind, entry.id, entry.name, deployment), progress=aws.progress)
    if found is None:
        return False
    return isinstance(found, Problem | Lost) or (not found.broken and found.owner(deployment) == "us")


def describe_age(entry: Entry) -> str:
    """Say how old a resource is, as far as its listing shows it."""
    age = clock.now() - entry.created if entry.created else None
    return f"created {duration.format_roughly(max(age, timedelta()))} ago" if age is not None else "AWS does not show its age"


def extra_problem(entry: Entry) -> Problem:
    """Report a resource that carries the deployment's tag and is not in its state."""
    name = f"tagged as {entry.name}" if entry.name else "without a name tag"
    adopt = f"`sre-agent-deploy state adopt {entry.name or 'NAME'} {entry.id}`"
    return Problem(
        code="EXTRA-RESOURCE",
        what=f"{entry.id} ({entry.kind.KIND}, {name}, {describe_age(entry)}) carries the tag of this deployment and is not in its state.",
        why="A run that slept or was cut off created it, another program or person did, or its name tag was removed.",
        do=(
            f"If it is not needed, delete it: `sre-agent-deploy state delete {entry.id}`.",
            f"If it is the right one, adopt it: {adopt}; what the state has now under that name then becomes the extra one.",
            "Then see the result: `sre-agent-deploy plan`. Until then nothing is created beside it.",
        ),
        context={"resource": entry.name, "id": entry.id},
    )
