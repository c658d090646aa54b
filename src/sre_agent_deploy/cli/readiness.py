"""`readiness` and `maintenance`: whether a deployment is ready for production, and what is due when."""

from __future__ import annotations

import json

import click

from sre_agent_deploy.cli.options import deployed_options, json_option
from sre_agent_deploy.commands import Request
from sre_core import clock, exit_codes


@click.command("readiness", help="Ask the real deployment whether it is ready for production: evidence, and what is open.")
@click.option("--markdown", is_flag=True, help="Print the checklist as Markdown.")
@click.option("--html", "as_page", is_flag=True, help="Print the checklist as one self-contained page.")
@deployed_options
@json_option
def readiness(request: Request, *, markdown: bool, as_page: bool, as_json: bool) -> None:
    from dataclasses import asdict

    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands import readiness as commands
    from sre_agent_deploy.report import readiness as render

    if markdown + as_page + as_json > 1:
        raise click.UsageError("--json, --markdown and --html are different outputs; give one.")
    facts = commands.read_facts(request, Terminal(as_json=as_json, json_events=False))
    items, deployment = commands.judge(facts), facts.state.deployment
    if as_json:
        click.echo(json.dumps({"deployment": deployment, "items": [asdict(item) for item in items]}))
    elif markdown:
        click.echo(render.render_markdown(deployment, items), nl=False)
    elif as_page:
        click.echo(render.render_html(deployment, items, clock.stamp(facts.now)))
    else:
        click.echo(f"Deployment {deployment}:\n{render.render_text(items)}")
    if any(item.status != "done" for item in items):
        raise SystemExit(exit_codes.FAILED)


@click.command("maintenance", help="Show what is due when, derived from what is deployed.")
@click.option("--ics", is_flag=True, help="Print the calendar for a calendar program (iCalendar).")
@deployed_options
@json_option
def maintenance(request: Request, *, ics: bool, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands.maintenance import plan_maintenance
    from sre_agent_deploy.commands.readiness import read_facts
    from sre_agent_deploy.report import readiness as render

    if ics and as_json:
        raise click.UsageError("--json and --ics are different outputs; give one.")
    facts = read_facts(request, Terminal(as_json=as_json, json_events=False))
    tasks, deployment = plan_maintenance(facts), facts.state.deployment
    if ics:
        click.echo(render.render_calendar(deployment, tasks, facts.now), nl=False)
    elif as_json:
        click.echo(json.dumps({"deployment": deployment, "tasks": [task.to_json() for task in tasks]}))
    else:
        click.echo(f"Deployment {deployment}, next first:")
        for task in tasks:
            click.echo(f"  {task.due:%Y-%m-%d}  {task.title}: {task.do}")
