"""`verify`: prove again, against the real endpoints, that a deployment works."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from sre_agent_deploy.cli.options import json_option, parse_length, quiet_option, request_options
from sre_agent_deploy.commands import Request


@click.command("verify", help="Prove again that a deployment works, and write the report.")
@click.option(
    "--report",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write the report here; the suffix is its form: .html, .md, .json, or .xml for JUnit. Can be given several times.",
)
@click.option("--watch", is_flag=True, help="Verify again and again until Ctrl-C.")
@click.option("--every", callback=parse_length, default="60s", show_default=True, help="With --watch: the pause between two verifications.")
@request_options
@quiet_option
@json_option
def verify(request: Request, *, files: tuple[Path, ...], watch: bool, every: timedelta, quiet: bool, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import verify as commands

    user = Terminal(as_json=as_json, quiet=quiet)
    if not watch:
        end(commands.verify(request, user, files=files), user)
    for result in commands.watch_deployment(request, user, every, files=files):
        user.note(f"{result.message}\nAgain in {int(every.total_seconds())} s; Ctrl-C ends it.")
