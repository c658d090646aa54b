"""`deploy`: from a configuration to a verified deployment; running it again continues, repairs, or finds nothing to do."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.findings import show_findings
from sre_agent_deploy.cli.opening import Opened, opened, read_again, still_there
from sre_agent_deploy.cli.options import CONFIG, config_option, json_option, mode_option, on_failure_option, state_option, yes_option
from sre_agent_deploy.cli.render import counted, observing, show_lifetime, show_plan, show_problems, show_report
from sre_agent_deploy.cli.watching import watched
from sre_agent_deploy.progress.interrupt import EXIT_CODE
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.apply import Outcome
    from sre_agent_deploy.graph import Blueprint
    from sre_agent_deploy.journal.journal import Journal
    from sre_agent_deploy.journal.state import State
    from sre_agent_deploy.plan import Plan


@click.command("deploy", help="Take a configuration to a verified, running deployment.")
@config_option
@mode_option
@state_option
@yes_option
@on_failure_option
@json_option
def command(
    config_file: Path | None, mode: str | None, state_file: Path | None, *, yes: bool, as_json: bool, on_failure: str = "keep"
) -> None:
    sys.exit(deploy(config_file, mode, state_file, yes=yes, as_json=as_json, said="deploy", on_failure=on_failure))


def deploy(
    config_file: Path | None, mode: str | None, state_file: Path | None, *, yes: bool, as_json: bool, said: str, on_failure: str = "keep"
) -> int:
    """Deploy and answer the exit code."""
    from sre_agent_deploy import run
    from sre_agent_deploy.account import local
    from sre_agent_deploy.journal import lock

    with opened(config_file, mode, state_file, start=True) as here, here.store.lock(said), ExitStack() as locks:
        # What another process finished while this one waited for its turn counts.
        state = still_there(read_again(here.store), here.place)
        if not show_findings(run.checked(here.config, here.place), as_json=as_json):
            _say("\nNot deployed. Nothing was changed.", as_json)
            return 1
        with watched(here.place, as_json=as_json) as place:
            wanted = run.drawn(here.config, place, state)
        # Another folder's state file is another lock; the same deployment is the same one.
        locks.enter_context(lock.hold_lock(lock.deployment_lock(wanted.deployment), said))
        file = config_file or _config_of(state)
        journal = run.journal_for(wanted.deployment, config=here.config, config_file=file, place=here.place, store=here.store, state=state)
        _say(f"Deployment {wanted.deployment} in {here.config.aws.region} ({here.config.mode} mode)", as_json)
        with watched(here.place, as_json=as_json) as place:
            plan = run.planned(place, wanted, state)
        if plan.problems:
            show_problems(plan.problems, as_json=as_json)
            return 1
        _agree(plan, yes=yes, as_json=as_json)
        journal.begin_run(said)
        if here.place.registry:
            local.record_deployment(here.place.registry, wanted.deployment)
        with watched(here.place, as_json=as_json) as place:
            outcome = run.applied(place, wanted, plan, journal, place.aws.progress.observe, stop=place.aws.progress.stop)
        if outcome.problems:
            show_problems(outcome.problems, as_json=as_json)
            if outcome.stopped:
                return EXIT_CODE
            return _failed(here, wanted, plan, state, journal, on_failure=on_failure, as_json=as_json)
        return _verify(here, journal, plan, outcome, as_json=as_json)


def _failed(here: Opened, wanted: Blueprint, plan: Plan, before: State | None, journal: Journal, *, on_failure: str, as_json: bool) -> int:
    """Keep what was made, or take it back, as `--on-failure` says; the exit code."""
    from sre_agent_deploy.account import local
    from sre_agent_deploy.rollback import roll_back

    if on_failure == "keep":
        _say("\nNot deployed. What was made is recorded: `sre-agent-deploy resume` goes on, `cleanup` takes it back.", as_json)
        return 1
    _say("\nNot deployed. Rolling back:", as_json)
    with watched(here.place, as_json=as_json) as place:
        rolled = roll_back(place.aws, wanted, plan, before=before, journal=journal, observe=place.aws.progress.observe)
    journal.end_run("interrupted" if rolled.stopped else "rollback failed" if rolled.problems else "rolled back")
    if not journal.state.alive():
        local.forget_deployment(wanted.deployment)
    show_problems(rolled.problems, as_json=as_json)
    _say(f"{counted(len(rolled.removed), 'resource')} taken back.", as_json)
    return EXIT_CODE if rolled.stopped else 1


def _config_of(state: object) -> Path:
    return Path(getattr(state, "config_file", "") or CONFIG)


def _agree(plan: Plan, *, yes: bool, as_json: bool) -> None:
    """A change that loses something is made only with an explicit word."""
    losing = [change for change in plan.changes if change.loses and change.action in ("replace", "delete")]
    if not losing or yes:
        return
    if as_json or not sys.stdin.isatty():
        raise Refused(_loses(", ".join(f"{change.name} ({change.loses})" for change in losing)))
    show_plan(plan)
    click.confirm(f"This loses {', '.join(f'{change.loses} of {change.name}' for change in losing)}. Go on?", abort=True)


def _verify(here: Opened, journal: Journal, plan: Plan, outcome: Outcome, *, as_json: bool) -> int:
    from sre_agent_deploy import connection, lifetime, run
    from sre_agent_deploy.report.report import write_report
    from sre_agent_deploy.resources.budgets_budget import Budget

    world = run.reached(here.config, here.place, outcome.outputs)
    connection.write(plan.deployment, world, str(outcome.outputs["caller_client_secret"]["secret_arn"]), here.place)
    if not as_json:
        show_lifetime(lifetime.lifetime(outcome.outputs[lifetime.TELLER]))
    # On this machine nothing costs anything.
    if not here.place.registry and any(change.kind == Budget.KIND and change.action == "create" for change in plan.changes):
        _say(f"So that the budget counts anything, {Budget.COUNTS_ONCE}.", as_json)
    _say("Verifying:", as_json)
    with observing(as_json=as_json) as observe:
        report = run.verified(here.config, run.settled(plan, journal), world, observe)
    paths = write_report(report)
    show_report(report, as_json=as_json)
    if not report.verified:
        journal.end_run("not verified")
        _say(f"The report is in {paths.markdown}. `sre-agent-deploy verify` looks again.", as_json)
        return 1
    journal.record_verification()
    _next_steps(plan, outcome.seconds, world.base_url, str(paths.markdown), as_json)
    return 0


def _next_steps(plan: Plan, seconds: float, url: str, report: str, as_json: bool) -> None:
    count = {action: number for action, number in plan.count().items() if number}
    if as_json:
        click.echo(json.dumps({"deployed": plan.deployment, "assistant_url": url, "report": report, "seconds": round(seconds, 1)}))
        return
    told = {"create": "created", "update": "updated", "replace": "replaced", "keep": "already there", "delete": "deleted"}
    click.echo(f"Resources: {', '.join(f'{number} {told[action]}' for action, number in count.items())} ({seconds:.1f} s).")
    click.echo(f"Assistant: {url}")
    click.echo(f"Report:    {report}")
    click.echo('\nNext: sre-agent --prompt "What is wrong right now?"')
    click.echo("      sre-agent-deploy status | plan | verify | cleanup")


def _say(line: str, as_json: bool) -> None:
    if not as_json:
        click.echo(line)


def _loses(what: str) -> Problem:
    return Problem(
        code="PLAN-LOSES",
        what=f"This deployment would lose {what}.",
        why="Nobody can be asked: there is no terminal.",
        do=("Look at it first: `sre-agent-deploy plan`.", "If that is wanted, say so: add --yes."),
    )
