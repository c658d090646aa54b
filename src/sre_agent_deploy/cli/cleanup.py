"""`cleanup`: back to nothing, from the state file, or from tags and listings where there is none."""

from __future__ import annotations

import json
import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from sre_agent_deploy.account.facts import DEPLOYMENT_ID_PATTERN
from sre_agent_deploy.cli.cleaning import Asked, aws_stopped, configured_for, named_in, placed, same_account, taken_back
from sre_agent_deploy.cli.opening import gone, remembered, still_there
from sre_agent_deploy.cli.options import config_option, json_option, length, mode_option, state_option, yes_option
from sre_agent_deploy.cli.render import counted, observing, show_problems
from sre_agent_deploy.cli.watching import watched
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.progress.interrupt import EXIT_CODE, interruptible, lookup_interrupted
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.account.account import Account
    from sre_agent_deploy.cleanup import Cleaned
    from sre_agent_deploy.engine.inventory import Inventory, Named


@click.command("cleanup", help="Delete everything of a deployment. What you named in the configuration, and what is not ours, stays.")
@click.option("--deployment-id", help="Which deployment; needed where the state file is lost.")
@click.option(
    "--older-than",
    callback=length,
    metavar="24h",
    help="Sweep instead: every deployment that is older than this and than its deployment.ttl.",
)
@config_option
@mode_option
@state_option
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@yes_option
@json_option
def command(*, deployment_id: str | None, older_than: timedelta | None = None, **asked: Any) -> None:
    if older_than and deployment_id:
        raise Refused(_either())
    if older_than:
        from sre_agent_deploy.cli.sweep import sweep

        sys.exit(sweep(Asked(**asked), older_than))
    sys.exit(_cleaned_up(Asked(**asked), deployment_id))


def _cleaned_up(asked: Asked, deployment_id: str | None) -> int:
    """Take one deployment back and answer the exit code."""
    store, state = remembered(asked.state_file, asked.config_file, asked.mode)
    deployment = deployment_id or (state.deployment if state else "")
    if not deployment:
        raise Refused(_which(store.location))
    if not re.fullmatch(DEPLOYMENT_ID_PATTERN, deployment):
        raise Refused(_no_id(deployment))
    state = state if state and state.deployment == deployment else None
    config = configured_for(asked.config_file, asked.mode, state)
    named = {} if state else named_in(config)
    place = placed(config)
    if place is None:
        _left_behind(deployment)
        if state is None or state.alive():
            raise Refused(gone(state))
        return _nothing_left(deployment, as_json=asked.as_json)
    same_account(place, config, state)
    state = still_there(state, place)
    found = _found(place, deployment, state, named)
    if found.problems and not found.doomed:
        raise Refused(*found.problems)
    if asked.dry_run:
        return _shown(place, deployment, found, as_json=asked.as_json)
    if found.doomed and not asked.yes:
        _agree(deployment, len(found.doomed), named=deployment_id is not None)
    # Another folder's state file is another lock; the same deployment is the same one.
    mine = lock.hold_lock(lock.deployment_lock(deployment), "cleanup")
    with mine, observing(as_json=asked.as_json) as observe, interruptible() as stop:
        cleaned = taken_back(place, deployment, store, state, observe, named=named, stop=stop)
    return _told(deployment, cleaned, place, as_json=asked.as_json)


def _found(place: Account, deployment: str, state: State | None, named: Named) -> Inventory:
    """Everything of a deployment. Raises Refused where somebody asked to stop: half of it would look like all of it."""
    from sre_agent_deploy.engine import inventory

    with watched(place, as_json=False) as seen:
        found = inventory.find_all(seen.aws, deployment, state, named)
    if seen.aws.progress.stop.requested:
        raise Refused(lookup_interrupted())
    return found


def _shown(place: Account, deployment: str, found: Inventory, *, as_json: bool) -> int:
    from sre_agent_deploy.cleanup import previewed

    found = previewed(place.aws, deployment, found)
    for each in found.doomed:
        click.echo(f"  - {each.kind.KIND:45} {each.name:26} {each.id}")
    show_problems(found.problems, as_json=as_json)
    return 1 if found.problems else 0


