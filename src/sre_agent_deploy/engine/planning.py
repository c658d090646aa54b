"""Build the plan of a blueprint, or of one step of it: AWS is read in parallel, and nothing is changed; `plan.decide_change` decides.

Of the generations of a resource one continues, and a replacement gets the next number; superseded ones are deleted, or kept for a rollback.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.engine import inventory
from sre_agent_deploy.graph import Blueprint, Item, walk_graph
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.later import Outputs, resolve
from sre_agent_deploy.plan import Action, Change, Plan, choose_generation, decide_change, leave_as_is
from sre_agent_deploy.progress import lookup_interrupted
from sre_agent_deploy.resource import Found, Owned, Resource, generation_of
from sre_agent_deploy.resources import kinds
from sre_core import clock
from sre_core.problem import Problem, Refused


def plan_changes(aws: Aws, blueprint: Blueprint, state: State | None, *, leave: Collection[str] = ()) -> Plan:
    """Plan the changes from a blueprint, from what AWS has now, and from what the journal recorded. Makes no mutating call.

    What exists of `leave` is kept as it is, and what depends on it is planned with that.
    Raises Refused if a stop was requested: half a plan would be a wrong one.
    """
    seen = aws.observing()
    planner = _Planner(seen, blueprint, state, leave)
    used = {item.resource.KIND for item in blueprint} | {record.kind for record in (state.alive() if state else ())}
    with ThreadPoolExecutor(1) as pool:
        listing = pool.submit(inventory.list_repeatable, seen, blueprint.deployment, used)
        walk_graph(blueprint.sorter(), planner.plan_resource, aws.progress.stop)
    if aws.progress.stop.requested:
        raise Refused(lookup_interrupted())
    names = [item.name for item in blueprint]
    changes = [planner.changes[name] for name in names if name in planner.changes]
    superseded = [change for name in names for change in planner.superseded.get(name, ())]
    records = [record for record in state.alive() if record.name not in names] if state else []
    planned = keep_used((*changes, *superseded, *plan_unwanted(records)), blueprint.keep_previous)
    extra = inventory.find_extras(aws, blueprint.deployment, listing.result(), state, (change.id for change in planned))
    problems = (*planner.problems, *extra.problems)
    return Plan(blueprint.deployment, planned, problems, tuple(map(inventory.extra_problem, extra.entries)))


class _Planner:
    def __init__(self, aws: Aws, blueprint: Blueprint, state: State | None, leave: Collection[str]) -> None:
        self.aws, self.blueprint, self.state, self.leave = aws, blueprint, state, leave
        self.changes: dict[str, Change] = {}
        self.superseded: dict[str, tuple[Change, ...]] = {}
        self.outputs: dict[str, Outputs] = {}
        self.problems: list[Problem] = []
        self._parents: dict[str, Found[Any]] = {}
        self._listings: dict[str, tuple[Owned, ...]] = {}
        self._listing = threading.Lock()

    def plan_resource(self, name: str) -> bool:
        """Decide about one resource. Returns True in any case, so that its dependents are planned too and all problems show at once."""
        item = self.blueprint.item(name)
        wanted = resolve(item.resource, self.outputs)
        records = self.state.generations(name) if self.state else ()
        aws = self.aws.with_progress(replace(self.aws.progress, name=name))
        seen = attempt(
            lambda: self._find_candidates(aws, item, wanted, records), progress=aws.progress, subject=wanted, failures=wanted.FAILURES
        )
        if isinstance(seen, Lost):
            seen = seen.problem
        problem = seen if isinstance(seen, Problem) else self._decide(item, wanted, seen, records)
        if problem:
            self.problems.append(problem.with_context(resource=name))
        return True

    def _decide(self, item: Item, wanted: Resource, candidates: tuple[Found[Any], ...], records: tuple[Record, ...]) -> Problem | None:
        deployment = self.blueprint.deployment
        found = choose_generation(wanted, candidates)
        decided = decide_change(item, wanted, found, find_record(found, records), deployment, tags=self.blueprint.tags)
        if isinstance(decided, Problem):
            return decided
        change = assign_generation(leave_as_is(decided) if item.name in self.leave else decided, records)
        self.changes[item.name] = change
        kept_until = self._kept_until(change, records)
        self.superseded[item.name] = tuple(plan_superseded(change, candidates, records, deployment, kept_until=kept_until))
        if found:
            self._parents[found.id] = found
        # A replaced resource gets new ids, so its dependents must not plan with the old ones.
        if change.action in (Action.KEEP, Action.UPDATE):
            changing = wanted.CHANGES_WITH_UPDATE if change.action is Action.UPDATE else frozenset()
            self.outputs[item.name] = {name: value for name, value in change.outputs.items() if name not in changing}
        return None

    def _kept_until(self, change: Change, records: tuple[Record, ...]) -> datetime | None:
        """Return until when the generation before stays: some time after its replacement was created. None when that is over."""
        began = next((clock.parse(record.intended_at) for record in records if record.id and record.id == change.id), None)
        until = began + self.blueprint.keep_previous if began else None
        return until if until and until > clock.now() else None

    def _find_candidates(self, aws: Aws, item: Item, wanted: Resource, records: tuple[Record, ...]) -> tuple[Found[Any], ...]:
        """Find everything that may be this resource, newest generation first: several after an update that was interrupted."""
        if item.named:
            named = type(wanted).read(self.aws, item.named, item.name)
            return (named,) if named else ()
        own = [record for record in records if not record.named]
        found = [seen for record in own if record.id and (seen := self._read_recorded(aws, wanted, record))]
        # Another state file's run may have created a generation beside the one of this state file.
        if type(wanted).BESIDE or [record.phase for record in own] != ["ready"] or not found:
            known = {seen.id for seen in found}
            found += [
                seen for owned in self._list_owned(wanted) if owned.id not in known and (seen := self._read(self.aws, wanted, owned.id))
            ]
        natural = "" if found else wanted.natural_id(self.aws)
        return sort_newest_first(found, own) if not natural else tuple(filter(None, [self._read(self.aws, wanted, natural)]))

    def _read_recorded(self, aws: Aws, wanted: Resource, record: Record) -> Found[Any] | None:
        """Read what a record is about; if it was created just now, for as long as AWS may hide it."""
        fresh = record.phase in ("born", "configured")
        within = aws.progress.time_hidden(wanted.SETTLES, clock.parse(record.intended_at)) if fresh else timedelta(0)
        asked = self.aws
        for _ in aws.progress.poll("shown", f"{record.id} to be shown by AWS", within):
            if found := self._read(asked, wanted, record.id):
                return found
            asked = self.aws.anew()
        return None

    def _read(self, asked: Aws, wanted: Resource, id: str) -> Found[Any] | None:
        kind, parent = type(wanted), self._parents.get(inventory.parent_id(id))
        if parent is None:
            return inventory.read_resource(asked, kind, id, wanted.name, self.blueprint.deployment)
        found = kind.read(asked, id, wanted.name)
        return found and inventory.attribute_owner(kind, found, self.blueprint.deployment, parent)

    def _list_owned(self, wanted: Resource) -> Iterator[Owned]:
        """List the generations of this resource. Each kind is listed once."""
        kind = type(wanted)
        with self._listing:
            if kind.KIND not in self._listings:
                self._listings[kind.KIND] = kind.owned(self.aws, self.blueprint.deployment)
        return (owned for owned in self._listings[kind.KIND] if owned.name == wanted.name)


def find_record(found: Found[Any] | None, records: Sequence[Record]) -> Record | None:
    """Find the record of a resource that was found, or the newest record of one that was not."""
    if found is None:
        return next(iter(records), None)
    known = (record for record in records if record.id == found.id)
    intended = (record for record in records if not record.id and record.generation == generation_of(found.tags or {}))
    return next(known, None) or next(intended, None)


def sort_newest_first(candidates: Sequence[Found[Any]], records: Sequence[Record]) -> tuple[Found[Any], ...]:
    """Sort what may be one resource by generation. What an interrupted update created may be newer than all that has a recorded id."""
    recorded = {record.id: record.generation for record in records if record.id}
    return tuple(sorted(candidates, key=lambda found: -recorded.get(found.id, generation_of(found.tags or {}))))


def assign_generation(change: Change, records: Sequence[Record]) -> Change:
    """Give a change the generation of the resource that it uses, and the next one for a replacement."""
    if change.named:
        same = next((record.generation for record in records if record.named and record.id == change.id), None)
        generation = same or _newest(records) + 1
        return replace(change, generation=generation, next_generation=generation)
    if not replaces_beside(change):
        return replace(change, next_generation=change.generation)
    unfinished = [record.generation for record in records if not record.id and record.generation > change.generation]
    return replace(change, next_generation=max(unfinished, default=max(_newest(records), change.generation) + 1))


def replaces_beside(change: Change) -> bool:
    """Check if the old resource stays until its replacement works. A broken one does not stay: it would only cost money."""
    return change.action is Action.REPLACE and kinds.by_kind(change.kind).BESIDE and not change.broken


def plan_superseded(
    change: Change, candidates: Sequence[Found[Any]], records: Sequence[Record], deployment: str, *, kept_until: datetime | None = None
) -> Iterator[Change]:
    """Plan to delete older generations once `change` is done, and creations that began and are no longer wanted.

    Until `kept_until` the generation before stays, so that a rollback can return to it.
    """
    stays = {change.generation, change.next_generation}
    listed = {found.id: generation_of(found.tags or {}) for found in candidates if found.owner(deployment) == "us" and not change.named}
    if kinds.by_kind(change.kind).ID_FROM_AWS:
        # Another one of a generation that stays was not made by an update, so the user decides about it: see inventory.find_extras.
        listed = {id: generation for id, generation in listed.items() if generation not in stays}
    known = {record.id: record.generation for record in records if record.id and not record.named and record.generation not in stays}
    accounted = {*stays, *listed.values()}
    unfinished = [("", record.generation) for record in records if not record.id and record.generation not in accounted]
    because = f"the configuration names {change.id} instead" if change.named else "another generation has taken its place"
    loses = kinds.by_kind(change.kind).LOSES if change.named else ""
    kept = _choose_kept(change, candidates, listed | known) if kept_until else None
    for id, generation in (*(listed | known).items(), *unfinished):
        if kept and kept_until and id == kept.id:
            why = f"kept for `sre-agent-deploy rollback`; the first deploy after {clock.stamp(kept_until)} deletes it"
            outputs = kept.outputs
            yield Change(change.name, change.kind, Action.KEEP, why, id=id, generation=generation, outputs=outputs, previous=True)
        elif not id or id != change.id:
            yield Change(change.name, change.kind, Action.DELETE, because, loses=loses, id=id, generation=generation, previous=True)


def _choose_kept(change: Change, candidates: Sequence[Found[Any]], superseded: Mapping[str, int]) -> Found[Any] | None:
    """Choose the generation just before the one that is kept, if it works. While a replacement is planned, that one is the next to stay."""
    works = change.action in (Action.KEEP, Action.UPDATE) and kinds.by_kind(change.kind).KEPT_FOR_ROLLBACK
    older = [found for found in candidates if found.id != change.id and found.id in superseded and not found.broken]
    before = [found for found in older if superseded[found.id] < change.generation]
    return max(before, key=lambda found: superseded[found.id], default=None) if works else None


def keeps_replaced(change: Change, keep_previous: timedelta) -> bool:
    """Check if the resource that this change replaces stays for a rollback."""
    return bool(keep_previous) and kinds.by_kind(change.kind).KEPT_FOR_ROLLBACK


def keep_used(changes: Sequence[Change], keep_previous: timedelta) -> tuple[Change, ...]:
    """Keep what is used by a resource that stays for a rollback, such as the network of the previous machine, for as long as it stays."""
    stay = {change.kind for change in changes if _stays(change, keep_previous)}
    used, because = kinds.used_by(stay), "kept with the machine before, which uses it"
    return tuple(
        replace(change, action=Action.KEEP, because=because, loses="", previous=True)
        if change.action is Action.DELETE and change.id and change.kind in used
        else change
        for change in changes
    )


def _stays(change: Change, keep_previous: timedelta) -> bool:
    if change.previous:
        return change.action is Action.KEEP
    return replaces_beside(change) and keeps_replaced(change, keep_previous)


def plan_unwanted(records: Sequence[Record]) -> Iterator[Change]:
    """Plan to delete what the configuration no longer asks for. Resources that it named stay."""
    for record in records:
        if not record.named:
            loses = kinds.by_kind(record.kind).LOSES
            because = "the configuration no longer asks for it"
            yield Change(record.name, record.kind, Action.DELETE, because, loses=loses, id=record.id, generation=record.generation)


def _newest(records: Sequence[Record]) -> int:
    return max((record.generation for record in records), default=0)


def limit_to_step(wanted: Blueprint, name: str, outputs: Mapping[str, Outputs]) -> Blueprint:
    """Return the blueprint of one resource alone, with the values that AWS has chosen so far (pure)."""
    item = wanted.item(name)
    return replace(wanted, items=(Item(resolve(item.resource, outputs), item.named),))


def look_at_step(aws: Aws, wanted: Blueprint, name: str, outputs: Mapping[str, Outputs], state: State | None) -> Plan:
    """Compare one resource with what AWS has, in a tenth of the time of a whole plan. Makes no mutating call.

    Of the extra resources, only those whose name tag is the step's name count for it.
    """
    own = replace(state, records={key: record for key, record in state.records.items() if record.name == name}) if state else None
    plan = plan_changes(aws, limit_to_step(wanted, name, outputs), own)
    return replace(plan, extras=tuple(extra for extra in plan.extras if extra.context.get("resource") == name))


def take_over(journal: Journal, change: Change) -> bool:
    """Record what was made by hand and is right, so that every command knows it. Returns False if it was recorded already."""
    record = journal.state.current(change.name)
    if record and (record.id, record.phase, record.named) == (change.id, "ready", change.named):
        return False
    journal.adopt(change.name, change.kind, change.id, change.outputs, generation=change.generation, named=change.named)
    return True


def is_right(plan: Plan) -> bool:
    """Say if a step is as the configuration wants it (pure)."""
    return not plan.problems and not plan.extras and [change.action for change in plan.changes] == [Action.KEEP]


def describe_gap(plan: Plan) -> tuple[str, ...]:
    """Say what a step still lacks: what prevents it, that it does not exist, or each field with AWS's value and the right one (pure)."""
    prevented = tuple(f"{problem.code}: {problem.what}" for problem in (*plan.problems, *plan.extras))
    return prevented + tuple(line for change in plan.changes for line in _describe_change(change))


