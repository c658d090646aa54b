"""`cleanup --older-than`: judge which temporary deployments of an account and region are no longer needed, and delete those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.aws import Aws
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
from sre_agent_deploy.deployment_tags import TTL_RESOURCE
from sre_agent_deploy.engine.inventory import Entry, Inventory, Named, list_deployments, take_inventory
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store
from sre_agent_deploy.progress import Observer, Stop
from sre_agent_deploy.resource import TTL_TAG
from sre_agent_deploy.resources import kinds
from sre_agent_deploy.resources.ec2_instance import Ec2Instance
from sre_core import clock, duration
from sre_core.problem import Problem, Refused


@dataclass(frozen=True)
class Seen:
    """One deployment as AWS shows it. `unseen` says what could not be looked up, `worker` which process works on it now."""

    deployment: str
    parts: tuple[Entry, ...]
    unseen: str = ""
    worker: str = ""

    @property
    def ttl_resource(self) -> Entry | None:
        """The resource whose ttl tag the plan keeps right."""
        return next((part for part in self.parts if part.name == TTL_RESOURCE), None)

    @property
    def ttl_parts(self) -> tuple[Entry, ...]:
        """The parts whose ttl tags count: the ttl resource alone, else everything that is left."""
        return (self.ttl_resource,) if self.ttl_resource else self.parts


def look_at(aws: Aws, deployment: str, named: Named, worker: str) -> Seen | None:
    """Look up everything of one deployment; None if nothing is left of it."""
    found = take_inventory(aws, deployment, None, named)
    unseen = [problem.what for problem in found.problems if not found.entries or _matters(problem)]
    return Seen(deployment, found.entries, next(iter(unseen), ""), worker) if found.entries or unseen else None


def _matters(problem: Problem) -> bool:
    """Return True if what could not be seen might forbid the deletion; kept volumes and the budgets of an account can't."""
    return problem.code != "CLEANUP-VOLUME-KEPT" and problem.context.get("operation") != "DescribeBudgets"


@dataclass(frozen=True)
class Verdict:
    """The decision to delete or keep one deployment, and why."""

    deployment: str
    delete: bool
    because: str
    resources: int
    age: timedelta | None
    ttl: str

    def to_json(self) -> dict[str, Any]:
        return {
            "deployment": self.deployment,
            "action": "delete" if self.delete else "keep",
            "because": self.because,
            "resources": self.resources,
            "age_seconds": None if self.age is None else int(self.age.total_seconds()),
            "ttl": self.ttl,
        }


@dataclass(frozen=True)
class Verdicts:
    """The verdict on every deployment of an account and region."""

    account: str
    region: str
    verdicts: tuple[Verdict, ...]


def judge_deployment(seen: Seen, now: datetime, older_than: timedelta) -> Verdict:
    """Delete what is temporary by its own tag and older than both its ttl and `older_than`; keep everything else (pure)."""
    ttl, created = _longest_ttl(part.ttl for part in seen.ttl_parts), _last_created(seen.ttl_parts)
    age = now - created if created else None
    kept = _why_unclear(seen) or _why_lasting(ttl) or _why_young(age, older_than, ttl)
    because = (
        kept
        or f"older than {duration.format_exactly(older_than)} and than its ttl{'' if seen.ttl_resource else ': a leftover, not complete'}"
    )
    return Verdict(seen.deployment, not kept, because, len(seen.parts), age, ttl)


def _longest_ttl(tags: Iterable[str]) -> str:
    """Return the longest ttl of the tags; if one of them is not a length of time, that one."""
    texts = sorted({text for text in tags if text})
    unreadable = (text for text in texts if duration.parse(text) is None)
    return next(unreadable, "") or max(texts, key=lambda text: duration.parse(text) or timedelta(), default="")


def _last_created(parts: Iterable[Entry]) -> datetime | None:
    """Find when the newest part was created, among those of which AWS shows it."""
    return max((part.created for part in parts if part.created), default=None)


def _why_unclear(seen: Seen) -> str:
    """Explain why it can't be decided from here that a deployment is no longer needed; empty if it can."""
    names = {part.kind.KIND for part in seen.parts}
    if seen.worker:
        return f"a process works on it now: {seen.worker}"
    if seen.unseen:
        return f"it could not be looked at completely: {seen.unseen}"
    if not seen.ttl_resource and Ec2Instance.KIND in names:
        return f"the secret with its ttl was deleted by hand, and its instance exists; {_by_id(seen)}"
    if hidden := _hidden(names):
        return f"its configuration names {hidden}, and what it created in there is seen only with its configuration: add --config FILE"
    if not seen.ttl_resource and not any(part.kind.REGIONAL for part in seen.parts):
        return f"only what has no region is seen of it, so it may be in another region; if not, {_by_id(seen)}"
    return ""


def _hidden(names: Set[str]) -> str:
    """Return the setting that names an existing resource whose part of this deployment is seen only with its configuration."""
    if Ec2Instance.KIND not in names:
        return ""
    configurable = [(kind, {kind.KIND, *(child.KIND for child in kinds.inside(kind))}) for kind in kinds.ORDER if kind.CONFIGURED_BY]
    return next((kind.CONFIGURED_BY for kind, family in configurable if not names & family), "")


def _by_id(seen: Seen) -> str:
    return f"name it to delete it: --deployment-id {seen.deployment}"


def _why_lasting(ttl: str) -> str:
    if not ttl:
        return "it has no deployment.ttl; name it with --deployment-id to delete it"
    return "" if duration.parse(ttl) else f"its tag {TTL_TAG} is no length of time; deploy it again, or name it with --deployment-id"


def _why_young(age: timedelta | None, older_than: timedelta, ttl: str) -> str:
    if age is None:
        return "AWS does not show when what is left of it was created; name it with --deployment-id to delete it"
    if age <= older_than:
        return f"not older than {duration.format_exactly(older_than)}"
    return f"its ttl of {ttl} is not over" if age <= (duration.parse(ttl) or timedelta.max) else ""


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
                # The state of this folder may know more than AWS just showed.
                found = Inventory(seen.parts) if seen and not state else None
                cleaned = clean_up_with_journal(self.account, deployment, store, state, observe, named=self.named, stop=stop, found=found)
                return cleaned.problems
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
        why=f"It changed after it was chosen for deletion: {now.because}.",
        do=("See what would be deleted now: the same command with --dry-run.",),
    )
