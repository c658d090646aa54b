"""Talk to the caller of a command: show events while it runs, ask, and return the result."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sre_agent_deploy.config.models import SetupResult
from sre_agent_deploy.progress import NEVER, Event, Observer, Stop, ignore_event
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.checks import Finding
    from sre_agent_deploy.commands.sweep import Verdicts
    from sre_agent_deploy.deployment_tags import Lifetime
    from sre_agent_deploy.engine.inventory import Inventory
    from sre_agent_deploy.plan import Plan
    from sre_agent_deploy.report.report import Report


class CommandResult(SetupResult):
    """The end of a command: the mission's SetupResult, with the problems that were shown on the way."""

    problems: tuple[Problem, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True)
class Question:
    """A yes-or-no question. `refusal` is raised where there is no terminal to ask at, unless an option has `answered` it already."""

    text: str
    refusal: Problem
    lines: tuple[str, ...] = ()
    """What the user must see before answering."""
    answered: bool = False
    if_no: str = "Nothing was changed"
    """What the user reads after the answer no."""


class User:
    """A caller without a terminal: it sees nothing, agrees to nothing and never stops a command.

    `cli/terminal.py` overrides all of it. `yes` answers every question with yes.
    """

    def __init__(self, *, yes: bool = False) -> None:
        self.yes = yes

    def note(self, line: str) -> None:
        """Show a line to a person; programs do not need it."""

    def warn(self, line: str) -> None:
        """Show a line that must be seen in any case."""

    def show_findings(self, findings: Sequence[Finding]) -> None:
        """Show the findings of preflight."""

    def show_plan(self, plan: Plan) -> None:
        """Show every change with its reason."""

    def show_lifetime(self, lifetime: Lifetime) -> None:
        """Show when a temporary deployment may be swept."""

    def show_report(self, report: Report) -> None:
        """Show what verification proved."""

    def show_inventory(self, found: Inventory) -> None:
        """Show what a cleanup would delete."""

    def show_verdicts(self, verdicts: Verdicts) -> None:
        """Show what a sweep deletes and keeps."""

    def show_problems(self, problems: Iterable[Problem]) -> None:
        """Show what went wrong, and what to do."""

    def observe(self, event: Event) -> None:
        """Show one event."""

    @contextmanager
    def progress(self) -> Iterator[Observer]:
        """Show the events of a longer piece of work."""
        yield ignore_event

    @contextmanager
    def stoppable(self) -> Iterator[Stop]:
        """Let the user stop a longer piece of work. No question can be asked within."""
        yield NEVER

    def confirm(self, question: Question) -> None:
        """Return if the user agrees. Raises Refused where there is no terminal to ask at."""
        if not self.yes and not question.answered:
            raise Refused(question.refusal)

    def choose(self, text: str, answers: Mapping[str, str]) -> str:
        """Ask for one of several answers, each with what it does. Raises Refused where there is no terminal to ask at."""
        raise Refused(_no_terminal(text))


UNATTENDED = User()


def _no_terminal(text: str) -> Problem:
    return Problem(
        code="GUIDE-NO-TERMINAL",
        what=f"A question can't be asked: {text}",
        why="There is no terminal.",
        do=(
            "Run the command in a terminal.",
            "Without one: `sre-agent-deploy guide --out FOLDER`, then `sre-agent-deploy plan`.",
        ),
    )
