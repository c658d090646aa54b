"""`init --interactive`, also spelled `--interactive`: a configuration by questions."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.opening import Mode
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.interactive.new_file import Draft
    from sre_agent_deploy.interactive.wizard import Wizard

INTERRUPTED = 130


def ask(path: Path, mode: Mode | None, *, force: bool) -> int:
    """Ask for a configuration, save it at `path`, and answer the exit code."""
    from sre_agent_deploy.interactive.new_file import Draft, refusal

    draft = Draft.beside(path)
    kept = refusal(path, force=force) or _no_terminal() or draft.load()
    if isinstance(kept, Problem):
        raise Refused(kept)
    try:
        return _converse(path, mode, draft, kept, force=force)
    except (click.Abort, KeyboardInterrupt):
        click.echo()
        return _left(path, draft)


def _converse(path: Path, mode: Mode | None, draft: Draft, kept: Mapping[str, str], *, force: bool) -> int:
    from sre_agent_deploy.doctor.configuration import dotenv_beside
    from sre_agent_deploy.interactive import terminal
    from sre_agent_deploy.interactive.wizard import Wizard

    terminal.introduce(str(path))
    if kept and not terminal.confirm(f"There are {len(kept)} answers of an earlier time in {draft.path}. Go on with them?"):
        draft.forget()
        kept = {}
    said = {"mode": mode} if mode else {}
    environ = {**dotenv_beside(path), **os.environ}
    wizard = Wizard(str(path), draft, environ, {**kept, **said}, frozenset(said))
    return _save(path, wizard, force=force)


def _save(path: Path, wizard: Wizard, *, force: bool) -> int:
    from sre_agent_deploy.interactive.judge import judged
    from sre_agent_deploy.interactive.new_file import write, write_schema
    from sre_agent_deploy.interactive.script import mode_of

    values = wizard.run()
    if values is None:
        return _left(path, wizard.draft)
    mode = mode_of(wizard.answers)
    text = judged(mode, values, wizard.environ, schema=write_schema(path.parent)).text
    written = write(path, text, force=force)
    if isinstance(written, Problem):
        raise Refused(written)
    wizard.draft.forget()
    if written.replaced:
        click.echo(f"The file that was there is now {written.replaced}.")
    click.echo(f"Wrote {path}.")
    click.echo(f"Next: sre-agent-deploy validate --config {path}")
    click.echo(f"      sre-agent-deploy deploy --config {path} --mode {mode}")
    return 0


def _left(path: Path, draft: Draft) -> int:
    """The conversation ended early; what was answered stays."""
    kept = draft.load()
    if isinstance(kept, Problem) or not kept:
        click.echo("Nothing was answered, nothing was written.")
    else:
        click.echo(f"{path} was not written. Your {len(kept)} answers are kept in {draft.path}.")
        click.echo(f"Next: sre-agent-deploy init --interactive --output {path}   (goes on with them)")
    return INTERRUPTED


def _no_terminal() -> Problem | None:
    if sys.stdin.isatty() and sys.stdout.isatty():
        return None
    return Problem(
        code="INTERACTIVE-NO-TERMINAL",
        what="There is nobody to ask: input or output is no terminal.",
        why="The questions need a terminal to be read and answered in; in a pipeline there is none.",
        do=(
            "Run the same command in a terminal; over SSH give it one: ssh -t HOST sre-agent-deploy init --interactive",
            "Or write a commented template and edit it: sre-agent-deploy init",
        ),
    )
