"""Options that several commands share, spelled once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from pathlib import Path

import click

from sre_agent_deploy.commands import Mode, Request

config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="The configuration file (default: config.yaml)."
)
mode_option = click.option("--mode", type=click.Choice(["production", "local"]), help="Overrides the mode in the configuration.")
state_option = click.option("--state-file", type=click.Path(path_type=Path), help="The state file (default: .deployment_state).")
deployment_option = click.option(
    "--deployment", default="", metavar="NAME", help="A deployment that `list` shows, by name or id, from any folder; with its own files."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Events and results as JSON lines on stdout.")
on_failure_option = click.option(
    "--on-failure",
    type=click.Choice(["keep", "rollback"]),
    default="keep",
    help="What to do with a failed run: keep it to continue it (default), or go back to what was there before.",
)
target_option = click.option(
    "--target",
    "-target",
    "targets",
    multiple=True,
    metavar="NAME",
    help="Only this resource and what it needs, by its name in the plan. Can be given several times.",
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Print problems, warnings and questions only; with --json no events. The exit code says the rest."
)
yes_option = click.option("--yes", is_flag=True, help="Don't ask before deleting or replacing.")


def request_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what a command works on; the command gets them as one `Request`, its first parameter."""

    return config_option(mode_option(deployed_options(command)))


def deployed_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which existing deployment a command is about, for a command that needs no configuration."""

    @wraps(command)
    def run(
        *, config_file: Path | None = None, mode: Mode | None = None, state_file: Path | None, deployment: str = "", **own: object
    ) -> None:
        if deployment and (config_file or mode or state_file):
            raise click.UsageError("--deployment names the files of that deployment; leave --config, --mode and --state-file out.")
        command(Request(config_file, mode, state_file, deployment), **own)

    return state_option(deployment_option(run))


def parse_length(ctx: click.Context, parameter: click.Parameter, text: str | None) -> timedelta | None:
    """Parse an option's length of time. Raises BadParameter on anything else."""
    from sre_agent_deploy.config import duration

    found = duration.parse(text) if text else None
    if text is not None and found is None:
        raise click.BadParameter("it must be a whole number and a unit (s, m, h or d), for example 24h.", ctx, parameter)
    return found
