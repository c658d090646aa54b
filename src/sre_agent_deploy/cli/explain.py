"""`explain`: what a problem's code means, why it happens, and what to do. `completion`: the commands and options for a shell."""

from __future__ import annotations

import json

import click

from sre_core.problem import Problem, Refused


@click.command("explain", help="Explain a problem by its code: what it means, why it happens, what to do.")
@click.argument("code", required=False)
@click.option("--list", "listing", is_flag=True, help="Show every code with its meaning.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def explain(code: str | None, listing: bool, as_json: bool) -> None:
    if bool(code) == listing:
        raise click.UsageError("give one code, for example: sre-agent-deploy explain S3-NAME-TAKEN; or --list.")
    _show_one(code, as_json=as_json) if code else _show_all(as_json=as_json)


def _show_one(code: str, *, as_json: bool) -> None:
    from sre_agent_deploy.explain import find_page

    found = find_page(code)
    if isinstance(found, Problem):
        raise Refused(found)
    click.echo(json.dumps({"code": found.code, "page": found.text}) if as_json else found.text.rstrip())


def _show_all(*, as_json: bool) -> None:
    from sre_agent_deploy.explain import Page, find_page, list_codes

    pages = [found for code in list_codes() if isinstance(found := find_page(code), Page)]
    if as_json:
        click.echo(json.dumps({found.code: found.summary for found in pages}))
        return
    width = max((len(found.code) for found in pages), default=0)
    for found in pages:
        click.echo(f"{found.code:{width}}  {found.summary}")


@click.command("completion", help="Print the script by which a shell completes commands and options. Load it in the shell's start file.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "sre-agent-deploy", "_SRE_AGENT_DEPLOY_COMPLETE").source())
