"""The user at a terminal, or behind a pipe: shows what a command reports, asks what it needs to know, and ends with its exit code."""

from __future__ import annotations

import json
import sys
import termios
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, NoReturn

import click

from sre_agent_deploy.cli import render
from sre_agent_deploy.commands.user import CommandResult, Question, User
from sre_agent_deploy.progress import Event, Observer, Stop, interruptible
from sre_core import exit_codes, interrupt
from sre_core.problem import Problem

if TYPE_CHECKING:
    from sre_agent_deploy.checks import Finding
    from sre_agent_deploy.commands.sweep import Verdicts
    from sre_agent_deploy.deployment_tags import Lifetime
    from sre_agent_deploy.engine.inventory import Inventory
    from sre_agent_deploy.plan import Plan
    from sre_agent_deploy.report.report import Report

_writing = threading.Lock()


class Declined(click.ClickException):
    """The user answered no. This is no fault, so its text is shown without "Error:"."""

    def show(self, file: IO[str] | None = None) -> None:
        click.echo(self.message, file=file, err=True)


class Terminal(User):
    """Shows everything. With `as_json`, stdout holds one JSON document per line; events too, unless `json_events` is False.

    With `quiet`, people see only problems, warnings and questions, and programs no events.
    """

    def __init__(
        self, *, yes: bool = False, as_json: bool = False, json_events: bool = True, verbose: bool = False, quiet: bool = False
    ) -> None:
        super().__init__(yes=yes)
        # Everything is loaded, and from here on a command may have something to clean up.
        interrupt.raise_on_ctrl_c()
        self.as_json = as_json
        self.verbose = verbose
        self.quiet = quiet
        self.says_all = not (as_json or quiet)
        self.json_events = as_json and json_events

    def note(self, line: str) -> None:
        if self.says_all:
            click.echo(line)

    def warn(self, line: str) -> None:
        click.secho(line, fg="yellow", err=True)

    def show_findings(self, findings: Sequence[Finding]) -> None:
        render.show_findings(findings, as_json=self.as_json, quiet=self.quiet)

    def show_plan(self, plan: Plan) -> None:
        render.show_plan(plan, as_json=self.as_json, every=self.verbose)

    def show_lifetime(self, lifetime: Lifetime) -> None:
        if self.says_all:
            render.show_lifetime(lifetime)

    def show_report(self, report: Report) -> None:
        render.show_report(report, as_json=self.as_json, quiet=self.quiet)

    def show_inventory(self, found: Inventory) -> None:
        render.show_inventory(found)

    def show_verdicts(self, verdicts: Verdicts) -> None:
        render.show_verdicts(verdicts, as_json=self.as_json)

    def show_problems(self, problems: Iterable[Problem]) -> None:
        render.show_problems(problems, as_json=self.as_json)

    def observe(self, event: Event) -> None:
        if not self.quiet:
            (_write_json if self.json_events else _write_line)(event)

    @contextmanager
    def progress(self) -> Iterator[Observer]:
        """Show events live on a terminal, as plain lines without one, as JSON lines when asked."""
        if not self.quiet and not self.json_events and sys.stderr.isatty() and not _is_dumb():
            with _live() as observe:
                yield observe
        else:
            yield self.observe

    @contextmanager
    def stoppable(self) -> Iterator[Stop]:
        with interruptible() as stop:
            yield stop

    def confirm(self, question: Question) -> None:
        if self.yes:
            return
        if not sys.stdin.isatty():
            super().confirm(question)
            return
        for line in question.lines:
            click.echo(line, err=True)
        # What was typed before the question appeared is no answer to it.
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
        if not click.confirm(question.text, err=True):
            raise Declined(f"{question.if_no}: you answered no.")

    def choose(self, text: str, answers: Mapping[str, str]) -> str:
        if not sys.stdin.isatty():
            return super().choose(text, answers)
        for answer, effect in answers.items():
            click.echo(f"    {answer:8} {effect}", err=True)
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
        chosen: str = click.prompt(text, type=click.Choice([*answers]), default=next(iter(answers)), show_choices=False, err=True)
        return chosen


def end(result: CommandResult, user: Terminal) -> NoReturn:
    """Show the result of a command and exit with its code."""
    if user.as_json and result.details:
        click.echo(json.dumps(dict(result.details)))
    if not result.success and result.message:
        click.echo(result.message, err=True)
    elif result.message and user.says_all:
        click.echo(result.message)
        for number, step in enumerate(result.next_steps):
            click.echo(f"      {step}" if number else f"\nNext: {step}")
    interrupt.exit_on_ctrl_c()
    sys.exit(exit_codes.DONE if result.success else exit_codes.INTERRUPTED if result.interrupted else exit_codes.FAILED)


def _write_json(event: Event) -> None:
    with _writing:
        click.echo(json.dumps(event.to_json()))


def _write_line(event: Event) -> None:
    """Write one line to stderr for a wait or an end; a beginning alone says nothing."""
    if event.step == "started":
        return
    with _writing:
        click.echo(render.event_line(event), err=True)


def _is_dumb() -> bool:
    """Return whether the terminal can't move its cursor, as in an editor: it would show nothing of what is under way."""
    from rich.console import Console

    return Console(stderr=True).is_dumb_terminal


@contextmanager
def _live() -> Iterator[Observer]:
    """Let finished steps scroll by, and show those under way below them with what they wait for."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(stderr=True)
    under_way: dict[str, str] = {}
    with Live(console=console, refresh_per_second=8, transient=True) as live:

        def observe(event: Event) -> None:
            with _writing:
                if event.ended:
                    under_way.pop(event.name, None)
                    live.console.print(Text(render.event_line(event), style="red" if event.step == "failed" else ""))
                else:
                    under_way[event.name] = event.what + render.until(event)
                live.update(Text("\n".join(f"  ...  {name:28} {what}" for name, what in under_way.items()), style="dim"))

        yield observe
