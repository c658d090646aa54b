"""`cleanup --older-than`: sweeps the temporary deployments of an account and region that are of no use any more."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.cleaning import Asked, aws_stopped, configured_for, named_in, placed, same_account, taken_back
from sre_agent_deploy.cli.opening import remembered, still_there
from sre_agent_deploy.cli.render import counted, observing, show_problems
from sre_agent_deploy.config import duration
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store
from sre_agent_deploy.progress.interrupt import EXIT_CODE, interruptible
from sre_core import clock
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.account.account import Account
    from sre_agent_deploy.engine.inventory import Named
    from sre_agent_deploy.progress.events import Observer
    from sre_agent_deploy.progress.interrupt import Stop
    from sre_agent_deploy.sweep import Judged


@dataclass(frozen=True)
class Broom:
    """One sweep: where, for what is older than what; and the state of this folder, which is one deployment's if there is one."""

    place: Account
    older_than: timedelta
    named: Named
    store: Store
    state: State | None

    def judged(self, deployment: str, at_work: str) -> Judged | None:
        """What becomes of one deployment, as AWS shows it now; None where nothing is left of it."""
        from sre_agent_deploy import deployments, sweep

        seen = deployments.seen(self.place.aws, deployment, self.named, at_work)
        return sweep.judged(seen, clock.now(), self.older_than) if seen else None

    def swept(self, deployment: str, observe: Observer, stop: Stop) -> tuple[Problem, ...]:
        """Delete one that is still of no use; what remains of it, and why. Others go on whatever becomes of it."""
        state = self.state if self.state and self.state.deployment == deployment else None
        try:
            with lock.hold_lock(lock.deployment_lock(deployment), "cleanup"):
                now = self.judged(deployment, at_work="")
                if now and not now.delete:
                    return (_changed(now),)
                return taken_back(self.place, deployment, self.store, state, observe, named=self.named, stop=stop).problems
        except Refused as refused:
            return refused.problems

    def at_work(self, deployment: str) -> str:
        """Who works on it now, as far as this machine, or the state that this folder's configuration names, can tell."""
        mine = self.state is not None and self.state.deployment == deployment
        owner = lock.find_owner(lock.deployment_lock(deployment)) or (self.store.lock_owner() if mine else None)
        return str(owner or "")


def sweep(asked: Asked, older_than: timedelta) -> int:
    """Sweep the account and region that the configuration, the state or the environment name, and answer the exit code."""
    store, state = remembered(asked.state_file, asked.config_file, asked.mode)
    config = configured_for(asked.config_file, asked.mode, state)
    place = placed(config)
    if place is None:
        click.echo("There is nothing to sweep: the AWS of this machine is not running.", err=asked.as_json)
        return 0
    same_account(place, config, state)
    return _sweep(Broom(place, older_than, named_in(config), store, still_there(state, place)), asked)


def _sweep(broom: Broom, asked: Asked) -> int:
    """Show what becomes of every deployment, and delete what is to go."""
    from sre_agent_deploy import deployments

    shown = deployments.shown(broom.place.aws)
    verdicts = [verdict for id in shown.ids if (verdict := broom.judged(id, broom.at_work(id)))]
    _show(broom.place, verdicts, as_json=asked.as_json)
    show_problems(shown.problems, as_json=asked.as_json)
    doomed = [verdict for verdict in verdicts if verdict.delete]
    unseen = 1 if shown.problems else 0
    if asked.dry_run or not doomed:
        return unseen
    if not asked.yes:
        _agree(doomed, broom.older_than)
    return _swept(broom, doomed, as_json=asked.as_json) or unseen


def _swept(broom: Broom, doomed: Sequence[Judged], *, as_json: bool) -> int:
    from sre_agent_deploy import connection

    gone: list[str] = []
    remains: list[Problem] = []
    with observing(as_json=as_json) as observe, interruptible() as stop:
        for verdict in doomed:
            if not stop.requested:
                problems = broom.swept(verdict.deployment, observe, stop)
                remains += (problem.with_context(deployment=verdict.deployment) for problem in problems)
                gone += () if problems else (verdict.deployment,)
    for deployment in gone:
        connection.remove(deployment)
        aws_stopped(deployment, broom.place)
    show_problems(remains, as_json=as_json)
    _tell(gone, len(doomed), as_json=as_json)
    return EXIT_CODE if stop.requested else 1 if remains else 0


def _show(place: Account, verdicts: Sequence[Judged], *, as_json: bool) -> None:
    account, region = place.aws.account_id, place.aws.region
    if as_json:
        click.echo(json.dumps({"account": account, "region": region, "deployments": [verdict.to_json() for verdict in verdicts]}))
        return
    click.echo(f"Account {account}, region {region}: {counted(len(verdicts), 'deployment')}.")
    for verdict in verdicts:
        click.echo(f"  {_row(verdict)}")


def _row(verdict: Judged) -> str:
    action = "delete" if verdict.delete else "keep"
    age = f"{duration.about(verdict.age)} old" if verdict.age is not None else "age unknown"
    ttl = f"ttl {verdict.ttl}" if verdict.ttl else "no ttl"
    return f"{action:7} {verdict.deployment}  {age:11}  {ttl:8}  {counted(verdict.resources, 'resource'):12}  {verdict.because}"


def _agree(doomed: Sequence[Judged], older_than: timedelta) -> None:
    """Ask who sits at a terminal; where nobody does, only --yes is an answer."""
    names = ", ".join(verdict.deployment for verdict in doomed)
    if not sys.stdin.isatty():
        raise Refused(_unconfirmed(names, older_than))
    click.confirm(f"Delete {names} with {sum(verdict.resources for verdict in doomed)} resources?", abort=True, err=True)


def _tell(gone: Sequence[str], doomed: int, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"swept": list(gone), "remain": doomed - len(gone)}))
    elif gone:
        click.echo(f"\nSwept: {', '.join(gone)}.")
    if doomed > len(gone):
        click.echo(f"{doomed - len(gone)} of {doomed} remain. Do what stands above, then run the same command again.", err=True)


def _unconfirmed(names: str, older_than: timedelta) -> Problem:
    spelled = f"`sre-agent-deploy cleanup --older-than {duration.spelled(older_than)}"
    return Problem(
        code="CLEANUP-UNCONFIRMED",
        what=f"{names} were not deleted.",
        why="Nobody can be asked: there is no terminal.",
        do=(f"Look first: {spelled} --dry-run`.", f"If that is wanted, say so: {spelled} --yes`."),
    )


def _changed(now: Judged) -> Problem:
    return Problem(
        code="CLEANUP-KEPT-AFTER-ALL",
        what=f"{now.deployment} was not deleted.",
        why=f"When its turn came it had changed: {now.because}.",
        do=("Look again: the same command with --dry-run says what becomes of each.",),
    )
