"""`cleanup --older-than`: delete the temporary deployments of an account and region that are no longer needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.cleanup import (
    clean_up_with_journal,
    config_for_cleanup,
    forget_deployment,
    named_resources,
    refuse_other_account,
)
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, Question, User
from sre_agent_deploy.commands.workspace import find_state, find_tagged_store, hold_deployment, keep_current, use_account
from sre_agent_deploy.config import duration
from sre_agent_deploy.engine.inventory import Named, list_deployments
from sre_agent_deploy.engine.staleness import Seen, Verdict, Verdicts, judge_deployment, look_at
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store
from sre_agent_deploy.progress import Observer, Stop
from sre_core import clock
from sre_core.problem import Problem, Refused


def sweep(request: Request, older_than: timedelta, user: User = UNATTENDED, *, dry_run: bool = False) -> CommandResult:
    """Judge every deployment of the account and region, show the verdicts, and delete what is to be deleted."""
    located = find_state(request)
    config = config_for_cleanup(located, located.state)
    with use_account(config, user, start=False) as account:
        if account is None:
            return CommandResult(success=True, component="sweep", message="There is nothing to sweep: no local AWS runs.")
        refuse_other_account(account, config, located.state)
        scope = Scope(account, older_than, named_resources(config), located.store, keep_current(located.state, account))
        deployments = list_deployments(account.aws)
        verdicts = tuple(verdict for id in deployments.ids if (verdict := scope.judge(id, scope.find_worker(id))))
        user.show_verdicts(Verdicts(account.aws.account_id, account.aws.region, verdicts))
        user.show_problems(deployments.problems)
        to_delete = [verdict for verdict in verdicts if verdict.delete]
        if dry_run or not to_delete:
            return CommandResult(success=not deployments.problems, component="sweep", message="", problems=deployments.problems)
        _confirm(to_delete, older_than, user)
        return _delete_all(scope, to_delete, deployments.problems, user)


@dataclass(frozen=True)
class Scope:
    """Where one sweep works and what is old enough for it; and the state of this folder, if there is one."""

    account: Account
    older_than: timedelta
    named: Named
    store: Store
    state: State | None

    def judge(self, deployment: str, worker: str) -> Verdict | None:
        """Judge one deployment as AWS shows it now; None if nothing is left of it."""
        seen = self._look_at(deployment, worker)
        return judge_deployment(seen, clock.now(), self.older_than) if seen else None

    def _look_at(self, deployment: str, worker: str) -> Seen | None:
        """Look up a deployment, and who works on it by the lock that its own tags name."""
        seen = look_at(self.account.aws, deployment, self.named, worker)
        if seen is None or seen.worker:
            return seen
        try:
            store = find_tagged_store(seen.parts, self.account)
            owner = store.lock_owner() if store else None
        except Refused as refused:
            return replace(seen, unseen=seen.unseen or f"its lock could not be read: {refused.problems[0].what}")
        return replace(seen, worker=str(owner or ""))

    def delete(self, deployment: str, observe: Observer, stop: Stop) -> tuple[Problem, ...]:
        """Delete one deployment if its verdict is still the same; return what remains and why."""
        state = self.state if self.state and self.state.deployment == deployment else None
        try:
            with hold_deployment(deployment, self.account, "cleanup"):
                seen = self._look_at(deployment, worker="")
                now = judge_deployment(seen, clock.now(), self.older_than) if seen else None
                if now and not now.delete:
                    return (_changed_meanwhile(now),)
                store = self.store if state else find_tagged_store(seen.parts if seen else (), self.account)
                return clean_up_with_journal(self.account, deployment, store, state, observe, named=self.named, stop=stop).problems
        except Refused as refused:
            return refused.problems

    def find_worker(self, deployment: str) -> str:
        """Return the process that works on a deployment now, as far as this machine, or the state of this folder, can tell."""
        mine = self.state is not None and self.state.deployment == deployment
        owner = lock.find_owner(lock.deployment_lock(deployment)) or (self.store.lock_owner() if mine else None)
        return str(owner or "")


def _confirm(to_delete: Sequence[Verdict], older_than: timedelta, user: User) -> None:
    names = ", ".join(verdict.deployment for verdict in to_delete)
    count = sum(verdict.resources for verdict in to_delete)
    user.confirm(Question(f"Delete {names} with {count} resources?", _unconfirmed(names, older_than), if_no="Nothing was deleted"))


def _delete_all(scope: Scope, to_delete: Sequence[Verdict], unseen: tuple[Problem, ...], user: User) -> CommandResult:
    """Delete one after the other; a failure does not stop the others."""
    gone: list[str] = []
    remains: list[Problem] = []
    with user.progress() as observe, user.stoppable() as stop:
        for verdict in to_delete:
            if not stop.requested:
                problems = scope.delete(verdict.deployment, observe, stop)
                remains += (problem.with_context(deployment=verdict.deployment) for problem in problems)
                gone += () if problems else (verdict.deployment,)
    for deployment in gone:
        forget_deployment(deployment, scope.account)
    user.show_problems(remains)
    remaining = len(to_delete) - len(gone)
    if gone:
        user.note(f"\nSwept: {', '.join(gone)}.")
    return CommandResult(
        success=not (remains or unseen or stop.requested),
        component="sweep",
        message=f"{remaining} of {len(to_delete)} remain. Fix the problems above, then run the same command again." if remaining else "",
        details={"swept": gone, "remain": remaining},
        problems=(*unseen, *remains),
        interrupted=stop.requested,
    )


def _unconfirmed(names: str, older_than: timedelta) -> Problem:
    spelled = f"`sre-agent-deploy cleanup --older-than {duration.format_exactly(older_than)}"
    return Problem(
        code="CLEANUP-UNCONFIRMED",
        what=f"{names} were not deleted.",
        why="Deleting needs a confirmation, and there is no terminal to ask for it.",
        do=(f"Show first what would be deleted: {spelled} --dry-run`.", f"To confirm: {spelled} --yes`."),
    )


def _changed_meanwhile(now: Verdict) -> Problem:
    return Problem(
        code="CLEANUP-KEPT-AFTER-ALL",
        what=f"{now.deployment} was not deleted.",
        why=f"It changed after the verdict: {now.because}.",
        do=("Look again: the same command with --dry-run shows the new verdicts.",),
    )
