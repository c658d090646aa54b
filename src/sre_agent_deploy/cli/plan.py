"""`plan`, `costs`, `guide`, `export` and `iam-policy`: show what a configuration means, and change nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from sre_agent_deploy.cli.options import json_option, quiet_option, request_options, target_option
from sre_agent_deploy.commands import Request
from sre_core import exit_codes


@click.command("plan", help="Show what a deployment would change, and why; changes nothing.")
@request_options
@target_option
@click.option(
    "--out", "-out", "out", type=click.Path(path_type=Path), help="Save the plan in this file; `deploy FILE` carries out exactly this plan."
)
@click.option("-v", "--verbose", is_flag=True, help="Show each resource that stays as it is, too.")
@quiet_option
@json_option
def plan(request: Request, *, targets: tuple[str, ...], out: Path | None, verbose: bool, quiet: bool, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands import plan as commands

    # Events are no part of the plan, so they go to stderr in any case.
    user = Terminal(as_json=as_json, json_events=False, verbose=verbose, quiet=quiet)
    found = commands.plan(request, user, targets=targets, out=out)
    if as_json or not quiet:
        user.show_plan(found)
    user.show_problems((*found.problems, *found.extras))
    if out and (found.problems or found.extras):
        user.warn(f"The plan was not saved in {out}: it can't be carried out until the problems above are solved.")
    elif out:
        user.note(f"Saved. To carry out exactly this plan: sre-agent-deploy deploy {out}")
    sys.exit(exit_codes.FAILED if found.problems or found.extras else exit_codes.DONE if found.nothing_to_do else exit_codes.CHANGES)


@click.command("costs", help="Estimate what a configuration costs a month, line by line, and why. Needs no credentials.")
@request_options
@json_option
def costs(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.cli.render import render_estimate
    from sre_agent_deploy.commands import plan as commands

    found = commands.estimate_costs(request)
    click.echo(json.dumps(found.to_json()) if as_json else render_estimate(found))


@click.command("guide", help="Print the steps to make the same deployment in the AWS Console, as Markdown. Needs no credentials.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the guide as guide.md and guide.html (with check boxes) into this folder, and every file to upload or paste.",
)
@click.option("--interactive", is_flag=True, help="One step at a time; AWS is asked after each, and what is right is recorded.")
@click.option("--step", default="", metavar="NAME", help="With --interactive: only this step.")
@request_options
def guide(request: Request, *, out: Path | None, interactive: bool, step: str) -> None:
    from sre_agent_deploy.commands import guide as commands

    if (step and not interactive) or (out and interactive):
        raise click.UsageError("--step needs --interactive, and --out goes without it.")
    if interactive:
        from sre_agent_deploy.cli.terminal import Terminal, end

        user = Terminal()
        end(commands.walk_guide(request, user, step=step), user)
    if out is None:
        click.echo(commands.guide(request))
        return
    unfilled = commands.save_guide(request, out)
    click.echo(f"Wrote {out / 'guide.html'}, {out / 'guide.md'} and the files in {out / 'files'}.")
    if unfilled:
        click.echo(f"AWS chooses values on the way that these need; the guide says which, at their step: {', '.join(unfilled)}.")


@click.command("iam-policy", help="Print the IAM policies that an identity needs to deploy, verify and clean up exactly this deployment.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write each policy into a file of its own in this folder.")
@request_options
def iam_policy(request: Request, *, out: Path | None) -> None:
    from sre_agent_deploy.commands.plan import save_policies, write_policies

    policies = write_policies(request)
    if out is None:
        click.echo(json.dumps(policies, indent=2))
        return
    for file in save_policies(policies, out):
        click.echo(f"Wrote {file}.")


@click.group("export", help="Print the same deployment in another tool's format.")
def export() -> None:
    pass


@export.command("cloudformation", help="Print a CloudFormation template of the deployment, as JSON.")
@request_options
def cloudformation(request: Request) -> None:
    from sre_agent_deploy.commands.guide import export_cloudformation

    click.echo(export_cloudformation(request))
