"""`doctor`: check what a deployment needs on this machine. Exits with 1 if something prevents a deployment."""

from __future__ import annotations

import json
import os
import sys
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import config_option, mode_option
from sre_agent_deploy.cli.render import show_problems
from sre_agent_deploy.commands import CONFIG, Mode

if TYPE_CHECKING:
    from sre_agent_deploy.doctor.model import Finding

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
