"""`deploy` and `resume`: take a configuration to a verified deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import json_option, on_failure_option, request_options, yes_option
from sre_agent_deploy.commands import Request

if TYPE_CHECKING:
    from sre_agent_deploy.commands.deploy import OnFailure


@click.command("deploy", help="Take a configuration to a verified, running deployment.")
@request_options
@yes_option
@on_failure_option
@json_option
def deploy(request: Request, *, yes: bool, as_json: bool, on_failure: OnFailure = "keep") -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import deploy as commands

    user = Terminal(yes=yes, as_json=as_json)
    end(commands.deploy(request, user, on_failure=on_failure), user)


@click.command("resume", help="Continue an interrupted deployment.")
@request_options
@yes_option
@on_failure_option
@json_option
def resume(request: Request, *, yes: bool, as_json: bool, on_failure: OnFailure = "keep") -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import deploy as commands

    user = Terminal(yes=yes, as_json=as_json)
    end(commands.resume(request, user, on_failure=on_failure), user)