def _describe_change(change: Change) -> tuple[str, ...]:
    if change.action is Action.KEEP:
        return ()
    if change.action is Action.CREATE:
        return (f"{change.name} is not in AWS yet ({change.because}).",)
    fields = tuple(f"{entry.field}: AWS has {entry.seen}; right is {entry.wanted}" for entry in change.differences if not entry.stays)
    if change.action is Action.REPLACE:
        return (*fields, f"It can't be corrected in place: delete {change.id} and make it again ({change.because}).")
    return fields or (f"{change.name}: {change.because}.",)


def leave_out(plan: Plan, wanted: Blueprint, names: frozenset[str]) -> tuple[Plan, Blueprint]:
    """Leave out those of the names that do not exist, and what needs them; a plan that leaves the names alone keeps the others (pure)."""
    absent = {change.name for change in plan.changes if change.name in names and change.action is Action.CREATE}
    needs = wanted.needs()
    while more := {name for name, others in needs.items() if others & absent} - absent:
        absent |= more
    kept = tuple(change for change in plan.changes if change.name not in absent)
    problems = tuple(problem for problem in plan.problems if problem.context.get("resource", "") not in (*names, *absent))
    items = tuple(item for item in wanted if item.name not in absent)
    return replace(plan, changes=kept, problems=problems), replace(wanted, items=items)


def by_hand(plan: Plan, names: tuple[str, ...]) -> tuple[Problem, ...]:
    """Explain each step that is to be made by hand and is not right yet (pure)."""
    shown = (replace(plan, changes=(change,), problems=(), extras=()) for change in plan.changes if change.name in names)
    return tuple(_by_hand(part.changes[0].name, describe_gap(part)) for part in shown if not is_right(part))


def _by_hand(name: str, gaps: tuple[str, ...]) -> Problem:
    return Problem(
        code="STEP-BY-HAND",
        what=f"{name} is to be made by hand, and is not right yet.",
        why="; ".join(gaps),
        do=(
            f"Make it as the guide says: `sre-agent-deploy guide --interactive --step {name}` shows every value and compares.",
            "Then run the same command again: what is right is taken over, and the rest goes on.",
        ),
        context={"resource": name},
    )
