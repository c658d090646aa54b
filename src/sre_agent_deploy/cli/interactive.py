"""`init --interactive`, also spelled `--interactive`: a configuration by questions."""

from __future__ import annotations

import sys
from pathlib import Path

from sre_agent_deploy.cli.opening import Mode
from sre_core.problem import Problem, Refused


def ask(path: Path, mode: Mode | None, *, force: bool) -> int:
    """Ask for a configuration, save it at `path`, and answer the exit code."""
    from sre_agent_deploy.interactive.new_file import refusal

    problem = refusal(path, force=force) or (None if sys.stdin.isatty() and sys.stdout.isatty() else _no_terminal())
    if problem:
        raise Refused(problem)
    raise Refused(_no_terminal())


def _no_terminal() -> Problem:
    return Problem(
        code="INTERACTIVE-NO-TERMINAL",
        what="There is nobody to ask: input or output is no terminal.",
        why="The questions need a terminal to be read and answered in; in a pipeline there is none.",
        do=(
            "Run the same command in a terminal; over SSH give it one: ssh -t HOST sre-agent-deploy init --interactive",
            "Or write a commented template and edit it: sre-agent-deploy init",
        ),
    )
