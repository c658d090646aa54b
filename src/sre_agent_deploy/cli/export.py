"""`export cloudformation`: the same deployment as a template."""

from __future__ import annotations

from pathlib import Path

import click

from sre_agent_deploy.cli.opening import opened
from sre_agent_deploy.cli.options import config_option, mode_option, state_option


@click.group("export", help="Print the same deployment in another tool's format.")
def command() -> None:
    pass


@command.command("cloudformation", help="Print a CloudFormation template of the deployment, as JSON.")
@config_option
@mode_option
@state_option
def cloudformation(config_file: Path | None, mode: str | None, state_file: Path | None) -> None:
    from sre_agent_deploy.guide.cloudformation import render
    from sre_agent_deploy.run import drawn

    with opened(config_file, mode, state_file, start=True) as here:
        click.echo(render(drawn(here.config, here.place, here.state)))
