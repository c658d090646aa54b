"""The life of a deployment: `plan`, `deploy`, `resume`, `rollback`, `verify`, `rotate`, `cleanup`."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre_agent_deploy.cli.options import (
    deployed_options,
    json_option,
    on_failure_option,
    parse_length,
    quiet_option,
    request_options,
    target_option,
    yes_option,
)
from sre_agent_deploy.commands import Request
from sre_core import exit_codes

if TYPE_CHECKING:
    from sre_agent_deploy.commands.deploy import OnFailure


@click.command("plan", help="Show what a deployment would change, and why; changes nothing.")
@request_options
@target_option
@click.option(
    "--out", "-out", "out", type=click.Path(path_type=Path), help="Save the plan in this file; `deploy FILE` carries out exactly this plan."
)
@click.option("-v", "--verbose", is_flag=True, help="Show each resource that stays as it is, too.")
@quiet_option
@json_option
def plan(request: Request, *, targets: tuple[str, ...], out: Path | None, verbose: bool, quiet: bool, as_json: bool) -> None:
    from sre_agent_deploy.cli.terminal import Terminal
    from sre_agent_deploy.commands import plan as commands

    # Events are no part of the plan, so they go to stderr in any case.
    user = Terminal(as_json=as_json, json_events=False, verbose=verbose, quiet=quiet)
    found = commands.plan(request, user, targets=targets, out=out)
    if as_json or not quiet:
        user.show_plan(found)
    user.show_problems((*found.problems, *found.extras))
    if out and (found.problems or found.extras):
        user.warn(f"The plan was not saved in {out}: it can't be carried out until the problems above are solved.")
    elif out:
        user.note(f"Saved. To carry out exactly this plan: sre-agent-deploy deploy {out}")
    sys.exit(exit_codes.FAILED if found.problems or found.extras else exit_codes.DONE if found.nothing_to_do else exit_codes.CHANGES)


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
    from sre_agent_deploy.commands import rollback as commands

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
    try:
        for result in commands.watch_deployment(request, user, every, files=files):
            user.note(f"{result.message}\nAgain in {int(every.total_seconds())} s; Ctrl-C ends it.")
    except KeyboardInterrupt:
        # It is how a watch ends: nothing was changed, so nothing is left to go on with.
        click.echo("\nInterrupted.", err=True)
        sys.exit(exit_codes.INTERRUPTED)


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


@click.command("cleanup", help="Delete everything of a deployment. What you named in the configuration, and what is not ours, stays.")
@click.option(
    "--deployment-id",
    help="Which deployment; needed where the state file is lost. Without a terminal it confirms the deletion, as --yes does.",
)
@click.option(
    "--older-than",
    callback=parse_length,
    metavar="24h",
    help="Sweep instead: every deployment that is older than this and than its deployment.ttl.",
)
@request_options
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@yes_option
@quiet_option
@json_option
def cleanup(
    request: Request,
    *,
    deployment_id: str | None,
    older_than: timedelta | None = None,
    dry_run: bool,
    yes: bool,
    quiet: bool = False,
    as_json: bool,
) -> None:
    from sre_agent_deploy.cli.terminal import Terminal, end
    from sre_agent_deploy.commands import cleanup as cleaning
    from sre_agent_deploy.commands import sweep as sweeping

    if older_than and deployment_id:
        raise click.UsageError("give --deployment-id to delete one deployment, or --older-than to sweep the old temporary ones; not both.")
    user = Terminal(yes=yes, as_json=as_json, quiet=quiet)
    if older_than:
        end(sweeping.sweep(request, older_than, user, dry_run=dry_run), user)
    end(cleaning.cleanup(request, user, deployment_id=deployment_id or "", dry_run=dry_run), user)
