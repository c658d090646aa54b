"""Build the plan of a blueprint, or of one step of it: AWS is read in parallel, and nothing is changed; `plan.decide_change` decides.

What carries the deployment's tag and is not in its journal is found too: nothing of it is ignored, and nothing is created beside it. Only
kinds whose id AWS chooses are listed for that (`ID_FROM_AWS`): of these a deployment can have two, and AWS refuses neither.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.config import duration
from sre_agent_deploy.engine import generations, inventory
from sre_agent_deploy.engine.inventory import Entry
from sre_agent_deploy.graph import Blueprint, Item, walk_graph
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.later import Outputs, resolve
from sre_agent_deploy.plan import Action, Change, Plan, choose_generation, decide_change, leave_as_is
from sre_agent_deploy.progress import lookup_interrupted
from sre_agent_deploy.resource import Found, Owned, Resource
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
        listing = pool.submit(list_repeatable, seen, blueprint.deployment, used)
        walk_graph(blueprint.sorter(), planner.plan_resource, aws.progress.stop)
    if aws.progress.stop.requested:
        raise Refused(lookup_interrupted())
    names = [item.name for item in blueprint]
    changes = [planner.changes[name] for name in names if name in planner.changes]
    superseded = [change for name in names for change in planner.superseded.get(name, ())]
    records = [record for record in state.alive() if record.name not in names] if state else []
    planned = generations.keep_used((*changes, *superseded, *generations.plan_unwanted(records)), blueprint.keep_previous)
    extra = find_extras(aws, blueprint.deployment, listing.result(), state, planned)
    problems = (*planner.problems, *extra.problems)
    return Plan(blueprint.deployment, planned, problems, tuple(map(extra_problem, extra.entries)))


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
        decided = decide_change(item, wanted, found, generations.find_record(found, records), deployment, tags=self.blueprint.tags)
        if isinstance(decided, Problem):
            return decided
        change = generations.assign_generation(leave_as_is(decided) if item.name in self.leave else decided, records)
        self.changes[item.name] = change
        kept_until = self._kept_until(change, records)
        self.superseded[item.name] = tuple(generations.plan_superseded(change, candidates, records, deployment, kept_until=kept_until))
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
        return generations.sort_newest_first(found, own) if not natural else tuple(filter(None, [self._read(self.aws, wanted, natural)]))

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


def limit_to_step(wanted: Blueprint, name: str, outputs: Mapping[str, Outputs]) -> Blueprint:
    """Return the blueprint of one resource alone, with the values that AWS has chosen so far (pure)."""
    item = wanted.item(name)
    return replace(wanted, items=(Item(resolve(item.resource, outputs), item.named),))


def look_at_step(aws: Aws, wanted: Blueprint, name: str, outputs: Mapping[str, Outputs], state: State | None) -> Plan:
    """Compare one resource with what AWS has, in a tenth of the time of a whole plan. Makes no mutating call.

    Only the extras that carry the step's own name are its own.
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
