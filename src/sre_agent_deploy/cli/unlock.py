"""`unlock`: take a lock away from an owner that can't give it back. Only locks in S3 can outlive their owner."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sre_agent_deploy.cli.opening import remembered
from sre_agent_deploy.cli.options import state_option, yes_option
from sre_core.problem import Problem, Refused


@click.command("unlock", help="Take a lock away from an owner that is dead.")
@state_option
@yes_option
def command(state_file: Path | None, yes: bool) -> None:
    store, _ = remembered(state_file)
    owner = store.lock_owner()
    if owner and owner.expires and not yes:
        if not sys.stdin.isatty():
            raise Refused(_sure(str(owner)))
        click.confirm(f"{owner}. Take its lock away?", abort=True)
    taken = store.unlock()
    if isinstance(taken, Problem):
        raise Refused(taken)
    click.echo(f"{store.location} is free{f'; the lock was held by {taken}' if taken else ': nobody held its lock'}.")


def _sure(owner: str) -> Problem:
    return Problem(
        code="UNLOCK-NOT-CONFIRMED",
        what=f"The lock was not taken away: {owner}.",
        why="Its owner seems to be alive, and nobody can be asked: there is no terminal.",
        do=("Make sure that it is dead, on that host.", "Then say so: `sre-agent-deploy unlock --yes`."),
    )
