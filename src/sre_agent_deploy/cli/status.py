"""The commands that say how a deployment is: `status`, `history`, `audit`, `unlock`, `alarms`, `certs`, `readiness`, `maintenance`."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import deployed_options, json_option, parse_length, request_options, yes_option
from sre_agent_deploy.commands import Request
from sre_core import clock, exit_codes

if TYPE_CHECKING:
    from datetime import timedelta

    from sre_agent_deploy.commands.status import Status
    from sre_agent_deploy.journal.state import Record, Run


# The state file has shorter names.
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


_TO_FINISH = {
    "cleanup": "sre-agent-deploy cleanup   (or complete it again: deploy)",
    "rollback": "sre-agent-deploy rollback   (or what the configuration says instead: deploy)",
    "rotate": "the same sre-agent-deploy rotate again",
    "restore": "the same sre-agent-deploy restore again",
}


def _how_to_finish(last: Run | None) -> str:
    """Name the command that finishes the last run: `resume` would create again what a cleanup has deleted, or repeat an update."""
    return f"Not finished. Next: {_TO_FINISH.get(last.command if last else '', 'sre-agent-deploy resume   (or: cleanup)')}"


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


@click.group("alarms", help="List the alarms of a deployment, what they mean and what to do first.", invoke_without_command=True)
@request_options
@json_option
def alarms(request: Request, *, as_json: bool) -> None:
    if click.get_current_context().invoked_subcommand:
        if as_json or request != Request():
            raise click.UsageError("put the options after `test`; before it they would be ignored.")
        return
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands import alarms as commands

    found = commands.alarms(request, Terminal(as_json=as_json))
    if as_json:
        click.echo(json.dumps(found.to_json()))
        return
    for alarm in found.alarms:
        click.echo(f"{alarm.state:18} {alarm.name}")
        if alarm.state == "ALARM" and alarm.problem:
            click.echo(f"  {alarm.problem.what} {alarm.problem.why}\n  First: {alarm.problem.do[0]}\n  {alarm.reason}")
    for recipient in found.unconfirmed:
        click.echo(f"OPEN: {recipient} has not confirmed, and gets no alarms.")


@alarms.command("test", help="Raise an alarm for a moment, and prove that its message arrives at the topic.")
@request_options
@json_option
def prove(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import alarms as commands

    user = Terminal(as_json=as_json)
    end(commands.prove_alarms(request, user), user)


_BAD = {"TLS-EXPIRED", "TLS-NOT-YET-VALID", "TLS-NAME-MISSING", "TLS-NOT-TRUSTED", "TLS-TOO-WEAK"}


@click.command("certs", help="Show the certificate that a deployment serves: issuer, days left, source and next renewal.")
@request_options
@json_option
def certs(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.cli.render import show_problems
    from sre_agent_deploy.commands import certs as commands

    found = commands.read_certificate(request)
    facts = found.to_json()
    if as_json:
        click.echo(json.dumps(facts))
    else:
        shown = facts | {"names": ", ".join(facts["names"]), "trusted": "yes" if facts["trusted"] else f"no: {found.presented.distrust}"}
        for name in ("url", "names", "issuer", "trusted", "not_before", "not_after", "days_left", "source", "renewal"):
            click.echo(f"{name:12} {shown[name]}")
        show_problems(found.problems, as_json=False)
    if _BAD & {problem.code for problem in found.problems}:
        raise click.exceptions.Exit(exit_codes.FAILED)


@click.command("readiness", help="Ask the real deployment whether it is ready for production: evidence, and what is open.")
@click.option("--markdown", is_flag=True, help="Print the checklist as Markdown.")
@click.option("--html", "as_page", is_flag=True, help="Print the checklist as one self-contained page.")
@deployed_options
@json_option
def readiness(request: Request, *, markdown: bool, as_page: bool, as_json: bool) -> None:
    from dataclasses import asdict

    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.readiness import read_facts
    from sre_agent_deploy.readiness import judge, render_html, render_markdown, render_text

    if markdown + as_page + as_json > 1:
        raise click.UsageError("--json, --markdown and --html are different outputs; give one.")
    facts = read_facts(request, Terminal(as_json=as_json, json_events=False))
    items, deployment = judge(facts), facts.state.deployment
    if as_json:
        click.echo(json.dumps({"deployment": deployment, "items": [asdict(item) for item in items]}))
    elif markdown:
        click.echo(render_markdown(deployment, items), nl=False)
    elif as_page:
        click.echo(render_html(deployment, items, clock.stamp(facts.now)))
    else:
        click.echo(f"Deployment {deployment}:\n{render_text(items)}")
    if any(item.status != "done" for item in items):
        raise SystemExit(exit_codes.FAILED)


@click.command("maintenance", help="Show what is due when, derived from what is deployed.")
@click.option("--ics", is_flag=True, help="Print the calendar for a calendar program (iCalendar).")
@deployed_options
@json_option
def maintenance(request: Request, *, ics: bool, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.maintenance import plan_maintenance, render_calendar
    from sre_agent_deploy.commands.readiness import read_facts

    if ics and as_json:
        raise click.UsageError("--json and --ics are different outputs; give one.")
    facts = read_facts(request, Terminal(as_json=as_json, json_events=False))
    tasks, deployment = plan_maintenance(facts), facts.state.deployment
    if ics:
        click.echo(render_calendar(deployment, tasks, facts.now), nl=False)
    elif as_json:
        click.echo(json.dumps({"deployment": deployment, "tasks": [task.to_json() for task in tasks]}))
    else:
        click.echo(f"Deployment {deployment}, next first:")
        for task in tasks:
            click.echo(f"  {task.due:%Y-%m-%d}  {task.title}: {task.do}")