def _agree(deployment: str, count: int, *, named: bool) -> None:
    """Ask who sits at a terminal; where nobody does, only an explicit --yes or --deployment-id is an answer."""
    if sys.stdin.isatty():
        click.confirm(f"Delete {count} resources of deployment {deployment}?", abort=True, err=True)
    elif not named:
        raise Refused(_unconfirmed(deployment, count))


def _left_behind(deployment: str) -> None:
    """What an AWS of this machine that was killed left on the disk goes too: credentials of its instances, sockets, the connection."""
    from sre_agent_deploy import connection
    from sre_agent_deploy.account import local

    local.remove_leftovers()
    connection.remove(deployment)


def _told(deployment: str, cleaned: Cleaned, place: Account, *, as_json: bool) -> int:
    from sre_agent_deploy import connection

    show_problems(cleaned.problems, as_json=as_json)
    if cleaned.problems:
        click.echo(left(cleaned), err=True)
        return EXIT_CODE if cleaned.stopped else 1
    connection.remove(deployment)
    stopped = aws_stopped(deployment, place)
    if as_json:
        click.echo(json.dumps({"cleaned_up": deployment, "deleted": len(cleaned.removed), "aws_stopped": stopped}))
    elif not cleaned.removed:
        click.echo(f"Nothing of deployment {deployment} was found in account {place.aws.account_id}, region {place.aws.region}.")
    else:
        click.echo(f"\nDeployment {deployment} is gone: {counted(len(cleaned.removed), 'resource')} deleted.")
        if stopped:
            click.echo("The AWS of this machine, which was started for it, is stopped.")
    return 0


def _nothing_left(deployment: str, *, as_json: bool) -> int:
    """It was cleaned up before, and the AWS of this machine ended with it."""
    if as_json:
        click.echo(json.dumps({"cleaned_up": deployment, "deleted": 0, "aws_stopped": False}))
    else:
        click.echo(f"Deployment {deployment} was cleaned up already; nothing is left of it.")
    return 0


def left(cleaned: Cleaned) -> str:
    """How far a cleanup came, in one line. What remains is told before it, with what each needs: the same command alone may not help."""
    if cleaned.stopped:
        return f"{len(cleaned.removed)} deleted before the stop."
    return f"{len(cleaned.removed)} deleted. Why not all is said above: do what stands there, then run the same command again."


def _either() -> Problem:
    return Problem(
        code="CLEANUP-EITHER",
        what="Nothing was deleted: --deployment-id and --older-than were both given.",
        why="One deletes what you name, however young; the other sweeps what is temporary and old, whatever its name.",
        do=("Give --deployment-id to delete that deployment.", "Give --older-than to sweep; --dry-run shows first what would go."),
    )


def _unconfirmed(deployment: str, count: int) -> Problem:
    return Problem(
        code="CLEANUP-UNCONFIRMED",
        what=f"The {count} resources of deployment {deployment} were not deleted.",
        why="Nobody can be asked: there is no terminal.",
        do=(
            "Look first: `sre-agent-deploy cleanup --dry-run`.",
            f"If that is wanted, say so: add --yes, or name it with --deployment-id {deployment}.",
        ),
    )


def _no_id(text: str) -> Problem:
    return Problem(
        code="CLEANUP-NO-ID",
        what=f"Nothing was deleted: {text} is no deployment's id.",
        why="An id is `sre-` and ten of the characters 0-9 and a-f; a part of one could be a part of somebody else's names, too.",
        do=(
            "Give the whole id: it is the value of the tag sre-agent:deployment-id, and what `sre-agent-deploy status` begins with.",
            "If it comes from a state file that somebody edited, put back a good copy.",
        ),
    )


def _which(place: str) -> Problem:
    return Problem(
        code="CLEANUP-WHICH",
        what="It is not clear which deployment to clean up.",
        why=f"There is no state {place}, and no --deployment-id was given.",
        do=(
            "Give the id: `sre-agent-deploy cleanup --deployment-id sre-…`; it is the value of the tag sre-agent:deployment-id.",
            "Or name the state file: --state-file PATH.",
        ),
    )
