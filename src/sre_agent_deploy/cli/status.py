"""`status`: what the last run left, in which phase, and how to go on; asks AWS nothing, so it answers at once and always."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from sre_agent_deploy.cli.opening import gone, remembered
from sre_agent_deploy.cli.options import json_option, state_option
from sre_agent_deploy.cli.render import show_lifetime
from sre_agent_deploy.journal.state import COMPLETE, Run, State
from sre_agent_deploy.journal.store import Store, state_not_found
from sre_core.problem import Refused

# How a run ends that left nothing to go on with.
DONE = (*COMPLETE, "cleaned up", "rolled back")


@click.command("status", help="Show what the last run left, and how to go on.")
@state_option
@json_option
def command(state_file: Path | None, as_json: bool) -> None:
    store, state = remembered(state_file)
    if state is None:
        raise Refused(state_not_found(store.location, "status"))
    if state.mode == "local" and state.alive() and not _runs(state):
        raise Refused(gone(state))
    if as_json:
        owner = store.lock_owner()
        click.echo(json.dumps({**state.to_json(), "locked_by": str(owner) if owner else ""}))
    else:
        _show(state, store)
    sys.exit(0)


def _runs(state: State) -> bool:
    from sre_agent_deploy.account import local

    registry = local.find_running()
    return registry is not None and registry.start_id == state.aws.get("start_id")


def _show(state: State, store: Store) -> None:
    from sre_agent_deploy import connection, lifetime

    alive = state.alive()
    click.echo(f"Deployment {state.deployment} ({state.mode} mode, account {state.account}, {state.region}); state in {store.location}")
    owner = store.lock_owner()
    if owner:
        click.echo(f"At work now: {owner}")
    if not alive:
        click.echo("Nothing exists: it was cleaned up. Next: sre-agent-deploy deploy")
        return
    for record in alive:
        click.echo(f"  {record.phase:11} {record.name:26} {record.id or '(no id yet)'}{'  (named by you)' if record.named else ''}")
    teller = state.current(lifetime.TELLER)
    show_lifetime(lifetime.lifetime(teller.outputs) if teller else None)
    unfinished = [record for record in alive if record.phase != "ready"]
    last = state.runs[-1] if state.runs else None
    if last:
        click.echo(
            f"Last run: {last.command} by {last.who} on {last.host}, {last.started} - {last.ended or 'not ended'} {last.result}".rstrip()
        )
    if owner:
        return
    if unfinished or (last and last.result not in DONE):
        click.echo(_way_on(last))
        return
    click.echo(f"Verified: {state.valid_verified_at or 'not by the last run; sre-agent-deploy verify looks now'}")
    file = connection.path_of(state.deployment)
    if file.exists():
        click.echo(f"Assistant: {json.loads(file.read_text(encoding='utf-8'))['assistant_url']}")
    click.echo('Next: sre-agent --prompt "What is wrong right now?"   (or: verify, plan, cleanup)')
    click.echo("This is what the last run left; sre-agent-deploy plan looks at what AWS has now.")


def _way_on(last: Run | None) -> str:
    """What finishes what the last run began: after a cleanup, `resume` would make again what is deleted."""
    if last and last.command == "cleanup":
        return "Not finished. Next: sre-agent-deploy cleanup   (or make it whole again: deploy)"
    return "Not finished. Next: sre-agent-deploy resume   (or: cleanup)"
