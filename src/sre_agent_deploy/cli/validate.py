"""`validate`: every fault of a configuration at once; no AWS, no network."""

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
@json_option
def command(config_file: Path | None, mode: str | None, as_json: bool) -> None:
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
    sys.exit(1 if problems else 0)


def _hints(config: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    result = config.validate()
    return result.warnings, result.suggestions
