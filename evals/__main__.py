"""`python -m evals recordings`: the table of cases and A@1."""

from __future__ import annotations

import sys

import click

from evals import recordings
from evals.score import table


@click.group()
def command() -> None:
    """How well the assistant diagnoses."""


@command.command("recordings")
@click.option("--only", default="", metavar="WORDS", help="Only the cases whose name contains this.")
def _recordings(only: str) -> None:
    """The recordings that ship, as they are, renamed, and without their proof."""
    outcomes = list(recordings.run(only))
    click.echo(table(outcomes))
    sys.exit(0 if all(found.right for found in outcomes) else 1)


command(prog_name="python -m evals")
