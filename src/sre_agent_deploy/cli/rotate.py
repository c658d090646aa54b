"""`rotate`: exchange keys, secrets and the private authority without a failed request."""

from __future__ import annotations

from datetime import timedelta

import click

from sre_agent_deploy.cli.options import deployed_options, json_option, parse_length, quiet_option, yes_option
from sre_agent_deploy.commands import Request


@click.command("rotate", help="Exchange keys, client secrets or the private authority: old and new are valid together for a while.")
@click.argument("part", metavar="WHAT", type=click.Choice(["api-key", "client-secret", "ca", "all"]))
@deployed_options
@click.option(
    "--overlap",
    callback=parse_length,
    metavar="LENGTH",
    help="How long both are valid (default: 10m; local mode 5s). Programs with a copy of the secret need this time.",
)
@yes_option
@quiet_option
@json_option
def rotate(request: Request, *, part: str, overlap: timedelta | None, yes: bool, quiet: bool, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import rotate as commands

    user = Terminal(yes=yes, as_json=as_json, quiet=quiet)
    parts = tuple(each for each in commands.PARTS if part in (each, "all"))
    end(commands.rotate(request, parts, user, overlap=overlap), user)
