"""Back to nothing: deletes what the journal recorded and what the tags reveal, in the reverse order of creation."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.engine.inventory import NONE, Doomed, Inventory, Named, find_all
from sre_agent_deploy.engine.remove import is_there, refusal, remove
from sre_agent_deploy.engine.walk import walk_graph
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.state import Record
from sre_agent_deploy.progress.events import Event, Observer, ignore_event
from sre_agent_deploy.progress.interrupt import NEVER, Stop, deletion_interrupted
from sre_agent_deploy.resources import kinds
from sre_core.problem import Problem

# One is enough unless AWS hid something from the first listing, or somebody makes things at the same time.
ROUNDS = 3


@dataclass(frozen=True)
class Cleaned:
    """What a cleanup deleted, and what remains and why."""

    removed: tuple[Doomed, ...]
    problems: tuple[Problem, ...]
    stopped: bool = False


def cleanup(
    aws: Aws, deployment: str, journal: Journal | None, observe: Observer = ignore_event, *, named: Named = NONE, stop: Stop = NEVER
) -> Cleaned:
    """Delete everything of a deployment, past failures, until a listing shows nothing more of it.

    What the user named, and what is somebody else's, stays.
    """
    aws = aws.with_progress(replace(aws.progress, observe=observe, stop=stop))
    cleaning = _Cleaning(aws, deployment, journal, observe, stop=stop)
    found = find_all(aws, deployment, journal.state if journal else None, named)
    for _ in range(ROUNDS):
        remaining = cleaning.remaining(found.doomed)
        if not remaining or stop.requested:
            break
        cleaning.delete_all(remaining)
        found = found if stop.requested else find_all(aws, deployment, journal.state if journal else None, named)
    problems = (*found.problems, *cleaning.problems(found.doomed))
    if journal and not problems:
        for record in journal.state.alive():
            journal.record_phase(record, "gone")
    return Cleaned(tuple(cleaning.removed), tuple(problems), stop.requested)


def previewed(aws: Aws, deployment: str, found: Inventory) -> Inventory:
    """What a cleanup would delete of all that was found; what it would leave alone becomes a Problem. Makes no mutating call."""
    with ThreadPoolExecutor(8) as pool:
        refusals = list(pool.map(lambda each: refusal(aws, each.kind, each.id, each.name, deployment), found.doomed))
    going = tuple(each for each, refused in zip(found.doomed, refusals, strict=True) if not refused)
    return Inventory(going, (*found.problems, *(refused for refused in refusals if refused)))


class _Cleaning:
    def __init__(self, aws: Aws, deployment: str, journal: Journal | None, observe: Observer, *, stop: Stop) -> None:
        self.aws, self.deployment, self.journal, self.observe, self.stop = aws, deployment, journal, observe, stop
        self.removed: list[Doomed] = []
        self._left: dict[tuple[str, str], Problem] = {}
        self._counting = threading.Lock()

    def remaining(self, doomed: Iterable[Doomed]) -> list[Doomed]:
        """What is still to be deleted: all but what has been told already, and what a listing shows for a while after it is gone."""
        new = [each for each in doomed if each.key not in self._left]
        gone = {each.key for each in self.removed}
        return [each for each in new if each.key not in gone or is_there(self.aws, each.kind, each.id, each.name)]

    def delete_all(self, doomed: Iterable[Doomed]) -> None:
        """Delete in the order that AWS allows, and what is independent at the same time."""
        by_kind: dict[str, list[Doomed]] = {}
        for each in doomed:
            by_kind.setdefault(each.kind.KIND, []).append(each)
        walk_graph(kinds.teardown(by_kind), lambda kind: self._delete(by_kind.get(kind, [])), self.stop)

    def problems(self, shown: Iterable[Doomed]) -> tuple[Problem, ...]:
        """What remains and why; `shown` is what the last listing still shows."""
        if self.stop.requested:
            return (*self._told(), deletion_interrupted())
        return (*self._told(), *map(_made_anew, self.remaining(shown)))

    def _told(self) -> list[Problem]:
        # That the run was stopped is told once, not for each resource that waited.
        return [problem for problem in self._left.values() if problem.code != "RUN-INTERRUPTED"]

    def _delete(self, doomed: list[Doomed]) -> bool:
        """Delete resources of one kind at the same time. Others go on in any case: as much as possible is to go."""
        if doomed:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(self._delete_one, doomed))
        return True

    def _delete_one(self, doomed: Doomed) -> None:
        if self.stop.requested:
            return
        what, began = f"delete {doomed.kind.KIND}", time.monotonic()
        self.observe(Event("started", doomed.name, what))
        record = self._record(doomed)
        if self.journal and record:
            self.journal.record_phase(record, "dying")
        problem = remove(
            self.aws.with_progress(replace(self.aws.progress, name=doomed.name)), doomed.kind, doomed.id, doomed.name, self.deployment
        )
        if self.journal and record and not problem:
            self.journal.record_phase(record, "gone")
        with self._counting:
            if problem:
                self._left[doomed.key] = problem.with_context(resource=doomed.name, id=doomed.id)
            else:
                self.removed.append(doomed)
        self.observe(Event("failed" if problem else "done", doomed.name, what, time.monotonic() - began, problem))

    def _record(self, doomed: Doomed) -> Record | None:
        alive = self.journal.state.alive() if self.journal else ()
        return next((record for record in alive if (record.kind, record.id) == (doomed.kind.KIND, doomed.id)), None)


def _made_anew(doomed: Doomed) -> Problem:
    return Problem(
        code="CLEANUP-MADE-ANEW",
        what=f"{doomed.id} ({doomed.kind.KIND}) is there again, or still, after it was deleted.",
        why="Somebody, or another run of this tool, makes it while it is being deleted.",
        do=("See that nobody deploys at the same time (`sre-agent-deploy status`).", "Run the same cleanup again."),
    )
