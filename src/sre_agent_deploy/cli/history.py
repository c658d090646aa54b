"""`history`: who did what to a deployment, when, and how it ended; asks AWS nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click

from sre_agent_deploy.cli.opening import remembered
from sre_agent_deploy.cli.options import json_option, state_option
from sre_agent_deploy.journal.state import Run
from sre_agent_deploy.journal.store import state_not_found
from sre_core.problem import Refused


@click.command("history", help="Show who did what to a deployment, when, and how it ended.")
@state_option
@json_option
def command(state_file: Path | None, as_json: bool) -> None:
    store, state = remembered(state_file)
    if state is None:
        raise Refused(state_not_found(store.location, "history"))
    if as_json:
        click.echo(json.dumps({"deployment": state.deployment, "runs": [dataclasses.asdict(run) for run in state.runs]}))
        return
    click.echo(f"Deployment {state.deployment}; state in {store.location}. Newest last:")
    working = store.lock_owner() is not None
    for number, run in enumerate(state.runs, start=1):
        click.echo(f"  {line(run, working=working and number == len(state.runs))}")


def line(run: Run, *, working: bool) -> str:
    """One run in one line. What neither ended nor is at work was killed."""
    result = run.result or ("at work" if working else "cut short")
    ended = run.ended or "-"
    return f"{run.started}  {ended:20}  {run.command:8}  {result:15}  {run.who} on {run.host}"
