"""`alarms`: the alarms of a deployment with what to do, and `alarms test`, the proof that their messages arrive."""

from __future__ import annotations

import json

import click

from sre_agent_deploy.cli.options import json_option, request_options
from sre_agent_deploy.commands import Request


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
