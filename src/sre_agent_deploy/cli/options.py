"""Options that several commands share, spelled once; and what `--conflict` means: two values side by side, and which of them is used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from sre_agent_deploy.commands import Mode, Request
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.config.edit import Choice, Chooser, Difference

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
    from sre_core import duration

    found = duration.parse(text) if text else None
    if text is not None and found is None:
        raise click.BadParameter("it must be a whole number and a unit (s, m, h or d), for example 24h.", ctx, parameter)
    return found


WIDTH = 46

conflict_option = click.option(
    "--conflict",
    type=click.Choice(["mine", "theirs", "abort"]),
    help="Where two values differ: keep the file's own, take the other, or stop. Without it, a terminal is asked.",
)


def choose_by(conflict: str | None) -> Chooser:
    """Decide by the option, or ask at the terminal; without either, the first conflict is a Problem."""
    if conflict:
        return lambda difference: cast("Choice", conflict)
    return _Ask() if sys.stdin.isatty() else _refuse


def show_differences(differences: Iterable[Difference]) -> None:
    """Show both sides of every difference in two columns."""
    rows = [(difference.name, *difference.show()) for difference in differences]
    if not rows:
        return
    click.echo(f"  {'':34}{'mine (the file now)':{WIDTH}}theirs")
    for name, mine, theirs in rows:
        click.echo(f"  {_cut(name, 33):34}{_cut(mine, WIDTH - 1):{WIDTH}}{_cut(theirs, WIDTH)}")


class _Ask:
    """Asks about each difference; an answer in capitals counts for all that follow."""

    def __init__(self) -> None:
        self._for_all: Choice | None = None

    def __call__(self, difference: Difference, /) -> Choice:
        if self._for_all:
            return self._for_all
        mine, theirs = difference.show()
        click.echo(f"\n{difference.name}\n  mine:   {mine}\n  theirs: {theirs}")
        answer = click.prompt(
            "Keep (m)ine, take (t)heirs, (a)bort; M or T: for all that follow", type=click.Choice(["m", "t", "a", "M", "T"])
        )
        choice: Choice = {"m": "mine", "t": "theirs", "a": "abort"}[answer.lower()]  # type: ignore[assignment]  # the literals above
        if answer.isupper():
            self._for_all = choice
        return choice


def _refuse(difference: Difference) -> Choice:
    mine, theirs = difference.show()
    raise Refused(
        Problem(
            code="CONFLICT-UNDECIDED",
            what=f"There are two values for {difference.name}, and nothing says which to use.",
            why="There is no terminal, and --conflict was not given.",
            do=("Say which counts: --conflict=mine, --conflict=theirs or --conflict=abort.", "Or run the command in a terminal."),
            context={"mine": mine, "theirs": theirs},
        )
    )


def _cut(text: str, width: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
