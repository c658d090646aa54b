"""`guide`: the same deployment by hand, in the AWS Console."""

from __future__ import annotations

from pathlib import Path

import click

from sre_agent_deploy.cli.opening import opened
from sre_agent_deploy.cli.options import config_option, mode_option, state_option


@click.command("guide", help="Print the steps to make the same deployment in the AWS Console, as Markdown.")
@config_option
@mode_option
@state_option
def command(config_file: Path | None, mode: str | None, state_file: Path | None) -> None:
    from sre_agent_deploy.guide.console import markdown
    from sre_agent_deploy.run import drawn

    with opened(config_file, mode, state_file, start=True) as here:
        click.echo(markdown(drawn(here.config, here.place, here.state)))
