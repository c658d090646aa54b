"""START HERE: ask question after question, check each answer, and end with a review.

It asks in a terminal, line by line: this works over SSH, in tmux and on a serial line."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import click

from sre_agent_deploy.config.template import Draft
from sre_agent_deploy.interactive.answers import (
    Judgement,
    Question,
    find_mode,
    find_objections,
    find_unwritable,
    judge_answers,
    not_yes_or_no,
    select_questions,
    select_settings,
    to_problem,
)
from sre_agent_deploy.interactive.proposals import NOTHING, AccountContents, Choice, Discovery, find_default_region, list_choices, propose
from sre_core.problem import Problem

# Questions that the account helps to answer; only these wait for the discovery.
_FROM_ACCOUNT = {
    "aws.account_id", "aws.vpc_id", "aws.subnet_id", "deployment.domain_name", "deployment.hosted_zone_id", "deployment.key_name",
    "services.kubernetes", "services.logs", "services.metrics",
}  # fmt: skip
YES_OR_NO = {"y": "yes", "n": "no"}
# The next step: on, back, or to the question of that number.
type Move = Literal["on", "back", "quit", "save"] | int


@dataclass
class Wizard:
    """One conversation about one file. `answers` holds only what passed every check, and the draft keeps it."""

    target: str
    draft: Draft
    environ: Mapping[str, str]
    answers: dict[str, str]
    fixed: frozenset[str] = frozenset()  # given on the command line, so not asked
    _looks: dict[str, Discovery] = field(default_factory=dict)

    def run(self) -> dict[Question, str] | None:
        """Ask until the user saves or quits. Return the settings for the file, or None."""
        move: Move = "on"
        position = 0
        while move not in ("save", "quit"):
            steps = self._list_steps()
            position = self._find_position(steps, position, move)
            move = self._review(steps) if position == len(steps) else self._ask(steps, position)
        return select_settings(self._list_steps(), self.answers) if move == "save" else None

    def _list_steps(self) -> tuple[Question, ...]:
        return tuple(question for question in select_questions(self.answers, self.environ) if question.key not in self.fixed)

    def _find_position(self, steps: tuple[Question, ...], last: int, move: Move) -> int:
        if isinstance(move, int):
            return move
        if move == "back":
            return max(0, last - 1)
        return self._find_unanswered(steps)

    def _find_unanswered(self, steps: tuple[Question, ...]) -> int:
        """Find the first question without an answer, else the first whose answer became wrong, else the review."""
        judgement = self._judge(steps)
        absent = (index for index, question in enumerate(steps) if question.key not in self.answers)
        wrong = (index for index, question in enumerate(steps) if judgement.at(question))
        return next(absent, next(wrong, len(steps)))

    def _ask(self, steps: tuple[Question, ...], position: int) -> Move:
        """Ask until the answer is right, or the user goes elsewhere."""
        question, earlier = steps[position], steps[:position]
        account = self._discover(question)
        offered = list_choices(question, self.answers, account)
        explain(question, position + 1, len(steps), offered)
        problems = tuple(map(to_problem, self._judge(steps).at(question))) if question.key in self.answers else ()
        while True:
            show_objections(problems)
            said = read_answer(propose(question, self.answers, account, self._known_values()), offered)
            if not isinstance(said, Said):
                return said
            text = YES_OR_NO.get(said.text, said.text) if question.kind == "gate" else said.text
            problems = self._find_objections(question, text, earlier)
            if not problems:
                self.answers[question.key] = text
                self.draft.save(self.answers)
                return "on"

    def _find_objections(self, question: Question, text: str, earlier: tuple[Question, ...]) -> tuple[Problem, ...]:
        if question.kind == "gate":
            return () if text in question.choices else (not_yes_or_no(question),)
        if refused := find_unwritable(question, text):
            return (refused,)
        answers = {**self.answers, question.key: text}
        after = judge_answers(find_mode(answers), select_settings((*earlier, question), answers), self.environ)
        return find_objections(question, self._judge(earlier), after, earlier)

    def _review(self, steps: tuple[Question, ...]) -> Move:
        rows = [(question.key, self.answers[question.key]) for question in steps]
        notes = [f"{fault.what} {fault.why}" for fault in self._judge(steps).warnings]
        show_review(rows, notes)
        said = read_decision(self.target, len(steps))
        return said - 1 if isinstance(said, int) else said

    def _judge(self, steps: tuple[Question, ...]) -> Judgement:
        return judge_answers(find_mode(self.answers), select_settings(steps, self.answers), self.environ)

    def _discover(self, question: Question) -> AccountContents:
        """Return what the account has. Nothing is read in local mode, or before the mode is known."""
        if self.answers.get("mode") != "production":
            return NOTHING
        region = self.answers.get("aws.region") or find_default_region(self.environ) or "us-east-1"
        if region not in self._looks:
            self._looks[region] = Discovery(region, self.environ)
        return self._looks[region].wait() if question.key in _FROM_ACCOUNT else NOTHING

    def _known_values(self) -> Mapping[str, str]:
        return {**self.environ, "AWS_REGION": find_default_region(self.environ)}


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
    """Show why the answer is refused, with the messages of `validate`."""
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
