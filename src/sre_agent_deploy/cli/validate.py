"""`validate`: every fault of a configuration at once; no AWS, no network, unless `--account` asks to look there, too."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from sre_agent_deploy.cli.opening import Mode
from sre_agent_deploy.cli.options import CONFIG, config_option, json_option, mode_option
from sre_agent_deploy.cli.render import show_problems

if TYPE_CHECKING:
    from sre_agent_deploy.config.models import Config


@click.command("validate", help="Check a configuration and show every fault in it; changes nothing.")
@config_option
@mode_option
@click.option("--account", is_flag=True, help="Also look whether the AWS account can take the deployment; reads only.")
@json_option
def command(config_file: Path | None, mode: str | None, account: bool, as_json: bool) -> None:
    from sre_agent_deploy.config.load import load

    path = config_file or CONFIG
    config = load(path, environ=os.environ, mode=cast("Mode | None", mode))
    problems = config if isinstance(config, tuple) else ()
    warnings, suggestions = ((), ()) if isinstance(config, tuple) else _hints(config)
    if as_json:
        errors = [problem.to_json() for problem in problems]
        click.echo(json.dumps({"is_valid": not problems, "errors": errors, "warnings": warnings, "suggestions": suggestions}))
    elif problems:
        show_problems(problems)
        click.echo(f"\n{len(problems)} fault{'s' if len(problems) > 1 else ''} in {path}.", err=True)
    else:
        click.echo(f"{path} is valid.")
        for hint in (*warnings, *suggestions):
            click.echo(f"  note: {hint}")
    usable = not problems and (not account or _account_fits(config_file, mode, as_json=as_json))
    sys.exit(0 if usable else 1)


def _account_fits(config_file: Path | None, mode: str | None, *, as_json: bool) -> bool:
    """Run preflight for this configuration and show every finding."""
    from sre_agent_deploy import run
    from sre_agent_deploy.cli.findings import show_findings
    from sre_agent_deploy.cli.opening import opened

    with opened(config_file, mode, None, start=True) as here:
        return show_findings(run.checked(here.config, here.place), as_json=as_json, every=True)


def _hints(config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    result = config.validate()
    return result.warnings, result.suggestions
