"""`cleanup`: delete everything of one deployment, or with `--older-than` sweep the temporary deployments of an account."""

from __future__ import annotations

from datetime import timedelta

import click

from sre_agent_deploy.cli.options import json_option, parse_length, quiet_option, request_options, yes_option
from sre_agent_deploy.commands import Request


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
