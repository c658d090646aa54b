"""Deletes: one resource, or everything of a deployment.

A resource is deleted only after its owner was checked, and is gone only when AWS no longer lists it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.engine import inventory
from sre_agent_deploy.engine.inventory import NONE, Entry, Inventory, Named, take_inventory
from sre_agent_deploy.graph import walk_graph
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Record
from sre_agent_deploy.progress import NEVER, Event, Observer, Stop, deletion_interrupted, ignore_event, name_end
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Found, Resource, Waiting
from sre_agent_deploy.resources import kinds
from sre_core import duration
from sre_core.problem import Problem

ROUNDS = 3
"""One is enough unless AWS hid something from the first listing, or another process creates resources at the same time."""


def delete_resource(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Problem | None:
    """Delete one resource and wait until AWS no longer lists it.

    A resource that is gone already is no problem. One that belongs to another owner is left as it is, with a Problem.
    """
    return _send_deletion(aws, kind, id, name, deployment, look=aws) or _wait_until_gone(aws, kind, id, name, look=aws)


def _send_deletion(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str, *, look: Aws) -> Problem | None:
    """Check by a look at AWS that a resource is ours, and delete it. Nothing is sent for one that is gone."""
    ours = _read_ours(look, kind, id, name, deployment)
    if ours is None or isinstance(ours, Problem):
        return ours
    refused = _delete(aws, kind, id, name, ours.seen)
    # A delete that crossed another one, or whose first answer was lost, gets "not found" as its answer.
    return refused if refused and _read(aws, kind, id, name) is not None else None


def find_refusal(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Problem | None:
    """Find out why `delete_resource` would leave a resource as it is, if it would. Makes no mutating call."""
    ours = _read_ours(aws, kind, id, name, deployment)
    return ours if isinstance(ours, Problem) else None


def may_exist(aws: Aws, kind: type[Resource], id: str, name: str) -> bool:
    """Return False only if AWS says that there is no such resource; a lookup that fails proves nothing."""
    return _read(aws, kind, id, name) is not None


def explain_refusal(aws: Aws, kind: type[Resource], id: Callable[[], str], refused: Problem) -> Waiting | Problem:
    """Look up what blocks a call that AWS refused: something that ends by itself, or something that the user must act on.

    Without a known blocker, answer what AWS said.
    """
    operation, code = refused.context.get("operation", ""), refused.context.get("aws_code", "")
    if (operation, code) not in kind.BLOCKERS:
        return refused
    blocker = attempt(lambda: kind.blockers(aws, id(), code), progress=aws.progress)
    if isinstance(blocker, Waiting):
        return blocker
    problem = refused if blocker is None or isinstance(blocker, Lost) else blocker
    return replace(problem, context={**refused.context, **problem.context}, request_id=problem.request_id or refused.request_id)


def _read_ours(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Found[Any] | Problem | None:
    found = attempt(lambda: inventory.read_resource(aws, kind, id, name, deployment), progress=aws.progress)
    if isinstance(found, Lost):
        return found.problem
    if found is None or isinstance(found, Problem):
        return found
    return found if found.owner(deployment) == "us" else _not_ours(kind, id, deployment)


def _delete(aws: Aws, kind: type[Resource], id: str, name: str, seen: Resource) -> Problem | None:
    """Send the delete, and send it again while a blocker that ends by itself is there, or where the call never arrived."""
    ended: Problem | None = None
    for poll in aws.progress.poll("gone", f"{id} to be released", aws.progress.limits.ready):
        refused = attempt(lambda: kind.delete(aws, id), progress=aws.progress, subject=seen, failures=kind.FAILURES)
        if refused is None:
            return None
        if isinstance(refused, Lost):
            found = _read(aws, kind, id, name)
            if found is None or isinstance(found, Problem):
                return found
            ended = refused.problem
            continue
        blocker = explain_refusal(aws, kind, lambda: id, refused)
        if not isinstance(blocker, Waiting):
            return blocker
        ended, poll.status = _still_blocked(aws, kind, id, blocker.for_), blocker.for_
    return aws.progress.interrupted_or(ended) if ended else None


def _read(aws: Aws, kind: type[Resource], id: str, name: str) -> Found[Any] | Problem | None:
    found = attempt(lambda: kind.read(aws, id, name), progress=aws.progress)
    return found.problem if isinstance(found, Lost) else found


def _wait_until_gone(aws: Aws, kind: type[Resource], id: str, name: str, *, look: Aws) -> Problem | None:
    """Wait until AWS shows a resource no longer: first in a look that was begun after its deletion, then anew each time."""
    for _ in aws.progress.poll("gone", f"{id} to be gone", aws.progress.limits.ready):
        found = _read(look, kind, id, name)
        if found is None or isinstance(found, Problem):
            return found
        look = aws
    return aws.progress.interrupted_or(_still_listed(aws, kind, id))


@dataclass(frozen=True)
class CleanedUp:
    """The resources that a cleanup deleted, and those that remain, with the reason."""

    deleted: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    stopped: bool = False


def clean_up(
    aws: Aws,
    deployment: str,
    journal: Journal | None,
    observe: Observer = ignore_event,
    *,
    named: Named = NONE,
    stop: Stop = NEVER,
    found: Inventory | None = None,
) -> CleanedUp:
    """Delete everything of a deployment, continuing after failures, until a listing shows nothing more of it.

    It begins with what was `found` shortly before, if anything was; what came since, the next listing shows.
    """
    aws = aws.with_progress(replace(aws.progress, observe=observe, stop=stop))
    cleaning = _Cleaning(aws, deployment, journal, observe, stop=stop)
    if not found or not found.entries:
        found = take_inventory(aws, deployment, journal.state if journal else None, named)
    for _ in range(ROUNDS):
        remaining = cleaning.find_remaining(found.entries)
        if not remaining or stop.requested:
            break
        cleaning.delete_all(remaining)
        found = found if stop.requested else take_inventory(aws, deployment, journal.state if journal else None, named)
    problems = (*found.problems, *cleaning.problems(found.entries))
    if journal and not problems:
        for record in journal.state.alive():
            journal.record_phase(record, "gone")
    return CleanedUp(tuple(cleaning.deleted), tuple(problems), stop.requested)


@dataclass(frozen=True)
class _Sent:
    """A deletion that was sent, or the problem that it has."""

    entry: Entry
    record: Record | None
    began: float
    problem: Problem | None


class _Cleaning:
    def __init__(self, aws: Aws, deployment: str, journal: Journal | None, observe: Observer, *, stop: Stop) -> None:
        self.aws, self.deployment, self.journal, self.observe, self.stop = aws, deployment, journal, observe, stop
        self.deleted: list[Entry] = []
        self._problems: dict[tuple[str, str], Problem] = {}
        self._counting = threading.Lock()

    def find_remaining(self, listed: Iterable[Entry]) -> list[Entry]:
        """Find what is still to be deleted: not what failed already, nor what AWS lists for a while after it is gone."""
        new = [each for each in listed if each.key not in self._problems]
        gone = {each.key for each in self.deleted}
        return [each for each in new if each.key not in gone or may_exist(self.aws, each.kind, each.id, each.name)]

    def delete_all(self, to_delete: Iterable[Entry]) -> None:
        """Delete in the order that AWS allows, independent resources at the same time."""
        by_kind: dict[str, list[Entry]] = {}
        for each in to_delete:
            by_kind.setdefault(each.kind.KIND, []).append(each)
        walk_graph(kinds.teardown(by_kind), lambda kind: self._delete_kind(by_kind.get(kind, [])), self.stop)

    def problems(self, listed: Iterable[Entry]) -> tuple[Problem, ...]:
        """Say what remains and why; `listed` is what the last listing still shows."""
        if self.stop.requested:
            return (*self._failures(), deletion_interrupted())
        return (*self._failures(), *map(_created_again, self.find_remaining(listed)))

    def _failures(self) -> list[Problem]:
        # That the run was stopped is reported once, not for each resource that waited.
        return [problem for problem in self._problems.values() if problem.code != "RUN-INTERRUPTED"]

    def _delete_kind(self, to_delete: list[Entry]) -> bool:
        """Delete the resources of one kind at the same time. A failure stops nothing: as much as possible is deleted.

        Those of one kind are looked at together, before they are deleted and after: what many of them ask is asked once.
        """
        if to_delete:
            with ThreadPoolExecutor(8) as pool:
                sent = list(pool.map(partial(self._send, look=self.aws.observing()), to_delete))
                list(pool.map(partial(self._finish, look=self.aws.observing()), filter(None, sent)))
        return True

    def _send(self, entry: Entry, look: Aws) -> _Sent | None:
        if self.stop.requested:
            return None
        began = time.monotonic()
        self.observe(Event("started", entry.name, f"delete {entry.kind.KIND}"))
        record = self._record_of(entry)
        if self.journal and record:
            self.journal.record_phase(record, "dying")
        aws = self._aws_for(entry)
        look = look.with_progress(aws.progress)
        return _Sent(entry, record, began, _send_deletion(aws, entry.kind, entry.id, entry.name, self.deployment, look=look))

    def _finish(self, sent: _Sent, look: Aws) -> None:
        entry, aws = sent.entry, self._aws_for(sent.entry)
        look = look.with_progress(aws.progress)
        problem = sent.problem or _wait_until_gone(aws, entry.kind, entry.id, entry.name, look=look)
        if self.journal and sent.record and not problem:
            self.journal.record_phase(sent.record, "gone")
        with self._counting:
            if problem:
                self._problems[entry.key] = problem.with_context(resource=entry.name, id=entry.id)
            else:
                self.deleted.append(entry)
        self.observe(Event(name_end(problem), entry.name, f"delete {entry.kind.KIND}", time.monotonic() - sent.began, problem))

    def _aws_for(self, entry: Entry) -> Aws:
        """Return the account, with progress that names one resource."""
        return self.aws.with_progress(replace(self.aws.progress, name=entry.name))

    def _record_of(self, entry: Entry) -> Record | None:
        alive = self.journal.state.alive() if self.journal else ()
        return next((record for record in alive if (record.kind, record.id) == (entry.kind.KIND, entry.id)), None)


def preview(aws: Aws, deployment: str, found: Inventory) -> Inventory:
    """Keep what a cleanup would delete; what it would leave as it is becomes a Problem. Makes no mutating call."""
    with ThreadPoolExecutor(8) as pool:
        refusals = list(pool.map(lambda each: find_refusal(aws, each.kind, each.id, each.name, deployment), found.entries))
    to_delete = tuple(each for each, refused in zip(found.entries, refusals, strict=True) if not refused)
    return Inventory(to_delete, (*found.problems, *(refused for refused in refusals if refused)))


def _not_ours(kind: type[Resource], id: str, deployment: str) -> Problem:
    return Problem(
        code="CLEANUP-NOT-OURS",
        what=f"{id} ({kind.KIND}) was not deleted.",
        why=f"It does not carry the tag of deployment {deployment}: it is not ours, its tag was removed, or the state file was edited.",
        do=(
            f"If it is yours, delete it by hand, or add its tag {DEPLOYMENT_TAG} = {deployment} again and run the same command again.",
            "If it is not yours, leave it. When cleanup shows nothing else, delete the state file: only that file still refers to it.",
        ),
    )


def _still_blocked(aws: Aws, kind: type[Resource], id: str, reason: str) -> Problem:
    return Problem(
        code="CLEANUP-LINGERS",
        what=f"{id} ({kind.KIND}) was not deleted: AWS refused it for {duration.format_exactly(aws.progress.limits.ready)}.",
        why=f"It was still waiting: {reason}",
        do=(
            "Look at the resource named above in the Console: AWS may still be releasing what uses it, else remove that.",
            "Run the same cleanup again in a few minutes; it continues.",
        ),
    )


def _still_listed(aws: Aws, kind: type[Resource], id: str) -> Problem:
    return Problem(
        code="CLEANUP-LINGERS",
        what=f"{id} ({kind.KIND}) still exists {duration.format_exactly(aws.progress.limits.ready)} after it was deleted.",
        why="AWS is still working on it, or something uses it.",
        do=(f"See its status in the Console ({id}).", "Run the same cleanup again in a few minutes; it continues."),
    )


def _created_again(entry: Entry) -> Problem:
    return Problem(
        code="CLEANUP-MADE-ANEW",
        what=f"{entry.id} ({entry.kind.KIND}) still exists, or exists again, after it was deleted.",
        why="Another process, or another run of this tool, creates it while it is being deleted.",
        do=("Make sure that no deployment runs at the same time (`sre-agent-deploy status`).", "Run the same cleanup again."),
    )
