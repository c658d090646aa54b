"""Look at one step of a deployment alone: what AWS has of it, field by field, and take over what was made by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.engine.planning import plan_changes
from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.later import Outputs, resolve
from sre_agent_deploy.plan import Action, Change, Plan
from sre_core.problem import Problem


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
