"""`state list`, `show`, `adopt`, `forget` and `delete`: single resources where the state and AWS differ."""

from __future__ import annotations

import json

import click

from sre_agent_deploy.cli.options import json_option, request_options, yes_option
from sre_agent_deploy.commands import Request


@click.group("state", help="List, show, adopt, forget or delete single resources of the state.")
def state() -> None:
    pass


@state.command("list", help="List what the state has; asks AWS nothing.")
@request_options
@json_option
def list_records(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.commands import state as commands

    found = commands.list_records(request)
    if as_json:
        click.echo(json.dumps({"deployment": found.deployment, "records": found.to_json()["records"]}))
        return
    for record in found.alive():
        click.echo(f"{record.name:26} {record.kind:40} {record.phase:11} {record.id or '(no id yet)'}")


@state.command("show", help="Show what the state has of one resource; asks AWS nothing.")
@click.argument("name")
@request_options
@json_option
def show_record(request: Request, *, name: str, as_json: bool) -> None:
    from dataclasses import asdict

    from sre_agent_deploy.commands import state as commands

    record = commands.show_record(request, name)
    fields = {**asdict(record), "outputs": dict(record.outputs)}
    if as_json:
        click.echo(json.dumps(fields))
        return
    for field, value in fields.items():
        if field != "outputs" and value not in ("", False):
            click.echo(f"{field:12} {value}")
    for output, value in record.outputs.items():
        click.echo(f"  {output:18} {value}")


@state.command("adopt", help="Record a resource that carries the deployment's tag under a name of the state.")
@click.argument("name")
@click.argument("id")
@request_options
@yes_option
def adopt(request: Request, *, name: str, id: str, yes: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands import state as commands

    click.echo(commands.adopt(request, name, id, Terminal(yes=yes)))


@state.command("forget", help="Delete a record from the state; the resource stays in AWS.")
@click.argument("name")
@request_options
@yes_option
def forget(request: Request, *, name: str, yes: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands import state as commands

    click.echo(commands.forget(request, name, Terminal(yes=yes)))


@state.command("delete", help="Delete a resource that carries the deployment's tag and is not in its state.")
@click.argument("id")
@request_options
@yes_option
def delete(request: Request, *, id: str, yes: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands import state as commands

    click.echo(commands.delete(request, id, Terminal(yes=yes)))
