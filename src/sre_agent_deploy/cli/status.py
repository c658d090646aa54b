"""`status`, `history`, `audit` and `unlock`: what the state file and the security events say of a deployment."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import deployed_options, json_option, parse_length, yes_option
from sre_agent_deploy.commands import Request
from sre_core import clock, exit_codes

if TYPE_CHECKING:
    from datetime import timedelta

    from sre_agent_deploy.commands.status import Status
    from sre_agent_deploy.journal.state import Record, Run

# The state file keeps shorter words.
_PHASES = {"born": "created", "dying": "deleting"}


@click.command("status", help="Show what the last run left, and how to go on.")
@deployed_options
@json_option
def status(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.commands import status as commands

    found = commands.status(request)
    if as_json:
        click.echo(json.dumps({**found.state.to_json(), "locked_by": str(found.owner) if found.owner else ""}))
    else:
        _show(found)


def _show(found: Status) -> None:
    from sre_agent_deploy.cli.render import show_lifetime

    state, last = found.state, found.last_run
    click.echo(f"Deployment {state.deployment} ({state.mode} mode, account {state.account}, {state.region}); state in {found.place}")
    if found.owner:
        click.echo(f"At work now: {found.owner}")
    if not state.alive():
        click.echo("Nothing exists: it was cleaned up. Next: sre-agent-deploy deploy")
        return
    for record in state.alive():
        phase = _PHASES.get(record.phase, record.phase)
        click.echo(f"  {phase:11} {record.name:26} {record.id or '(no id yet)'}{_describe(record, found)}")
    show_lifetime(found.lifetime)
    if last:
        ended = f"{last.started} - {last.ended or 'not ended'} {last.result}"
        click.echo(f"Last run: {last.command} by {last.who} on {last.host}, {ended}".rstrip())
    if not found.owner:
        _show_next_steps(found)


def _describe(record: Record, found: Status) -> str:
    newest = found.state.current(record.name)
    older = newest and newest.generation > record.generation
    return "  (named by you)" if record.named else "  (before the last update; `rollback` returns to it)" if older else ""


def _show_next_steps(found: Status) -> None:
    if found.unfinished:
        click.echo(_how_to_finish(found.last_run))
        return
    click.echo(f"Verified: {found.state.valid_verified_at or 'not by the last run; sre-agent-deploy verify checks now'}")
    if found.assistant_url:
        click.echo(f"Assistant: {found.assistant_url}")
    click.echo('Next: sre-agent --prompt "What is wrong right now?"   (or: verify, plan, cleanup)')
    click.echo("This is what the last run left; sre-agent-deploy plan shows what AWS has now.")


def _how_to_finish(last: Run | None) -> str:
    """Name the command that finishes the last run: after a cleanup, `resume` would create again what is deleted."""
    if last and last.command == "cleanup":
        return "Not finished. Next: sre-agent-deploy cleanup   (or complete it again: deploy)"
    return "Not finished. Next: sre-agent-deploy resume   (or: cleanup)"


@click.command("history", help="Show who did what to a deployment, when, and how it ended.")
@deployed_options
@json_option
def history(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.commands import status as commands

    found = commands.history(request)
    if as_json:
        click.echo(json.dumps({"deployment": found.state.deployment, "runs": [dataclasses.asdict(run) for run in found.state.runs]}))
        return
    click.echo(f"Deployment {found.state.deployment}; state in {found.place}. Newest last:")
    for number, run in enumerate(found.state.runs, start=1):
        click.echo(f"  {describe_run(run, running=found.owner is not None and number == len(found.state.runs))}")


def describe_run(run: Run, *, running: bool) -> str:
    """Describe one run in one line. A run that neither ended nor is running was killed."""
    result = run.result or ("at work" if running else "cut short")
    return f"{run.started}  {run.ended or '-':20}  {run.command:8}  {result:15}  {run.who} on {run.host}"


@click.command("audit", help="List every refused access together with who changed the deployment, oldest first.")
@click.option("--since", metavar="LENGTH", default="24h", callback=parse_length, help="How far back, for example 7d (default: 24h).")
@deployed_options
@json_option
def audit(request: Request, *, since: timedelta, as_json: bool) -> None:
    from sre_agent_deploy.cli.render import show_problems
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.audit import audit as read

    found = read(request, since, Terminal(as_json=as_json, json_events=False))
    if as_json:
        unread = [problem.to_json() for problem in found.problems]
        click.echo(json.dumps({"deployment": found.deployment, "entries": [entry.to_json() for entry in found.entries], "unread": unread}))
    else:
        click.echo(f"Deployment {found.deployment}. Newest last:")
        for entry in found.entries:
            click.echo(f"  {clock.stamp(entry.time)}  {entry.kind:8} {entry.what}")
        show_problems(found.problems)
    if found.problems:
        raise SystemExit(exit_codes.FAILED)


@click.command("unlock", help="Take a lock away from an owner that is dead.")
@deployed_options
@yes_option
def unlock(request: Request, *, yes: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands import status as commands

    click.echo(commands.unlock(request, Terminal(yes=yes)))
