"""Back to nothing: deletes what the journal recorded and what the tags reveal, in the reverse order of creation."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.aws.patience import pauses
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.record import Record, State
from sre_agent_deploy.progress import Event, Observer, unobserved
from sre_agent_deploy.remove import remove
from sre_agent_deploy.resource import Owned, Resource
from sre_agent_deploy.resources import kinds
from sre_core import clock
from sre_core.problem import Problem


@dataclass(frozen=True)
class Doomed:
    """One resource to delete: known from the journal, from AWS's listings, or both."""

    kind: type[Resource]
    id: str
    name: str
    generation: int


@dataclass(frozen=True)
class Cleaned:
    """What a cleanup deleted, and what remains and why."""

    removed: tuple[Doomed, ...]
    problems: tuple[Problem, ...]


def find_all(aws: Aws, deployment: str, state: State | None) -> tuple[Doomed, ...] | Problem:
    """Everything of a deployment, in the order it must be deleted. Makes no mutating call."""
    found: list[Doomed] = []
    with ThreadPoolExecutor(8) as pool:
        listings = list(pool.map(lambda kind: attempt(lambda: _listed(aws, kind, deployment, state)), kinds.ORDER))
    for kind, listing in zip(reversed(kinds.ORDER), reversed(listings), strict=True):
        if isinstance(listing, Problem | Lost):
            return listing.problem if isinstance(listing, Lost) else listing
        known = {owned.id: Doomed(kind, owned.id, owned.name, owned.generation) for owned in listing}
        recorded = {record.id: Doomed(kind, record.id, record.name, record.generation) for record in _recorded(state, kind)}
        found += (recorded | known).values()
    return tuple({(doomed.kind.KIND, doomed.id): doomed for doomed in found}.values())


def cleanup(aws: Aws, deployment: str, journal: Journal | None, observe: Observer = unobserved) -> Cleaned:
    """Delete everything of a deployment, past failures; what the user named, and what is somebody else's, stays."""
    doomed = find_all(aws, deployment, journal.state if journal else None)
    if isinstance(doomed, Problem):
        return Cleaned((), (doomed,))
    cleaning = _Cleaning(aws, deployment, journal, observe)
    for kind in reversed(kinds.ORDER):
        cleaning.delete([each for each in doomed if each.kind is kind])
    if journal and not cleaning.problems:
        for record in journal.state.alive():
            journal.reached(record, "gone")
    return Cleaned(tuple(cleaning.removed), tuple(cleaning.problems))


class _Cleaning:
    def __init__(self, aws: Aws, deployment: str, journal: Journal | None, observe: Observer) -> None:
        self.aws, self.deployment, self.journal, self.observe = aws, deployment, journal, observe
        self.removed: list[Doomed] = []
        self.problems: list[Problem] = []
        self._counting = threading.Lock()

    def delete(self, doomed: list[Doomed]) -> None:
        """Delete resources of one kind at the same time."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._delete_one, doomed))

    def _delete_one(self, doomed: Doomed) -> None:
        what, began = f"delete {doomed.kind.KIND}", time.monotonic()
        self.observe(Event("started", doomed.name, what))
        record = self._record(doomed)
        if self.journal and record:
            self.journal.reached(record, "dying")
        problem = remove(self.aws, doomed.kind, doomed.id, doomed.name, self.deployment)
        if self.journal and record and not problem:
            self.journal.reached(record, "gone")
        with self._counting:
            if problem:
                self.problems.append(problem.with_context(resource=doomed.name, id=doomed.id))
            else:
                self.removed.append(doomed)
        self.observe(Event("failed" if problem else "done", doomed.name, what, time.monotonic() - began, problem))

    def _record(self, doomed: Doomed) -> Record | None:
        return self.journal.state.records.get(f"{doomed.name}-{doomed.generation}") if self.journal else None


def _recorded(state: State | None, kind: type[Resource]) -> list[Record]:
    alive = state.alive() if state else ()
    # Several of our types make the same AWS type; the first of them deletes for all.
    return [record for record in alive if record.id and not record.named and kinds.by_kind(record.kind) is kind]


def _listed(aws: Aws, kind: type[Resource], deployment: str, state: State | None) -> tuple[Owned, ...]:
    """What a listing shows; where an intent is open, again until AWS can't be hiding its result any more."""
    until = _settled(state, kind)
    for pause in pauses():
        listed = kind.owned(aws, deployment)
        if until is None or clock.now() > until:
            return listed
        time.sleep(pause)
    raise AssertionError("pauses() never ends")


def _settled(state: State | None, kind: type[Resource]) -> datetime | None:
    open_ = [record for record in (state.alive() if state else ()) if record.kind == kind.KIND and record.phase == "intended"]
    return max((clock.parse(record.intended_at) + kind.SETTLES for record in open_), default=None)
