"""Show questions in a terminal, line by line: this works over SSH, in tmux and on a serial line."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import click

from sre_agent_deploy.interactive.proposals import Choice
from sre_agent_deploy.interactive.question import Question
from sre_core.problem import Problem

with contextlib.suppress(ImportError):
    import readline  # noqa: F401  # arrow keys edit the line

type Command = Literal["back", "quit"]
EMPTY = "-"
LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Said:
    """An answer, as opposed to `back` and `quit`."""

    text: str


def introduce(target: str) -> None:
    click.echo(f"Questions for {target}. Enter takes the value in [brackets].")
    click.echo(f"  {EMPTY} leaves a setting empty, a number picks from a list (1, 3: several), back goes to the question before,")
    click.echo("  quit keeps your answers.")


def explain(question: Question, number: int, total: int, offered: Sequence[Choice]) -> None:
    """Show the question with everything that helps to answer it."""
    click.echo()
    click.secho(f"[{number}/{total}] {question.key}", bold=True)
    click.echo(f"  {question.about}")
    if question.example and not question.choices:
        click.echo(f"  example: {question.example}")
    if question.console:
        click.echo(f"  in the Console: {question.console}")
    for position, choice in enumerate(offered, start=1):
        click.echo(f"    {position:2}  {choice.value}{f'  ({choice.about})' if choice.about else ''}")


def read_answer(proposed: str, offered: Sequence[Choice]) -> Said | Command:
    """Read one line: an answer, or a command for the wizard."""
    line = _read_line(f"  [{shorten(proposed) or 'empty'}] >")
    if line in ("back", "quit"):
        return "back" if line == "back" else "quit"
    numbers = [part.strip() for part in line.split(",")]
    if all(number.isdecimal() and 1 <= int(number) <= len(offered) for number in numbers):
        return Said(", ".join(offered[int(number) - 1].value for number in numbers))
    return Said(proposed if not line else "" if line == EMPTY else line)


def show_objections(problems: Sequence[Problem]) -> None:
    """Show why the answer is refused, in the words of `validate`."""
    for problem in dict.fromkeys(map(str, problems)):
        click.echo("\n".join(f"  {line}" for line in problem.splitlines()))


def show_review(rows: Sequence[tuple[str, str]], notes: Sequence[str]) -> None:
    """Show all answers and the warnings."""
    click.echo()
    click.secho("Review", bold=True)
    for number, (key, value) in enumerate(rows, start=1):
        click.echo(f"  {number:2}  {key:30} {value or '(empty)'}")
    for note in notes:
        click.echo(f"  note: {note}")


def read_decision(target: str, count: int) -> Literal["save"] | Command | int:
    """Read the decision after the review; a number from 1 to `count` is an answer to change."""
    while True:
        click.echo(f"Save as {target}? Or a number to change that answer, back, quit.")
        match _read_line("  [save] >"):
            case "" | "save":
                return "save"
            case "back":
                return "back"
            case "quit":
                return "quit"
            case said if said.isdecimal() and 1 <= int(said) <= count:
                return int(said)
        click.echo(f"  Not one of: save, back, quit, 1-{count}.")


def confirm(text: str) -> bool:
    click.echo(text)
    return _read_line("  [yes] >").lower() in ("", "y", "yes")


def shorten(text: str) -> str:
    """Shorten a text: a prompt longer than the line confuses terminals that edit it."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def _read_line(prompt: str) -> str:
    return str(click.prompt(prompt, default="", show_default=False, prompt_suffix=" ")).strip()
