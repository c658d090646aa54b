"""Looks at AWS, in parallel and without changing anything, and has `plan.decide` say what to do."""

from __future__ import annotations

import threading
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.journal.record import Record, State
from sre_agent_deploy.plan import Action, Change, Plan, decide
from sre_agent_deploy.resource import Found, Outputs, Owned, Resource, resolve
from sre_agent_deploy.walk import walk
from sre_core.problem import Problem


def survey(aws: Aws, blueprint: Blueprint, state: State | None) -> Plan:
    """The plan for a blueprint, from what AWS has now and what the journal remembers. Makes no mutating call."""
    looking = _Survey(aws, blueprint, state)
    walk(blueprint.sorter(), looking.visit)
    changes = tuple(looking.changes[item.name] for item in blueprint if item.name in looking.changes)
    return Plan(blueprint.deployment, (*changes, *_no_longer_wanted(blueprint, state)), tuple(looking.problems))


class _Survey:
    def __init__(self, aws: Aws, blueprint: Blueprint, state: State | None) -> None:
        self.aws, self.blueprint, self.state = aws, blueprint, state
        self.changes: dict[str, Change] = {}
        self.outputs: dict[str, Outputs] = {}
        self.problems: list[Problem] = []
        self._listings: dict[str, tuple[Owned, ...]] = {}
        self._listing = threading.Lock()

    def visit(self, name: str) -> bool:
        """Decide about one resource; its dependents are looked at in any case, so that all problems show at once."""
        item = self.blueprint.item(name)
        wanted = resolve(item.resource, self.outputs)
        record = self.state.current(name) if self.state else None
        found = attempt(lambda: self._find(item, wanted, record), subject=wanted, failures=wanted.FAILURES)
        if isinstance(found, Lost):
            found = found.problem
        decided = found if isinstance(found, Problem) else decide(item, wanted, found, record, self.blueprint.deployment)
        if isinstance(decided, Problem):
            self.problems.append(decided)
            return True
        self.changes[name] = decided
        # A replaced resource gets new ids, so its dependents must not plan with the old ones.
        if decided.action in (Action.KEEP, Action.UPDATE):
            self.outputs[name] = decided.outputs
        return True

    def _find(self, item: Item, wanted: Resource, record: Record | None) -> Found[Any] | None:
        kind = type(wanted)
        if item.named:
            return kind.read(self.aws, item.named, item.name)
        if record and record.id and (found := kind.read(self.aws, record.id, item.name)):
            return found
        mine = [owned for owned in self._owned(kind) if owned.name == item.name]
        for owned in sorted(mine, key=lambda owned: -owned.generation):
            if found := kind.read(self.aws, owned.id, item.name):
                return found
        natural = wanted.natural_id(self.aws)
        return kind.read(self.aws, natural, item.name) if natural else None

    def _owned(self, kind: type[Resource]) -> tuple[Owned, ...]:
        with self._listing:
            if kind.KIND not in self._listings:
                self._listings[kind.KIND] = kind.owned(self.aws, self.blueprint.deployment)
            return self._listings[kind.KIND]


def _no_longer_wanted(blueprint: Blueprint, state: State | None) -> tuple[Change, ...]:
    wanted = {item.name for item in blueprint}
    leftover = [record for record in state.alive() if record.name not in wanted and record.id] if state else []
    return tuple(
        Change(
            record.name, record.kind, Action.DELETE, "the configuration no longer asks for it", id=record.id, generation=record.generation
        )
        for record in leftover
        if not record.named
    )
