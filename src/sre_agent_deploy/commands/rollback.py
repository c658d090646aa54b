"""`rollback` and `--on-failure rollback`: return to what served before the last update: a machine that is kept, or a runtime's version.

A first deployment that failed is deleted. After an update, the machine before takes over again, if it was kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from sre_agent_deploy.agentcore import ENDPOINT
from sre_agent_deploy.apply import list_unwanted
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.plan import look_up_facts
from sre_agent_deploy.commands.switch import retire, switch_over
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, Question, User
from sre_agent_deploy.commands.workspace import Workspace, find_state, hold_deployment, hold_state, open_journal, open_workspace
from sre_agent_deploy.engine.create import configure_resource, wait_until_ready
from sre_agent_deploy.engine.delete import clean_up, delete_resource
from sre_agent_deploy.engine.planning import plan_changes
from sre_agent_deploy.graph import Blueprint, Item
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.plan import Action, Plan
from sre_agent_deploy.progress import Observer, ignore_event, run_interrupted, was_interrupted
from sre_agent_deploy.resource import Resource
from sre_agent_deploy.resources import kinds
from sre_agent_deploy.resources.agentcore_runtime import AgentRuntime
from sre_agent_deploy.resources.agentcore_runtime_endpoint import RuntimeEndpoint
from sre_agent_deploy.resources.cloudwatch_alarm import Alarm
from sre_agent_deploy.resources.cloudwatch_dashboard import Dashboard
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_core.problem import Problem, Refused


@dataclass(frozen=True)
class RolledBack:
    """The names of what was deleted, and what could not be rolled back."""

    deleted: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def stopped(self) -> bool:
        """True if the user stopped it before the end."""
        return was_interrupted(self.problems)


def roll_back(
    aws: Aws, blueprint: Blueprint, plan: Plan, *, before: State | None, journal: Journal, observe: Observer = ignore_event
) -> RolledBack:
    """Undo what a failed run changed. `plan` is the plan of that run, `before` the state before it."""
    if is_first_run(before, plan):
        cleaned = clean_up(aws, blueprint.deployment, journal, observe, stop=aws.progress.stop)
        return RolledBack(tuple(entry.name for entry in cleaned.deleted), cleaned.problems)
    problems = [*return_updated(aws, plan)]
    now = plan_changes(aws, blueprint, journal.state)
    deleted: list[str] = []
    for record in reversed(created_beside(plan, journal.state, blueprint, now)):
        if aws.progress.stop.requested:
            problems.append(run_interrupted())
            break
        problem = delete_resource(aws, kinds.by_kind(record.kind), record.id, record.name, blueprint.deployment)
        if problem:
            problems.append(problem)
        else:
            journal.record_phase(record, "gone")
            deleted.append(record.name)
    changed = updated_in_place(plan, now)
    return RolledBack(tuple(deleted), (*problems, *([_partial(changed)] if changed else [])))


def return_updated(aws: Aws, plan: Plan) -> Iterator[Problem]:
    """Return what was updated in place to what AWS still has of before, such as an endpoint to its version before."""
    for change in plan.changes:
        kind = kinds.by_kind(change.kind)
        before = {entry.field: entry.seen for entry in change.differences if entry.field in kind.RETURNS}
        found = kind.read(aws, change.id, change.name) if before and change.action is Action.UPDATE else None
        if found:
            wanted = replace(found.seen, **before)  # type: ignore[type-var]  # each type is a dataclass
            end = configure_resource(aws, wanted, change.id) or wait_until_ready(aws, wanted, change.id)
            yield from (end,) if isinstance(end, Problem) else ()


_SERVES = frozenset({"dns_record", "address_association"})
_WATCHES = frozenset({Alarm.KIND, Dashboard.KIND})


def plan_return(aws: Aws, wanted: Blueprint, state: State, *, versions: bool = False) -> tuple[Blueprint, Plan] | None:
    """Plan to let the machine before serve again, and to delete the one that replaced it. None if it was not kept.

    The machine before is declared as AWS shows it, so that everything that follows from it goes back too. With `versions`, a runtime
    also returns to the version that served before.
    """
    machine, version = _find_machine(aws, state), _find_version(aws, state) if versions else {}
    if not machine and not version:
        return None
    before = machine | version
    pinned = replace(wanted, items=tuple(Item(before[item.name]) if item.name in before else item for item in wanted))
    part = pinned.limit([*(find_followers(pinned, state) if machine else ()), *version])
    return part, plan_changes(aws, pinned, state).limit([item.name for item in part])


def _find_machine(aws: Aws, state: State) -> dict[str, Resource]:
    kept = [found for record in state.generations("instance")[1:] if (found := Ec2Instance.read(aws, record.id, "instance"))]
    return {"instance": replace(kept[0].seen, instance_state="running")} if kept and not kept[0].broken else {}


def _find_version(aws: Aws, state: State) -> dict[str, Resource]:
    """Find the runtime as AWS shows it, and its endpoint on the version that served before."""
    records = state.current("runtime"), state.current(ENDPOINT)
    runtime = AgentRuntime.read(aws, records[0].id, "runtime") if records[0] else None
    endpoint = RuntimeEndpoint.read(aws, records[1].id, ENDPOINT) if records[1] else None
    version = str(endpoint.outputs["version_before"]) if endpoint else ""
    return {"runtime": runtime.seen, ENDPOINT: replace(endpoint.seen, version=version)} if runtime and endpoint and version else {}


def find_followers(wanted: Blueprint, state: State) -> tuple[str, ...]:
    """Find what follows the machine that serves: the record or address that leads to it, and what watches it already (pure)."""
    needs = wanted.needs()
    watching = (item.name for item in wanted if item.resource.KIND in _WATCHES and "instance" in needs[item.name])
    return (*(item.name for item in wanted if item.name in _SERVES), *(name for name in watching if state.current(name)))


def return_to_previous(here: Workspace, wanted: Blueprint, journal: Journal, user: User, *, versions: bool = False) -> RolledBack:
    """Let the machine before serve again, if the new one has taken over already."""
    returning = plan_return(here.account.aws, wanted, journal.state, versions=versions)
    if returning is None:
        return RolledBack((), ())
    part, plan = returning
    if plan.problems:
        return RolledBack((), plan.problems)
    outcome, switch = switch_over(here, part, plan, journal, user, result="rolled back")
    problems = outcome.problems or retire(part, journal, user, switch)
    return RolledBack(tuple(change.name for change in list_unwanted(plan, part)) if not problems else (), problems)


def took_over(plan: Plan, after: State) -> bool:
    """Return True if the newest machine is the one of this unfinished update: what served before it is the machine to return to (pure)."""
    newest = after.current("instance")
    if newest is None:
        return False
    change = next((change for change in plan.changes if change.name == "instance" and not change.previous), None)
    if change and change.action is Action.REPLACE:
        return newest.id != change.id
    return not after.verified_at or after.verified_at < newest.intended_at


def is_first_run(before: State | None, plan: Plan) -> bool:
    """Return True if everything may be deleted: it was never complete, and this state recorded the creation of each part (pure).

    A state that was lost and rebuilt from tags proves nothing: what the plan found may have served for months.
    """
    created = {record.key for record in before.alive() if record.token} if before else set()
    return _keys_found(plan) <= created and not (before and before.was_complete)


def created_beside(plan: Plan, after: State, blueprint: Blueprint, now: Plan) -> tuple[Record, ...]:
    """Return the records of what the run created beside what served, unless an older resource refers to it by now (pure)."""
    found, served = _keys_found(plan), {change.name for change in plan.changes if change.id}
    made = [record for record in after.alive() if record.id and record.key not in found]
    beside = [record for record in made if record.name in served]
    kept = {change.name for change in now.changes if change.action is Action.KEEP} - {record.name for record in made}
    users = {name: {user for user, needs in blueprint.needs().items() if name in needs} for name in {record.name for record in beside}}
    return tuple(record for record in beside if not users[record.name] & kept)


def _keys_found(plan: Plan) -> set[str]:
    """Return the keys of what the plan found, without what the user named."""
    return {f"{change.name}-{change.generation}" for change in plan.changes if change.id and not change.named}


def updated_in_place(plan: Plan, now: Plan) -> tuple[str, ...]:
    """Return the names of what the run updated without replacing it (pure)."""
    kept = {change.name for change in now.changes if change.action is Action.KEEP}
    updated = (change for change in plan.changes if change.action is Action.UPDATE and change.name in kept)
    # Of these AWS has the version before, and what led to it has returned.
    return tuple(change.name for change in updated if not kinds.by_kind(change.kind).CHANGES_WITH_UPDATE)


def _partial(changed: tuple[str, ...]) -> Problem:
    return Problem(
        code="ROLLBACK-PARTIAL",
        what=f"Not everything was rolled back: {', '.join(changed)} had been updated in place already.",
        why="AWS keeps no earlier version of what it updates in place.",
        do=(
            "Restore the earlier configuration and deploy it: only these are updated again.",
            "Or fix what failed and run the same command again; it continues.",
        ),
    )


def rollback(request: Request, user: User = UNATTENDED) -> CommandResult:
    """Let the machine before the last update serve again, and delete the one that replaced it."""
    with open_workspace(find_state(request).of_deployed(), user, start=False) as opened, ExitStack() as locks:
        locks.enter_context(hold_state(opened.store, opened.account, "rollback"))
        here = opened.reload_state()
        facts = look_up_facts(here.config, here.account, here.state, here.store.location)
        wanted = blueprint(here.config, facts)
        locks.enter_context(hold_deployment(wanted.deployment, here.account, "rollback"))
        returning = plan_return(here.account.aws, wanted, here.state, versions=True) if here.state else None
        if returning is None:
            raise Refused(_nothing_before(wanted.deployment))
        if returning[1].problems:
            raise Refused(*returning[1].problems)
        user.show_plan(returning[1])
        user.confirm(
            Question(
                "Let what served before the last update serve again, and delete the newer machine, if there is one?",
                _rollback_not_confirmed(),
            )
        )
        journal = open_journal(
            wanted.deployment, config=here.config, config_file=here.config_file, account=here.account, store=here.store, state=here.state
        )
        journal.begin_run("rollback")
        returned = return_to_previous(here, wanted, journal, user, versions=True)
        user.show_problems(returned.problems)
        if returned.problems:
            message = "\nThe rollback did not finish; run it again."
            return CommandResult(
                success=False, component="deployment", message=message, problems=returned.problems, interrupted=returned.stopped
            )
    return CommandResult(
        success=True,
        component="deployment",
        message="What served before serves again. Install the previous release before you deploy, or that deployment repeats the update.",
        details={"deployed": wanted.deployment},
        next_steps=("sre-agent-deploy verify", "sre-agent-deploy plan   (shows what the configuration would change)"),
    )


def _nothing_before(deployment: str) -> Problem:
    return Problem(
        code="ROLLBACK-NOTHING-KEPT",
        what=f"Deployment {deployment} has no previous machine to return to. Nothing was changed.",
        why="An update deletes the previous machine at its end, or with deployment.keep_previous when that time is over.",
        do=(
            "Install the previous release (`pip install sre-agent==VERSION`), restore its configuration, then `sre-agent-deploy deploy`.",
            "For the next update, set for example deployment.keep_previous: 1h.",
        ),
    )


def _rollback_not_confirmed() -> Problem:
    return Problem(
        code="ROLLBACK-NOT-CONFIRMED",
        what="Nothing was rolled back.",
        why="A rollback deletes the newer machine, and there is no terminal to ask for a confirmation.",
        do=("See what would change: `sre-agent-deploy plan`.", "To confirm it: `sre-agent-deploy rollback --yes`."),
    )
