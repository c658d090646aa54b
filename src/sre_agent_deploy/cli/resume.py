"""`resume`: go on with an interrupted deployment, from what its state file remembers."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sre_agent_deploy.cli.deploy import deploy
from sre_agent_deploy.cli.opening import remembered
from sre_agent_deploy.cli.options import config_option, json_option, mode_option, on_failure_option, state_option, yes_option
from sre_agent_deploy.journal.store import state_not_found
from sre_core.problem import Refused


@click.command("resume", help="Go on with an interrupted deployment.")
@config_option
@mode_option
@state_option
@yes_option
@on_failure_option
@json_option
def command(
    config_file: Path | None, mode: str | None, state_file: Path | None, *, yes: bool, as_json: bool, on_failure: str = "keep"
) -> None:
    store, state = remembered(state_file, config_file, mode)
    if state is None:
        raise Refused(state_not_found(store.location, "resume"))
    config_file, mode = config_file or Path(state.config_file), mode or state.mode
    sys.exit(deploy(config_file, mode, state_file, yes=yes, as_json=as_json, said="resume", on_failure=on_failure))
