"""`deploy` and `resume`: take a configuration to a verified deployment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import (
    deployed_options,
    json_option,
    on_failure_option,
    quiet_option,
    request_options,
    target_option,
    yes_option,
)
from sre_agent_deploy.commands import Request

if TYPE_CHECKING:
    from sre_agent_deploy.commands.deploy import OnFailure


@click.command("deploy", help="Take a configuration to a verified, running deployment, or carry out a plan that `plan --out` saved.")
@click.argument("plan_file", metavar="[PLAN]", required=False, type=click.Path(path_type=Path))
@request_options
@target_option
@click.option(
    "--manual",
    "manual",
    multiple=True,
    metavar="STEP",
    help="A person makes this resource: it is taken over once it is right, and everything that does not need it goes on.",
)
@click.option(
    "--skip", "skipped", multiple=True, metavar="STEP", help="Leave this resource as it is; and what needs it, if it does not exist."
)
@yes_option
@on_failure_option
@quiet_option
@json_option
def deploy(
    request: Request,
    *,
    plan_file: Path | None = None,
    targets: tuple[str, ...] = (),
    manual: tuple[str, ...] = (),
    skipped: tuple[str, ...] = (),
    yes: bool,
    as_json: bool,
    quiet: bool = False,
    on_failure: OnFailure = "keep",
) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import deploy as commands

    if plan_file and (targets or request.mode or manual or skipped):
        raise click.UsageError("a saved plan has its targets and its mode; leave --target, --manual, --skip and --mode out.")
    user = Terminal(yes=yes, as_json=as_json, quiet=quiet)
    chosen = {"targets": targets, "manual": manual, "skipped": skipped}
    end(commands.deploy(request, user, on_failure=on_failure, plan_file=plan_file, **chosen), user)


@click.command("rollback", help="Let the machine before the last update serve again; deployment.keep_previous says how long it stays.")
@deployed_options
@yes_option
@quiet_option
@json_option
def rollback(request: Request, *, yes: bool, quiet: bool, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import previous as commands

    user = Terminal(yes=yes, as_json=as_json, quiet=quiet)
    end(commands.rollback(request, user), user)


@click.command("resume", help="Continue an interrupted deployment.")
@request_options
@yes_option
@on_failure_option
@quiet_option
@json_option
def resume(request: Request, *, yes: bool, as_json: bool, quiet: bool = False, on_failure: OnFailure = "keep") -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import deploy as commands

    user = Terminal(yes=yes, as_json=as_json, quiet=quiet)
    end(commands.resume(request, user, on_failure=on_failure), user)
