"""`deploy` and `resume`: from a configuration to a verified deployment. Running it again continues, repairs, or finds nothing to do."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sre_agent_deploy import connection, deployment_tags
from sre_agent_deploy.account import AccountFacts, local
from sre_agent_deploy.account.account import Account
from sre_agent_deploy.alarms import TOPIC
from sre_agent_deploy.apply import Outcome
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.checks.suite import run_preflight, stops_deployment
from sre_agent_deploy.commands import CONFIG, Request
from sre_agent_deploy.commands.alarms import warn_of_unconfirmed
from sre_agent_deploy.commands.backup import leave_source
from sre_agent_deploy.commands.certs import find_order, place_order, wait_until_served
from sre_agent_deploy.commands.claims import delete_claim, record_claim, state_not_found
from sre_agent_deploy.commands.plan import (
    SavedPlan,
    describe_plan,
    limit_blueprint,
    load_plan,
    look_up_facts,
    plan_deployment,
    require_unmoved,
)
from sre_agent_deploy.commands.rollback import RolledBack, return_to_previous, roll_back, took_over
from sre_agent_deploy.commands.switch import Switch, retire, switch_over
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, Question, User
from sre_agent_deploy.commands.verify import fill_in_ids, find_endpoints, keep_report, prove, wait_until_started
from sre_agent_deploy.commands.workspace import (
    Located,
    Workspace,
    confirm_takeover,
    find_state,
    hold_deployment,
    hold_state,
    open_journal,
    open_workspace,
    watch,
)
from sre_agent_deploy.engine.planning import by_hand, leave_out
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Result, State
from sre_agent_deploy.plan import Plan
from sre_agent_deploy.progress import was_interrupted
from sre_agent_deploy.resources.budgets_budget import Budget
from sre_core import clock
from sre_core.problem import Problem, Refused

type OnFailure = Literal["keep", "rollback"]

_DONE = {"create": "created", "update": "updated", "replace": "replaced", "keep": "already there", "delete": "deleted"}


@dataclass(frozen=True)
class Scope:
    """The part of a deployment that a run changes: everything, the targets and what they need, or exactly a saved plan."""

    targets: tuple[str, ...] = ()
    saved: SavedPlan | None = None
    skipped: tuple[str, ...] = ()
    manual: tuple[str, ...] = ()
    """The resources that a person makes: they are taken over once they are right."""
    open_steps: tuple[Problem, ...] = ()
    """What these still lack."""

    @property
    def partly(self) -> bool:
        """Say if something of the deployment is left as it is."""
        return bool(self.targets or self.skipped or self.open_steps)

    @property
    def result(self) -> Result:
        """Return the name in the history of a run that completed its scope."""
        return "applied in part" if self.partly else "applied"

    @property
    def left(self) -> frozenset[str]:
        """The resources that stay as they are: what is skipped, and what is to be made by hand and is not right yet."""
        return frozenset((*self.skipped, *(step.context["resource"] for step in self.open_steps)))


def deploy(
    request: Request,
    user: User = UNATTENDED,
    *,
    on_failure: OnFailure = "keep",
    targets: tuple[str, ...] = (),
    plan_file: Path | None = None,
    skipped: tuple[str, ...] = (),
    manual: tuple[str, ...] = (),
) -> CommandResult:
    """Take a configuration to a verified, running deployment, or apply a saved plan."""
    if plan_file is None:
        return _deploy(find_state(request), user, "deploy", on_failure, Scope(targets, skipped=skipped, manual=manual))
    saved = load_plan(plan_file)
    if isinstance(saved, Problem):
        raise Refused(saved)
    return _deploy(find_state(saved.request(request)), user, "deploy", on_failure, Scope(saved.targets, saved))


def resume(request: Request, user: User = UNATTENDED, *, on_failure: OnFailure = "keep") -> CommandResult:
    """Continue an interrupted deployment from what its state file says."""
    located = find_state(request)
    if located.state is None:
        raise Refused(state_not_found(located.store.location, "resume"))
    if located.state.runs and located.state.runs[-1].command == "cleanup":
        raise Refused(_last_was_cleanup(located.state))
    if returns_to_previous(located.state):
        raise Refused(_last_was_rollback(located.state))
    return _deploy(located.of_deployed(), user, "resume", on_failure, Scope())


def returns_to_previous(state: State) -> bool:
    """Return True if the last run was a rollback that has not finished (pure)."""
    return bool(state.runs) and state.runs[-1].command == "rollback" and state.runs[-1].result != "rolled back"


def _deploy(located: Located, user: User, command: str, on_failure: OnFailure, scope: Scope) -> CommandResult:
    with open_workspace(located, user, start=True) as opened, ExitStack() as locks:
        locks.enter_context(hold_state(opened.store, opened.account, command))
        here = opened.reload_state()
        findings = run_preflight(here.config, here.account.aws, clock.now())
        user.show_findings(findings)
        if stops_deployment(findings):
            return _not_deployed("Nothing was changed.", *(finding.problem for finding in findings if finding.problem))
        with watch(here.account, user) as account:
            facts = look_up_facts(here.config, account, here.state, here.store.location)
        wanted = limit_blueprint(blueprint(here.config, facts), scope.targets)
        locks.enter_context(hold_deployment(wanted.deployment, here.account, command))
        file = here.config_file if located.named else _recorded_file(here.state)
        journal = open_journal(
            wanted.deployment, config=here.config, config_file=file, account=here.account, store=here.store, state=here.state
        )
        user.note(f"Deployment {wanted.deployment} in {here.config.aws.region} ({here.config.mode} mode)")
        limit_blueprint(wanted, (*scope.skipped, *scope.manual))
        plan = _plan_scope(here, facts, scope, user)
        if open_steps := by_hand(plan, scope.manual):
            scope = replace(scope, open_steps=open_steps)
            plan = _plan_scope(here, facts, scope, user)
        if scope.left:
            plan, wanted = leave_out(plan, wanted, scope.left)
        if prevented := (*plan.problems, *plan.extras):
            user.show_problems(prevented)
            return _not_deployed("Nothing was changed.", *prevented)
        if scope.saved:
            require_unmoved(scope.saved, describe_plan(here, facts, plan, scope.targets))
        others = plan.limit([change.name for change in plan.changes if change.name not in scope.manual])
        confirm_takeover(others, here.state, here.store.location, user)
        if not scope.saved:
            confirm_losses(plan, f"{here.config.name} in account {facts.account_id}, {facts.region}", user)
        journal.begin_run(command)
        _record_whose(here, facts, wanted.deployment)
        result = _carry_out(here, wanted, plan, journal, user, on_failure=on_failure, scope=scope)
        leave_source(here, journal.state, user)
        return result


def _carry_out(
    here: Workspace, wanted: Blueprint, plan: Plan, journal: Journal, user: User, *, on_failure: OnFailure, scope: Scope
) -> CommandResult:
    """Apply a plan, prove that the deployment works, and delete what it replaced only then."""
    outcome, switch = switch_over(here, wanted, plan, journal, user, result=scope.result)
    if not outcome.problems and not scope.partly:
        proved = _prove_deployed(here, journal, plan, outcome, user)
        # A report that could not be written is no reason to roll back what works.
        if "deployed" in proved.details:
            return _retire(wanted, journal, user, switch) or proved
        if on_failure == "keep":
            return proved
    elif not outcome.problems:
        # What was left out may still lead to what was replaced: the next whole deployment deletes it.
        return _deployed_partly(plan, outcome, scope, user)
    user.show_problems(outcome.problems)
    if outcome.stopped:
        return _not_deployed("The run was stopped.", *outcome.problems, interrupted=True)
    if on_failure == "keep":
        return _not_deployed("What was created is recorded: `sre-agent-deploy resume` continues, `cleanup` deletes it.", *outcome.problems)
    return _roll_back(here, wanted, plan, journal, user)


def _retire(wanted: Blueprint, journal: Journal, user: User, switch: Switch) -> CommandResult | None:
    problems = retire(wanted, journal, user, switch)
    user.show_problems(problems)
    message = "The deployment works, but what it replaced was not deleted: `sre-agent-deploy deploy` does that."
    return _not_deployed(message, *problems, interrupted=was_interrupted(problems)) if problems else None


def _plan_scope(here: Workspace, facts: AccountFacts, scope: Scope, user: User) -> Plan:
    """Plan the whole deployment, and keep of the plan what the scope may change."""
    whole = blueprint(here.config, facts)
    with watch(here.account, user) as account:
        plan = plan_deployment(account, whole, here.state, leave=scope.left)
    return plan.limit([item.name for item in limit_blueprint(whole, scope.targets)]) if scope.targets else plan


def _record_whose(here: Workspace, facts: AccountFacts, deployment: str) -> None:
    """Record on this machine whose deployment it is: `list` shows it, and another folder does not take it over silently."""
    config = here.config
    record_claim(deployment, here.store.location, config.mode, name=config.name, account=facts.account_id, region=facts.region)
    if here.account.registry:
        local.record_deployment(here.account.registry, deployment)


def _recorded_file(state: State | None) -> Path:
    return Path(state.config_file if state and state.config_file else CONFIG)


def confirm_losses(plan: Plan, where: str, user: User) -> None:
    """Ask before something is replaced or deleted. Without a terminal, only a loss of data or an address needs the answer."""
    ending = [change for change in plan.changes if change.action in ("replace", "delete")]
    losing = [change for change in ending if change.loses]
    if not ending or user.yes:
        return
    refusal = _loses(", ".join(f"{change.name} ({change.loses})" for change in losing))
    loss = f" This loses {', '.join(f'{change.loses} of {change.name}' for change in losing)}." if losing else ""
    user.show_plan(plan)
    text = f"Deployment {plan.deployment}, {where}: {', '.join(f'{change.action} {change.name}' for change in ending)}.{loss} Continue?"
    user.confirm(Question(text, refusal, answered=not losing))


def _roll_back(here: Workspace, wanted: Blueprint, plan: Plan, journal: Journal, user: User) -> CommandResult:
    user.note("\nNot deployed. Rolling back:")
    returned = return_to_previous(here, wanted, journal, user) if took_over(plan, journal.state) else RolledBack((), ())
    with watch(here.account, user) as account:
        rolled = roll_back(account.aws, wanted, plan, before=here.state, journal=journal, observe=account.aws.progress.observe)
    journal.end_run("interrupted" if rolled.stopped else "rollback failed" if rolled.problems else "rolled back")
    if not journal.state.alive():
        local.forget_deployment(wanted.deployment)
        delete_claim(wanted.deployment)
    rolled = replace(rolled, deleted=(*returned.deleted, *rolled.deleted), problems=(*returned.problems, *rolled.problems))
    user.show_problems(rolled.problems)
    count = len(rolled.deleted)
    return _not_deployed(f"{count or 'No'} resource{'s' if count != 1 else ''} rolled back.", *rolled.problems, interrupted=rolled.stopped)


def _prove_deployed(here: Workspace, journal: Journal, plan: Plan, outcome: Outcome, user: User) -> CommandResult:
    """Write the connection file, then prove that the deployment works."""
    endpoints = find_endpoints(here.config, here.account, outcome.outputs)
    secret = str(outcome.outputs["caller_client_secret"]["secret_arn"])
    connection.write_connection(plan.deployment, endpoints, secret, here.account, name=here.config.name)
    _note_temporary_and_budget(here.account, plan, outcome, user)
    if order := find_order(here.config, here.account.aws, plan.deployment, outcome.outputs):
        if problem := place_order(order, here.account, user):
            user.show_problems((problem,))
            journal.end_run("not verified")
            return _not_deployed("Everything is created, but no client can trust the certificate yet.", problem)
        wait_until_served(here.account.aws, order.secret_arn, endpoints, user)
    elif {("certificate", "update"), ("instance", "keep")} <= {(change.name, str(change.action)) for change in plan.changes}:
        # A machine that was created since has begun with it.
        wait_until_served(here.account.aws, str(outcome.outputs["certificate"]["secret_arn"]), endpoints, user)
    if any((change.name, change.action) == ("instance", "update") for change in plan.changes):
        wait_until_started(here.config, endpoints, user)
    user.note("Verifying:")
    report = prove(here.config, fill_in_ids(plan, journal), endpoints, user)
    if report.verified:
        journal.record_verification()
    else:
        journal.end_run("not verified")
    file = keep_report(report, user)
    warn_of_unconfirmed(here.account.aws, outcome.outputs.get(TOPIC, {}).get("topic_arn", ""), user)
    if not report.verified:
        return _not_deployed(f"{f'The report is in {file}. ' if file else ''}`sre-agent-deploy verify` checks again.")
    result = _deployed(plan, outcome.seconds, endpoints.assistant_url, str(file or "in no file"))
    return result if file else result.model_copy(update={"success": False})


def _note_temporary_and_budget(account: Account, plan: Plan, outcome: Outcome, user: User) -> None:
    if temporary := deployment_tags.read_lifetime(outcome.outputs[deployment_tags.TTL_RESOURCE]):
        user.show_lifetime(temporary)
    # The local AWS costs nothing.
    if not account.registry and any(change.kind == Budget.KIND and change.action == "create" for change in plan.changes):
        user.note(f"So that the budget counts anything, {Budget.COUNTS_ONCE}.")


def _deployed_partly(plan: Plan, outcome: Outcome, scope: Scope, user: User) -> CommandResult:
    """Say that only a part was changed: the rest may not exist, or not fit it, so nothing is proved."""
    if scope.open_steps:
        user.show_problems(scope.open_steps)
        return _not_deployed("Everything that does not need these steps is deployed.", *scope.open_steps)
    return CommandResult(
        success=True,
        component="deployment",
        message=f"{_count_resources(plan, outcome.seconds)}\n{_describe_scope(scope)}; not verified.",
        details={"deployed": plan.deployment, "targets": scope.targets, "seconds": round(outcome.seconds, 1)},
        next_steps=("sre-agent-deploy plan   (shows the rest)", "sre-agent-deploy deploy"),
    )


def _describe_scope(scope: Scope) -> str:
    only = f"Only {', '.join(scope.targets)} and what it needs" if scope.targets else "Everything"
    return f"{only} without {', '.join(scope.skipped)} and what needs it" if scope.skipped else only


def _count_resources(plan: Plan, seconds: float) -> str:
    counts = ", ".join(f"{number} {_DONE[action]}" for action, number in plan.count().items() if number)
    return f"Resources: {counts} ({seconds:.1f} s)."


def _deployed(plan: Plan, seconds: float, url: str, report: str) -> CommandResult:
    which = "" if connection.is_only(plan.deployment) else f"--deployment {plan.deployment} "
    return CommandResult(
        success=True,
        component="deployment",
        message=f"{_count_resources(plan, seconds)}\nAssistant: {url}\nReport:    {report}",
        details={"deployed": plan.deployment, "assistant_url": url, "report": report, "seconds": round(seconds, 1)},
        next_steps=(f'sre-agent {which}--prompt "What is wrong right now?"', "sre-agent-deploy status | plan | verify | cleanup"),
    )


def _not_deployed(message: str, *problems: Problem, interrupted: bool = False) -> CommandResult:
    return CommandResult(
        success=False, component="deployment", message=f"\nNot deployed. {message}", problems=problems, interrupted=interrupted
    )


def _last_was_cleanup(state: State) -> Problem:
    rest = ("To delete the rest: `sre-agent-deploy cleanup`.",) if state.alive() else ()
    return Problem(
        code="RESUME-AFTER-CLEANUP",
        what=f"There is nothing to resume: the last run of {state.deployment} was a cleanup{' that did not finish' if rest else ''}.",
        why="`resume` continues a deployment. After a cleanup it would create again what you deleted.",
        do=(*rest, "To create the deployment again: `sre-agent-deploy deploy`."),
    )


def _last_was_rollback(state: State) -> Problem:
    return Problem(
        code="RESUME-AFTER-ROLLBACK",
        what=f"There is nothing to resume: the last run of {state.deployment} was a rollback that did not finish.",
        why="`resume` continues a deployment. After a rollback it would repeat the update that you undo.",
        do=(
            "Finish the rollback: `sre-agent-deploy rollback`.",
            "To deploy what the configuration says instead: `sre-agent-deploy deploy`.",
        ),
    )


def _loses(what: str) -> Problem:
    return Problem(
        code="PLAN-LOSES",
        what=f"This deployment would lose {what}.",
        why="Such a change needs a confirmation, and there is no terminal to ask for it.",
        do=("Show the changes first: `sre-agent-deploy plan`.", "To confirm the loss, add --yes."),
    )
