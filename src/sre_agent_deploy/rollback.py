"""`--on-failure rollback`: a first deployment goes back to nothing, an update to what served before it."""

from __future__ import annotations

from dataclasses import dataclass

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.cleanup import cleanup
from sre_agent_deploy.engine.remove import remove
from sre_agent_deploy.engine.survey import plan_changes
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.plan import Action, Plan
from sre_agent_deploy.progress.events import Observer, ignore_event
from sre_agent_deploy.progress.interrupt import run_interrupted, was_interrupted
from sre_agent_deploy.resources import kinds
from sre_core.problem import Problem


@dataclass(frozen=True)
class RolledBack:
    """What was taken back, and what could not be."""

    removed: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def stopped(self) -> bool:
        """Whether somebody asked to stop before the end."""
        return was_interrupted(self.problems)


def roll_back(
    aws: Aws, blueprint: Blueprint, plan: Plan, *, before: State | None, journal: Journal, observe: Observer = ignore_event
) -> RolledBack:
    """Take back what a failed run made. `plan` is what it set out to do, `before` the state from before it."""
    if first(before, plan):
        cleaned = cleanup(aws, blueprint.deployment, journal, observe, stop=aws.progress.stop)
        return RolledBack(tuple(doomed.name for doomed in cleaned.removed), cleaned.problems)
    now = plan_changes(aws, blueprint, journal.state)
    removed: list[str] = []
    problems: list[Problem] = []
    for record in reversed(newborn(plan, journal.state, blueprint, now)):
        if aws.progress.stop.requested:
            problems.append(run_interrupted())
            break
        problem = remove(aws, kinds.by_kind(record.kind), record.id, record.name, blueprint.deployment)
        if problem:
            problems.append(problem)
        else:
            journal.record_phase(record, "gone")
            removed.append(record.name)
    changed = in_place(plan, now)
    return RolledBack(tuple(removed), (*problems, *([_partial(changed)] if changed else [])))


def first(before: State | None, plan: Plan) -> bool:
    """Whether all there is may go: none of it was ever complete, and this state has seen the birth of each (pure).

    A state that was lost, and found again by tags, proves nothing: what the plan found may have served for months.
    """
    born = {record.key for record in before.alive() if record.token} if before else set()
    return _there(plan) <= born and not (before and before.was_complete)


def newborn(plan: Plan, after: State, blueprint: Blueprint, now: Plan) -> tuple[Record, ...]:
    """What the run made beside what served, and nothing that was there already has been led to since (pure)."""
    there, served = _there(plan), {change.name for change in plan.changes if change.id}
    made = [record for record in after.alive() if record.id and record.key not in there]
    beside = [record for record in made if record.name in served]
    led = {change.name for change in now.changes if change.action is Action.KEEP} - {record.name for record in made}
    users = {name: {user for user, needs in blueprint.needs().items() if name in needs} for name in {record.name for record in beside}}
    return tuple(record for record in beside if not users[record.name] & led)


def _there(plan: Plan) -> set[str]:
    """The keys of what the plan found, other than what the user named."""
    return {f"{change.name}-{change.generation}" for change in plan.changes if change.id and not change.named}


def in_place(plan: Plan, now: Plan) -> tuple[str, ...]:
    """The names of what the run changed where it stood (pure)."""
    kept = {change.name for change in now.changes if change.action is Action.KEEP}
    return tuple(change.name for change in plan.changes if change.action is Action.UPDATE and change.name in kept)


def _partial(changed: tuple[str, ...]) -> Problem:
    return Problem(
        code="ROLLBACK-PARTIAL",
        what=f"Not everything was rolled back: {', '.join(changed)} had been changed in place already.",
        why="What AWS changes in place has no earlier version to go back to.",
        do=(
            "Put the configuration back to what it was and deploy it: only these are changed again.",
            "Or correct what failed and run the same command again; it continues.",
        ),
    )
