"""`init` and `doctor`: a commented configuration to begin with, and a check of what a deployment needs on this machine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import config_option, mode_option
from sre_agent_deploy.cli.render import show_problems
from sre_agent_deploy.commands import CONFIG, Mode
from sre_core import exit_codes, interrupt
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.config.template import Draft
    from sre_agent_deploy.doctor import Finding
    from sre_agent_deploy.interactive.wizard import Wizard

# `--config` is what the other commands call the same file.
output_option = click.option(
    "--output", "--config", "config_file", type=click.Path(path_type=Path), help="Where to write it (default: config.yaml)."
)
for_mode_option = click.option("--mode", type=click.Choice(["production", "local"]), help="What it is for (default: production).")


@click.command("init", help="Write a commented config.yaml to begin with, or be asked for it step by step.")
@output_option
@for_mode_option
@click.option("--force", is_flag=True, help="Write even if the file exists; the old one is kept under another name.")
@click.option("--interactive", is_flag=True, help="Ask for each setting, with explanations and checks.")
def init(config_file: Path | None, mode: Mode | None, force: bool, interactive: bool) -> None:
    path = config_file or CONFIG
    if interactive:
        sys.exit(ask(path, mode, force=force))
    write_template(path, mode or "production", force=force)


def write_template(path: Path, mode: Mode, *, force: bool) -> None:
    """Write the template for `mode` and say what comes next."""
    from sre_agent_deploy.config.template import find_obstacle, render_template, write, write_schema

    if problem := find_obstacle(path, force=force):
        raise Refused(problem)
    schema = write_schema(path.parent)
    written = write(path, render_template(mode, schema=schema), force=force)
    if isinstance(written, Problem):
        raise Refused(written)
    if written.replaced:
        click.echo(f"The file that was there is now {written.replaced}.")
    click.echo(f"Wrote {path}{f', and {schema} by which editors check it' if schema else ''}.")
    if mode == "production":
        click.echo("Every setting is explained in it. Fill in at least aws.account_id, deployment.domain_name and the certificate.")
    click.echo(f"Next: sre-agent-deploy validate --config {path}")
    click.echo(f"      sre-agent-deploy deploy --config {path} --mode {mode}")


def ask(path: Path, mode: Mode | None, *, force: bool) -> int:
    """Ask for a configuration, save it at `path`, and return the exit code."""
    from sre_agent_deploy.config.template import Draft, find_obstacle

    draft = Draft.beside(path)
    # The answers are kept, so Ctrl-C ends with where they are.
    interrupt.raise_on_ctrl_c()
    kept = find_obstacle(path, force=force) or _find_missing_terminal() or draft.load()
    if isinstance(kept, Problem):
        raise Refused(kept)
    try:
        return _run_wizard(path, mode, draft, kept, force=force)
    except (click.Abort, KeyboardInterrupt):
        click.echo()
        return _show_unfinished(path, draft)


def _run_wizard(path: Path, mode: Mode | None, draft: Draft, kept: Mapping[str, str], *, force: bool) -> int:
    from sre_agent_deploy.doctor.observe import read_dotenv_beside
    from sre_agent_deploy.interactive.wizard import Wizard, confirm, introduce

    introduce(str(path))
    if kept and not confirm(f"There are {len(kept)} answers of an earlier time in {draft.path}. Go on with them?"):
        draft.delete()
        kept = {}
    said = {"mode": mode} if mode else {}
    environ = {**read_dotenv_beside(path), **os.environ}
    wizard = Wizard(str(path), draft, environ, {**kept, **said}, frozenset(said))
    return _save(path, wizard, force=force)


def _save(path: Path, wizard: Wizard, *, force: bool) -> int:
    from sre_agent_deploy.config.template import write, write_schema
    from sre_agent_deploy.interactive.answers import find_mode, judge_answers

    values = wizard.run()
    if values is None:
        return _show_unfinished(path, wizard.draft)
    mode = find_mode(wizard.answers)
    text = judge_answers(mode, values, wizard.environ, schema=write_schema(path.parent)).text
    written = write(path, text, force=force)
    if isinstance(written, Problem):
        raise Refused(written)
    wizard.draft.delete()
    if written.replaced:
        click.echo(f"The file that was there is now {written.replaced}.")
    click.echo(f"Wrote {path}.")
    click.echo(f"Next: sre-agent-deploy validate --config {path}")
    click.echo(f"      sre-agent-deploy deploy --config {path} --mode {mode}")
    return 0


def _show_unfinished(path: Path, draft: Draft) -> int:
    """Say that the questions ended early; the answers are kept."""
    kept = draft.load()
    if isinstance(kept, Problem) or not kept:
        click.echo("Nothing was answered, nothing was written.")
    else:
        click.echo(f"{path} was not written. Your {len(kept)} answers are kept in {draft.path}.")
        click.echo(f"Next: sre-agent-deploy init --interactive --output {path}   (continues with them)")
    return exit_codes.INTERRUPTED


def _find_missing_terminal() -> Problem | None:
    if sys.stdin.isatty() and sys.stdout.isatty():
        return None
    return Problem(
        code="INTERACTIVE-NO-TERMINAL",
        what="The questions can't be asked: input or output is not a terminal.",
        why="The questions need a terminal to be read and answered in; in a pipeline there is none.",
        do=(
            "Run the same command in a terminal; over SSH give it one: ssh -t HOST sre-agent-deploy init --interactive",
            "Or write a commented template and edit it: sre-agent-deploy init",
        ),
    )


_SIGNS = {
    "ok": ("ok     ", "green"),
    "note": ("note   ", "yellow"),
    "unset": ("-      ", None),
    "missing": ("MISSING", "red"),
    "wrong": ("WRONG  ", "red"),
}
_TITLES = {
    "python": "Python",
    "library": "Libraries",
    "program": "Programs",
    "credentials": "AWS credentials",
    "variable": "Variables",
    "file": "Files",
}


@click.command("doctor", help="Check variables, programs and credentials that a deployment needs; changes nothing.")
@config_option
@mode_option
@click.option("--json", "as_json", is_flag=True, help="The findings as one JSON document on stdout.")
def doctor(config_file: Path | None, mode: Mode | None, as_json: bool) -> None:
    from sre_agent_deploy.doctor.examine import examine
    from sre_agent_deploy.doctor.observe import observe

    seen = observe(config_file or CONFIG, mode, os.environ)
    findings = examine(seen)
    blocking = [finding for finding in findings if finding.is_blocking]
    if as_json:
        documents = [finding.to_json() for finding in findings]
        click.echo(json.dumps({"mode": seen.mode, "config": seen.config.path, "ok": not blocking, "findings": documents}))
        sys.exit(1 if blocking else 0)
    click.echo(f"For {seen.mode} mode with {seen.config.path}:")
    _show(findings)
    show_problems(finding.problem for finding in blocking if finding.problem)
    click.echo(f"\n{_verdict(len(blocking), seen.mode)}")
    sys.exit(1 if blocking else 0)


def _show(findings: tuple[Finding, ...]) -> None:
    for kind, group in groupby(findings, key=lambda finding: finding.kind):
        click.echo(f"\n{_TITLES[kind]}")
        for finding in group:
            sign, colour = _SIGNS[finding.status]
            found = finding.found or ("not set" if kind == "variable" else "not found")
            click.echo(f"  {click.style(sign, fg=colour)} {finding.name:24} {found}")
            click.echo(click.style(f"          {finding.purpose}", dim=True))
            if finding.how:
                click.echo(click.style(f"          {finding.how}", dim=True))


def _verdict(count: int, mode: str) -> str:
    if count:
        other = " Local mode needs no AWS account: add --mode local." if mode == "production" else ""
        return f"{count} thing{'s prevent' if count > 1 else ' prevents'} a deployment.{other}"
    return f"Nothing prevents a deployment in {mode} mode."
