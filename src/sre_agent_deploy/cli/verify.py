"""`verify`: prove again, against the real endpoints, that a deployment works."""

from __future__ import annotations

import click

from sre_agent_deploy.cli.options import json_option, request_options
from sre_agent_deploy.commands import Request


@click.command("verify", help="Prove again that a deployment works, and write the report.")
@request_options
@json_option
def verify(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import verify as commands

    user = Terminal(as_json=as_json)
    end(commands.verify(request, user), user)
