"""`plan`: what would change, and why; makes no mutating call. Exit 0 nothing to do, 2 changes, 1 error."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sre_agent_deploy.cli.opening import opened, say_who_works
from sre_agent_deploy.cli.options import config_option, json_option, mode_option, state_option
from sre_agent_deploy.cli.render import show_plan, show_problems
from sre_agent_deploy.cli.watching import watched


@click.command("plan", help="Show what a deployment would change, and why; changes nothing.")
@config_option
@mode_option
@state_option
@json_option
def command(config_file: Path | None, mode: str | None, state_file: Path | None, as_json: bool) -> None:
    from sre_agent_deploy.run import drawn, planned

    # What is waited for is no part of the plan, so it goes to stderr in any case.
    with opened(config_file, mode, state_file, start=True) as here, watched(here.place, as_json=False) as place:
        say_who_works(here.store)
        plan = planned(place, drawn(here.config, place, here.state), here.state)
    show_plan(plan, as_json=as_json)
    show_problems(plan.problems, as_json=as_json)
    sys.exit(1 if plan.problems else 0 if plan.nothing_to_do else 2)
