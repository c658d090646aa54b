"""Applies a plan: walks the dependency graph in parallel, and writes the journal before and after each creation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.engine.create import configure_resource, create_resource, find_unfinished, read_back, restore_tags, wait_until_ready
from sre_agent_deploy.engine.delete import delete_resource
from sre_agent_deploy.engine.planning import keeps_replaced, replaces_beside
from sre_agent_deploy.graph import Blueprint, walk_graph
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Record
from sre_agent_deploy.later import Outputs, resolve
from sre_agent_deploy.plan import Action, Change, Plan
from sre_agent_deploy.progress import NEVER, Event, Observer, Stop, ignore_event, name_end, run_interrupted, was_interrupted
from sre_agent_deploy.resource import Mark, Resource
from sre_agent_deploy.resources import kinds
from sre_core.problem import Problem

type Gate = Callable[[Mapping[str, Outputs]], Problem | None]
"""Looks, just before a change and with the outputs so far, if the change may be made."""
OPEN: Mapping[str, Gate] = MappingProxyType({})


@dataclass(frozen=True)
class Outcome:
    """The result of applying a plan: the outputs of what is ready, and the problems of what failed."""

    outputs: Mapping[str, Outputs]
    problems: tuple[Problem, ...]
    seconds: float
    stopped: bool = False


def apply(
    aws: Aws,
    blueprint: Blueprint,
    plan: Plan,
    journal: Journal,
    observe: Observer = ignore_event,
    *,
    stop: Stop = NEVER,
    gates: Mapping[str, Gate] = OPEN,
    delete: bool = True,
) -> Outcome:
    """Make AWS match the blueprint. A failure stops only what depends on it; everything else is finished and recorded.

    `gates` are asked before the change of the resource that they are named after. Without `delete`, what the plan deletes, and what
    it has replaced beside, stays until `delete_unwanted`.
    """
    began = time.monotonic()
    aws = aws.with_progress(replace(aws.progress, observe=observe, stop=stop))
    applying = _Apply(aws, blueprint, plan, journal, observe, stop=stop, gates=gates)
    applying.delete_replaced()
    if not applying.problems:
        walk_graph(blueprint.sorter(), applying.apply_change, stop)
    if delete and not applying.problems and not stop.requested:
        applying.delete_unwanted()
    return applying.outcome(began)


def delete_unwanted(aws: Aws, blueprint: Blueprint, plan: Plan, journal: Journal, observe: Observer, *, stop: Stop) -> Outcome:
    """Delete what `apply` has left: what the configuration no longer asks for, and what was replaced."""
    began = time.monotonic()
    aws = aws.with_progress(replace(aws.progress, observe=observe, stop=stop))
    applying = _Apply(aws, blueprint, plan, journal, observe, stop=stop)
    applying.delete_unwanted()
    return applying.outcome(began)


def list_unwanted(plan: Plan, blueprint: Blueprint) -> tuple[Change, ...]:
    """List what is deleted once everything works: what is not asked for, and what was replaced, unless it stays for a rollback (pure)."""

    def is_unwanted(change: Change) -> bool:
        replaced = replaces_beside(change) and not keeps_replaced(change, blueprint.keep_previous)
        return replaced or change.action is Action.DELETE

    return tuple(filter(is_unwanted, plan.changes))


class _Apply:
    def __init__(
        self,
        aws: Aws,
        blueprint: Blueprint,
        plan: Plan,
        journal: Journal,
        observe: Observer,
        *,
        stop: Stop,
        gates: Mapping[str, Gate] = OPEN,
    ) -> None:
        self.aws, self.blueprint, self.plan, self.journal = aws, blueprint, plan, journal
        self.observe, self.stop, self.gates = observe, stop, gates
        self.outputs: dict[str, Outputs] = {}
        self.problems: list[Problem] = []
        self._reporting = threading.Lock()

    def outcome(self, began: float) -> Outcome:
        """Say how it ended; that the user stopped it is one problem of the run."""
        interruption = (run_interrupted(),) if self.stop.requested else ()
        return Outcome(self.outputs, (*self.problems, *interruption), time.monotonic() - began, self.stop.requested)

    def delete_replaced(self) -> None:
        """Delete what must be gone before its replacement can be created, dependents first."""
        replaced = (change for change in self.plan.changes if change.action is Action.REPLACE)
        self._delete_each(change for change in replaced if not replaces_beside(change))

    def delete_unwanted(self) -> None:
        """Delete what the configuration no longer asks for, and the old resources whose replacements now work."""
        self._delete_each(list_unwanted(self.plan, self.blueprint))

    def apply_change(self, name: str) -> bool:
        """Create or update one resource. Returns True if its dependents may continue."""
        if self.stop.requested:
            return False
        change = self.plan.change(name)
        wanted = resolve(self.blueprint.item(name).resource, self.outputs).prefer(change.outputs)
        if change.action is Action.KEEP and self._is_recorded_ready(change):
            self.outputs[name] = change.outputs
            return True
        return self._report(change, lambda: self._ask_gate(change) or self._make_ready(wanted, change))

    def _ask_gate(self, change: Change) -> Problem | None:
        gate = self.gates.get(change.name)
        return gate(self.outputs) if gate else None

    def _make_ready(self, wanted: Resource, change: Change) -> Problem | None:
        if change.named:
            self.journal.adopt(change.name, change.kind, change.id, change.outputs, generation=change.generation, named=True)
            self.outputs[change.name] = change.outputs
            return None
        aws = self._aws_for(change)
        record = self._create_or_adopt(aws, wanted, change)
        if isinstance(record, Problem):
            return record
        # What `configure` has read and left as it is, and what showed that it is ready, need not be read a second time.
        look = aws.observing()
        problem = configure_resource(look, wanted, record.id) if change.action is not Action.KEEP else None
        if not problem and (change.action is Action.UPDATE or wanted.TAGS_LATER):
            problem = restore_tags(look, wanted, record.id, self._mark(change.name, change.generation))
        if problem:
            return problem
        record = self.journal.record_phase(record, "configured")
        ready = wait_until_ready(look, wanted, record.id)
        if isinstance(ready, Problem):
            return ready
        found = read_back(ready, wanted, record.id)
        if isinstance(found, Problem):
            return found
        self.journal.record_phase(record, "ready", outputs=found.outputs)
        self.outputs[change.name] = found.outputs
        return None

    def _aws_for(self, change: Change) -> Aws:
        """Return the account, with progress that names one resource."""
        return self.aws.with_progress(replace(self.aws.progress, name=change.name))

    def _create_or_adopt(self, aws: Aws, wanted: Resource, change: Change) -> Record | Problem:
        """Return the record of a resource that exists in AWS, creating it where needed."""
        if change.action in (Action.CREATE, Action.REPLACE):
            generation = change.generation if change.action is Action.CREATE else change.next_generation
            return create_resource(aws, wanted, self.journal, self._mark(change.name, generation))
        record = self._record(change)
        if record and record.id == change.id:
            return record
        if record and not record.id:
            # The answer to its creation was lost, and the plan has found what it created.
            return self.journal.record_phase(record, "born", id=change.id)
        return self.journal.adopt(change.name, change.kind, change.id, change.outputs, generation=change.generation)

    def _mark(self, name: str, generation: int) -> Mark:
        return Mark(self.blueprint.deployment, name, generation, token="", extra=self.blueprint.tags)

    def _is_recorded_ready(self, change: Change) -> bool:
        record = self._record(change)
        return bool(record and (record.phase, record.id, record.named) == ("ready", change.id, change.named))

    def _record(self, change: Change) -> Record | None:
        return self.journal.state.records.get(f"{change.name}-{change.generation}")

    def _delete_each(self, changes: Iterable[Change]) -> None:
        """Delete in the order that AWS allows: each before what it uses, whether it was replaced or is no longer asked for."""
        created = sorted(changes, key=lambda change: kinds.position(change.kind))
        for change in reversed(created):
            if not self.stop.requested:
                self._report(change, partial(self._delete, change), "delete")

    def _delete(self, change: Change) -> Problem | None:
        record, aws, kind = self._record(change), self._aws_for(change), kinds.by_kind(change.kind)
        if record and record.id and change.id and record.id != change.id:
            record = None  # a copy with the same tags: the record is that of the original, which stays
        # A creation whose result was never looked up stays an intent until it is.
        if record and record.id:
            self.journal.record_phase(record, "dying")
        ids = (change.id,) if change.id else find_unfinished(aws, kind, record, self.blueprint.deployment)
        if isinstance(ids, Problem):
            return ids
        results = [delete_resource(aws, kind, id, change.name, self.blueprint.deployment) for id in ids]
        problem = next(filter(None, results), None)
        if not problem and record:
            self.journal.record_phase(record, "gone")
        return problem

    def _report(self, change: Change, work: Callable[[], Problem | None], verb: str = "") -> bool:
        """Do the work on one change between two events. Returns True if it succeeded."""
        what = f"{verb or change.action} {change.kind}"
        self.observe(Event("started", change.name, what))
        began = time.monotonic()
        problem: Any = work()
        seconds = time.monotonic() - began
        if problem:
            named = problem.with_context(resource=change.name)
            # An interruption is one problem of the run, not one for each resource that waited.
            with self._reporting:
                self.problems += () if was_interrupted((named,)) else (named,)
            self.observe(Event(name_end(named), change.name, what, seconds, named))
            return False
        self.observe(Event("done", change.name, what, seconds))
        return True
