"""Options that several commands share, spelled once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="The configuration file (default: config.yaml)."
)
mode_option = click.option("--mode", type=click.Choice(["production", "local"]), help="Overrides the mode in the configuration.")
state_option = click.option("--state-file", type=click.Path(path_type=Path), help="The state file (default: .deployment_state).")
json_option = click.option("--json", "as_json", is_flag=True, help="Events and results as JSON lines on stdout.")
on_failure_option = click.option(
    "--on-failure",
    type=click.Choice(["keep", "rollback"]),
    default="keep",
    help="What to do with a failed run: keep it to continue it (default), or go back to what was there before.",
)
yes_option = click.option("--yes", is_flag=True, help="Don't ask before deleting or replacing.")


def parse_length(ctx: click.Context, parameter: click.Parameter, text: str | None) -> timedelta | None:
    """Parse an option's length of time. Raises BadParameter on anything else."""
    from sre_agent_deploy.config import duration

    found = duration.parse(text) if text else None
    if text is not None and found is None:
        raise click.BadParameter("it must be a whole number and a unit (s, m, h or d), for example 24h.", ctx, parameter)
    return found
