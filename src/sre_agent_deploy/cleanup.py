"""Back to nothing: deletes what the journal recorded and what the tags reveal, in the reverse order of creation."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

from sre_agent_deploy import teardown
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.aws.patience import pauses
from sre_agent_deploy.interrupt import NEVER, Stop, interrupted
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.record import Record, State
from sre_agent_deploy.progress import Event, Observer, unobserved
from sre_agent_deploy.remove import remove
from sre_agent_deploy.resource import Owned, Resource
from sre_agent_deploy.resources import kinds
from sre_agent_deploy.resources.s3_bucket import S3Bucket
from sre_agent_deploy.resources.s3_object import S3Object
from sre_agent_deploy.walk import walk
from sre_core import clock
from sre_core.problem import Problem

type Named = Mapping[str, tuple[str, ...]]
_NONE: Named = MappingProxyType({})


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
    stopped: bool = False


def find_all(aws: Aws, deployment: str, state: State | None, named: Named = _NONE) -> tuple[Doomed, ...] | Problem:
    """Everything of a deployment, dependents first. Makes no mutating call.

    `named` says, by kind, what the configuration names: where there is no state, ours is looked for inside it.
    """
    with ThreadPoolExecutor(8) as pool:
        listings = list(pool.map(lambda kind: _listed(aws, kind, deployment, state, named), kinds.ORDER))
    found: dict[tuple[str, str], Doomed] = {}
    for kind, listing in zip(reversed(kinds.ORDER), reversed(listings), strict=True):
        if isinstance(listing, Problem):
            return listing
        listed = [Doomed(kind, owned.id, owned.name, owned.generation) for owned in listing]
        # The journal knows the names of what has no tags, so it is heard last.
        recorded = [Doomed(kind, record.id, record.name, record.generation) for record in _recorded(state, kind)]
        found |= {(kind.KIND, doomed.id): doomed for doomed in (*listed, *recorded)}
    return tuple(found.values())


def cleanup(
    aws: Aws, deployment: str, journal: Journal | None, observe: Observer = unobserved, *, named: Named = _NONE, stop: Stop = NEVER
) -> Cleaned:
    """Delete everything of a deployment, past failures; what the user named, and what is somebody else's, stays."""
    doomed = find_all(aws, deployment, journal.state if journal else None, named)
    if isinstance(doomed, Problem):
        return Cleaned((), (doomed,))
    cleaning = _Cleaning(aws, deployment, journal, observe, stop=stop)
    by_kind = {kind: [each for each in doomed if kind == each.kind.KIND] for kind in {each.kind.KIND for each in doomed}}
    walk(teardown.sorter(by_kind), lambda kind: cleaning.delete(by_kind.get(kind, [])), stop)
    if stop.asked:
        cleaning.problems.append(interrupted())
    if journal and not cleaning.problems:
        for record in journal.state.alive():
            journal.reached(record, "gone")
    return Cleaned(tuple(cleaning.removed), tuple(cleaning.problems), stop.asked)


class _Cleaning:
    def __init__(self, aws: Aws, deployment: str, journal: Journal | None, observe: Observer, *, stop: Stop) -> None:
        self.aws, self.deployment, self.journal, self.observe, self.stop = aws, deployment, journal, observe, stop
        self.removed: list[Doomed] = []
        self.problems: list[Problem] = []
        self._counting = threading.Lock()

    def delete(self, doomed: list[Doomed]) -> bool:
        """Delete resources of one kind at the same time. Others go on in any case: as much as possible is to go."""
        if doomed:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(self._delete_one, doomed))
        return True

    def _delete_one(self, doomed: Doomed) -> None:
        if self.stop.asked:
            return
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
        alive = self.journal.state.alive() if self.journal else ()
        return next((record for record in alive if (record.kind, record.id) == (doomed.kind.KIND, doomed.id)), None)


def _recorded(state: State | None, kind: type[Resource]) -> list[Record]:
    alive = state.alive() if state else ()
    # Several of our types make the same AWS type; the first of them deletes for all.
    return [record for record in alive if record.id and not record.named and kinds.by_kind(record.kind) is kind]


def _listed(aws: Aws, kind: type[Resource], deployment: str, state: State | None, named: Named) -> tuple[Owned, ...] | Problem:
    """What a listing shows; where an intent is open, again until AWS can't be hiding its result any more."""
    begun = _begun(state, kind)
    until = max((clock.parse(record.intended_at) + kind.SETTLES for record in begun), default=None)
    parents = [*named.get(_holder(kind), ()), *(_named_parents(state, kind) if begun else ())]
    for pause in pauses():
        listed = attempt(lambda: (*kind.owned(aws, deployment), *_within(aws, kind, parents, deployment)))
        if isinstance(listed, Problem | Lost):
            return listed.problem if isinstance(listed, Lost) else listed
        seen = {(owned.name, owned.generation) for owned in listed}
        if until is None or clock.now() > until or seen.issuperset((record.name, record.generation) for record in begun):
            return listed
        time.sleep(pause)
    raise AssertionError("pauses() never ends")


def _within(aws: Aws, kind: type[Resource], parents: list[str], deployment: str) -> tuple[Owned, ...]:
    return tuple(owned for parent in parents for owned in kind.within(aws, parent, deployment))


def _begun(state: State | None, kind: type[Resource]) -> list[Record]:
    """The records of births whose end is not known."""
    return [record for record in (state.alive() if state else ()) if record.kind == kind.KIND and not record.id]


def _named_parents(state: State | None, kind: type[Resource]) -> list[str]:
    """The ids of what the user named and where resources of this kind may lie."""
    return [record.id for record in (state.alive() if state else ()) if record.named and record.kind == _holder(kind)]


def _holder(kind: type[Resource]) -> str:
    """The kind of what resources of this kind lie in."""
    return S3Bucket.KIND if kind is S3Object else kind.PARENT
