"""Shows two differing values side by side and asks which to use: keep mine, take theirs, or abort."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

import click

from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.backup.conflict import Choice, Chooser, Difference

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
