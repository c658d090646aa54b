"""Looks at AWS, in parallel and without changing anything, and has `plan.decide` say what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.engine import generations, ownership
from sre_agent_deploy.engine.walk import walk_graph
from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.later import Outputs, resolve
from sre_agent_deploy.plan import Action, Change, Plan, best, decide
from sre_agent_deploy.progress.interrupt import lookup_interrupted
from sre_agent_deploy.progress.progress import time_until
from sre_agent_deploy.resource import Found, Owned, Resource
from sre_core import clock
from sre_core.problem import Problem, Refused


def plan_changes(aws: Aws, blueprint: Blueprint, state: State | None) -> Plan:
    """The plan for a blueprint, from what AWS has now and what the journal remembers. Makes no mutating call.

    Raises Refused where somebody asked to stop: half a plan would be a wrong one.
    """
    looking = _Survey(aws, blueprint, state)
    walk_graph(blueprint.sorter(), looking.visit, aws.progress.stop)
    if aws.progress.stop.requested:
        raise Refused(lookup_interrupted())
    names = [item.name for item in blueprint]
    changes = [looking.changes[name] for name in names if name in looking.changes]
    superseded = [change for name in names for change in looking.superseded.get(name, ())]
    records = [record for record in state.alive() if record.name not in names] if state else []
    return Plan(blueprint.deployment, (*changes, *superseded, *generations.unwanted(records)), tuple(looking.problems))


class _Survey:
    def __init__(self, aws: Aws, blueprint: Blueprint, state: State | None) -> None:
        self.aws, self.blueprint, self.state = aws, blueprint, state
        self.changes: dict[str, Change] = {}
        self.superseded: dict[str, tuple[Change, ...]] = {}
        self.outputs: dict[str, Outputs] = {}
        self.problems: list[Problem] = []
        self._parents: dict[str, Found[Any]] = {}
        self._listings: dict[str, tuple[Owned, ...]] = {}
        self._listing = threading.Lock()

    def visit(self, name: str) -> bool:
        """Decide about one resource; its dependents are looked at in any case, so that all problems show at once."""
        item = self.blueprint.item(name)
        wanted = resolve(item.resource, self.outputs)
        records = self.state.generations(name) if self.state else ()
        aws = self.aws.with_progress(replace(self.aws.progress, name=name))
        seen = attempt(
            lambda: self._candidates(aws, item, wanted, records), progress=aws.progress, subject=wanted, failures=wanted.FAILURES
        )
        if isinstance(seen, Lost):
            seen = seen.problem
        problem = seen if isinstance(seen, Problem) else self._decide(item, wanted, seen, records)
        if problem:
            self.problems.append(problem.with_context(resource=name))
        return True

    def _decide(self, item: Item, wanted: Resource, candidates: tuple[Found[Any], ...], records: tuple[Record, ...]) -> Problem | None:
        found = best(wanted, candidates)
        decided = decide(item, wanted, found, generations.record_of(found, records), self.blueprint.deployment)
        if isinstance(decided, Problem):
            return decided
        change = generations.numbered(decided, records)
        self.changes[item.name] = change
        self.superseded[item.name] = tuple(generations.superseded(change, candidates, records, self.blueprint.deployment))
        if found:
            self._parents[found.id] = found
        # A replaced resource gets new ids, so its dependents must not plan with the old ones.
        if change.action in (Action.KEEP, Action.UPDATE):
            self.outputs[item.name] = change.outputs
        return None

    def _candidates(self, aws: Aws, item: Item, wanted: Resource, records: tuple[Record, ...]) -> tuple[Found[Any], ...]:
        """Everything that may be this resource, newest generation first: more than one after an update that was cut short."""
        if item.named:
            named = type(wanted).read(self.aws, item.named, item.name)
            return (named,) if named else ()
        own = [record for record in records if not record.named]
        found = [seen for record in own if record.id and (seen := self._recorded(aws, wanted, record))]
        if [record.phase for record in own] != ["ready"] or not found:
            known = {seen.id for seen in found}
            found += [seen for owned in self._listed(wanted) if owned.id not in known and (seen := self._read(wanted, owned.id))]
        natural = "" if found else wanted.natural_id(self.aws)
        return tuple(found) if not natural else tuple(filter(None, [self._read(wanted, natural)]))

    def _recorded(self, aws: Aws, wanted: Resource, record: Record) -> Found[Any] | None:
        """What a record tells of; where it was born just now, looked for as long as AWS may hide it."""
        fresh = record.phase in ("born", "configured")
        within = time_until(clock.parse(record.intended_at) + wanted.SETTLES) if fresh else timedelta(0)
        for _ in aws.progress.poll("shown", f"{record.id} to be shown by AWS", within):
            if found := self._read(wanted, record.id):
                return found
        return None

    def _read(self, wanted: Resource, id: str) -> Found[Any] | None:
        kind, parent = type(wanted), self._parents.get(ownership.parent_id(id))
        if parent is None:
            return ownership.read(self.aws, kind, id, wanted.name, self.blueprint.deployment)
        found = kind.read(self.aws, id, wanted.name)
        return found and ownership.attributed(kind, found, self.blueprint.deployment, parent)

    def _listed(self, wanted: Resource) -> Iterator[Owned]:
        """What listings show of this resource, newest generation first. Each kind is listed once."""
        kind = type(wanted)
        with self._listing:
            if kind.KIND not in self._listings:
                self._listings[kind.KIND] = kind.owned(self.aws, self.blueprint.deployment)
        mine = [owned for owned in self._listings[kind.KIND] if owned.name == wanted.name]
        return iter(sorted(mine, key=lambda owned: -owned.generation))
