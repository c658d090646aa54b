"""`deploy` and `resume`: take a configuration to a verified deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sre_agent_deploy.cli.options import config_option, json_option, mode_option, on_failure_option, state_option, yes_option
from sre_agent_deploy.commands import Request

if TYPE_CHECKING:
    from sre_agent_deploy.commands.deploy import OnFailure


@click.command("deploy", help="Take a configuration to a verified, running deployment.")
@config_option
@mode_option
@state_option
@yes_option
@on_failure_option
@json_option
def deploy(*, yes: bool, as_json: bool, on_failure: OnFailure = "keep", **request: Any) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import deploy as commands

    user = Terminal(yes=yes, as_json=as_json)
    end(commands.deploy(Request(**request), user, on_failure=on_failure), user)


@click.command("resume", help="Continue an interrupted deployment.")
@config_option
@mode_option
@state_option
@yes_option
@on_failure_option
@json_option
def resume(*, yes: bool, as_json: bool, on_failure: OnFailure = "keep", **request: Any) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import deploy as commands

    user = Terminal(yes=yes, as_json=as_json)
    end(commands.resume(Request(**request), user, on_failure=on_failure), user)
