"""Show Problems, and choose the exit code for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from sre_core import exit_codes
from sre_core.problem import Problem, Refused


@contextmanager
def report_problems(as_json: bool) -> Iterator[None]:
    """Print Problems as text or JSON and end the command with status 1."""
    try:
        yield
    except Refused as refused:
        show_problems(refused.problems, as_json)
        sys.exit(exit_codes.FAILED)
    except OSError as error:
        from sre_core import file_error

        # An error without a file is about standard output: `main` handles it, because nothing can be printed there.
        problem = file_error.file_problem(error) if error.filename else None
        if problem is None:
            raise
        show_problems((problem,), as_json)
        sys.exit(exit_codes.FAILED)


def show_problems(problems: tuple[Problem, ...], as_json: bool) -> None:
    """Print Problems."""
    import json

    if as_json:
        click.echo(json.dumps({"problems": [problem.to_json() for problem in problems]}, indent=2))
        return
    click.echo("\n\n".join(f"{problem}\n  more: sre-agent-deploy explain {problem.code}" for problem in problems), err=True)
