"""`list`, `output`, `open`, `logs`, `exec` and `state`: find a deployment, look at it, and decide about single resources."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import deployed_options, json_option, request_options, yes_option
from sre_agent_deploy.commands import Request
from sre_core import exit_codes

if TYPE_CHECKING:
    from sre_agent_deploy.commands.claims import Row

_LOG_LINES = 100


@click.command("list", help="List the deployments that this machine knows; with --account also those that only AWS knows.")
@click.option("--account", is_flag=True, help="Also ask the AWS account and region of the configuration.")
@request_options
@json_option
def list_deployments(request: Request, *, account: bool, as_json: bool) -> None:
    from dataclasses import asdict

    rows = _list_account(request, as_json=as_json) if account else _list_known(request.deployment)
    if as_json:
        click.echo(json.dumps({"deployments": [asdict(row) for row in rows]}))
        return
    for row in rows:
        _show_row(row)
    if not rows:
        click.echo("There are none. Next: sre-agent-deploy init, or deploy --config config.yaml", err=True)


def _list_known(chosen: str) -> tuple[Row, ...]:
    from sre_agent_deploy.commands.claims import choose_claim, list_known

    only = choose_claim(chosen)[0] if chosen else ""
    return tuple(row for row in list_known() if only in ("", row.deployment))


def _list_account(request: Request, *, as_json: bool) -> tuple[Row, ...]:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.status import list_account

    return list_account(request, Terminal(as_json=as_json, json_events=False))


def _show_row(row: Row) -> None:
    place = f"{row.mode or '-':10}  {row.account or '-':12}  {row.region or '-':14}"
    state = f", state in {row.state_file}" if row.state_file else ""
    click.echo(f"{row.name or '-':20} {row.deployment:15} {place}  {row.last}")
    click.echo(f"{'':20} {row.address or 'no address'}, since {row.since or 'unknown'}{state}")


@click.command("output", help="Print what a deployment offers: addresses, ids, secrets by name. With NAME only that value.")
@click.argument("name", required=False)
@deployed_options
@json_option
def output(request: Request, *, name: str | None, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands import status as commands

    if name:
        value = commands.read_output(request, name, Terminal(as_json=as_json, json_events=False))
        click.echo(json.dumps(value) if as_json else value)
        return
    found = commands.read_outputs(request)
    if as_json:
        click.echo(json.dumps({name: each.to_json() for name, each in found.items()}))
        return
    for key, each in found.items():
        click.echo(f"{key:20} {f'(secret; to print it: sre-agent-deploy output {key})' if each.sensitive else each.value}")


@click.command(
    "open",
    help="Print the assistant's address, and open it in the browser. It answers programs with a token; it has no page for people yet.",
)
@deployed_options
def open_url(request: Request) -> None:
    from sre_agent_deploy.commands import status as commands

    url = commands.find_url(request)
    click.echo(url)
    if click.launch(url) != 0:
        click.echo("No browser could be started here.", err=True)
        sys.exit(exit_codes.FAILED)


@click.command("logs", help="Show what the services of a deployment log. SERVICE is one of them, or `boot`: the reports of the bootstrap.")
@click.argument("service", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@click.option("-n", "--lines", type=click.IntRange(min=0), default=_LOG_LINES, help=f"The last lines of each (default: {_LOG_LINES}).")
@deployed_options
def logs(request: Request, *, service: str | None, follow: bool, lines: int) -> None:
    from sre_agent_deploy.commands import machine

    state, files = machine.find_logs(request, service or "")
    if service == machine.BOOT:
        _show_boot(request)
        return
    if state.mode != "local":
        machine.run_session(state, machine.log_command(service or "", lines, follow=follow))
    for name, line in machine.read_lines(files, lines, follow=follow):
        click.echo(line if service else f"{name:10} | {line}")


def _show_boot(request: Request) -> None:
    from sre_agent_deploy.commands import machine

    for report in machine.read_boot(request):
        click.echo(f"{report.step:12} {report.state:8} {report.what}".rstrip())
        if report.output:
            click.echo(report.output)


def _on_machine(request: Request, words: tuple[str, ...]) -> None:
    from sre_agent_deploy.commands import machine

    machine.run_on_machine(request, words[0] if len(words) == 1 else shlex.join(words))


@click.command(
    "exec",
    help="Run a command on the instance through Session Manager; without a command: a shell. No port is open for it.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@deployed_options
def exec_command(request: Request, *, command: tuple[str, ...]) -> None:
    _on_machine(request, command)


@click.command("ssh", help="Open a shell on the instance through Session Manager; the same as `exec` without a command.")
@deployed_options
def ssh(request: Request) -> None:
    _on_machine(request, ())


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
