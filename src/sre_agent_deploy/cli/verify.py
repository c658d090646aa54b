"""`verify`: prove again, against the real endpoints, that a deployment works."""

from __future__ import annotations

from typing import Any

import click

from sre_agent_deploy.cli.options import config_option, json_option, mode_option, state_option
from sre_agent_deploy.commands import Request


@click.command("verify", help="Prove again that a deployment works, and write the report.")
@config_option
@mode_option
@state_option
@json_option
def verify(*, as_json: bool, **request: Any) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import verify as commands

    user = Terminal(as_json=as_json)
    end(commands.verify(Request(**request), user), user)
