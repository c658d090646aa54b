"""From the options of a command to what it works on: the configuration, the place, the state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from sre_agent_deploy.cli.options import CONFIG, STATE
from sre_agent_deploy.cli.watching import told_if_slow
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store, is_s3, open_store
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.account.account import Account
    from sre_agent_deploy.aws import Aws
    from sre_agent_deploy.config.models import Config

type Mode = Literal["production", "local"]


def configured(config_file: Path | None, mode: str | None) -> Config:
    """The configuration, or Refused with every fault in it."""
    from sre_agent_deploy.config.load import load

    config = load(config_file or CONFIG, environ=os.environ, mode=cast("Mode | None", mode))
    if isinstance(config, tuple):
        raise Refused(*config)
    return config


def remembered(state_file: Path | None, config_file: Path | None = None, mode: str | None = None) -> tuple[Store, State | None]:
    """The state and where it is kept. Raises Refused where it can't be used; it is then left as it is.

    Where local mode is asked for, it is kept on this machine.
    """
    config = _as_far_as_understood(config_file or CONFIG, mode)
    local = config.mode == "local" if config else mode == "local"
    if state_file and is_s3(state_file) and local and (config_file or mode):
        raise Refused(_leaves_this_machine(state_file))
    production = None if local else config
    where = state_file or (production and production.state.location) or STATE
    store = open_store(where, lambda: _aws_of_the_state(production))
    return store, read_again(store)


def _as_far_as_understood(config_file: Path, mode: str | None) -> Config | None:
    """The configuration; a faulty one is told by whoever needs more of it than where the state is."""
    from sre_agent_deploy.config.load import load

    if not config_file.exists():
        return None
    config = load(config_file, environ=os.environ, mode=cast("Mode | None", mode))
    return None if isinstance(config, tuple) else config


def _aws_of_the_state(config: Config | None) -> Aws:
    """The configuration's AWS, else the environment's. S3 itself tells botocore where a bucket is that is in another region."""
    from sre_agent_deploy.account.account import open_production_account

    return open_production_account(config or unconfigured("production")).aws


def unconfigured(mode: str) -> Config:
    """What a command goes by where there is no configuration: in production, the region of the environment."""
    from sre_agent_deploy.config.models import Config

    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    elsewhere = {"aws": {"region": region}} if region and mode == "production" else {}
    return Config.model_validate({"mode": mode, **elsewhere})


def read_again(store: Store) -> State | None:
    """What is in a store now. Raises Refused where it can't be used."""
    state = store.load()
    if isinstance(state, Problem):
        raise Refused(state)
    return state


@dataclass(frozen=True)
class Opened:
    """An open deployment: where it is, what is wanted, what is remembered."""

    config: Config
    place: Account
    store: Store
    state: State | None


@contextmanager
def opened(config_file: Path | None, mode: str | None, state_file: Path | None, *, start: bool) -> Iterator[Opened]:
    """Everything a command about AWS needs. `start` starts the AWS of this machine where local mode has none yet.

    One that nobody needs when the command has ended - it only looked, or was refused - is stopped again.
    """
    from sre_agent_deploy.account import local
    from sre_agent_deploy.account.account import open_local_account, open_production_account

    # Where nothing else is named, the configuration of this folder is the one that is meant.
    store, state = remembered(state_file, config_file or (CONFIG if CONFIG.exists() else None), mode)
    if config_file is None and state and not CONFIG.exists():
        config_file, mode = Path(state.config_file), mode or state.mode
    config = configured(config_file, mode)
    if config.mode == "local":
        with told_if_slow("the AWS of this machine to start", local.LONGEST_START):
            place = open_local_account(config, start=start)
    else:
        place = open_production_account(config)
    if isinstance(place, Problem):
        raise Refused(place)
    if place is None:
        raise Refused(gone(state))
    if config.mode == "production":
        _say_which(place)
    try:
        yield Opened(config, place, store, still_there(state, place))
    finally:
        if place.registry:
            local.release_local_aws(place.registry)


def still_there(state: State | None, place: Account) -> State | None:
    """The state, unless it tells of an AWS of this machine that is no more: its records are worth nothing then.

    One that still runs counts, also for a command that works elsewhere: its records are all that leads to what it holds.
    """
    from sre_agent_deploy.account import local

    start = state.aws.get("start_id") if state else None
    if not start:
        return state
    registry = place.registry or local.find_running()
    return state if registry and registry.start_id == start else None


def gone(state: State | None) -> Problem:
    """Local mode has nothing running."""
    name = f"Deployment {state.deployment}" if state else "A local deployment"
    file = state.config_file if state and state.config_file else "examples/local.yaml"
    return Problem(
        code="LOCAL-DEPLOYMENT-GONE",
        what=f"{name} is not there: the AWS of this machine is not running.",
        why="It lives in memory; it was stopped, was killed, or the machine was restarted.",
        do=(f"Deploy again: `sre-agent-deploy deploy --config {file} --mode local`.", "Nothing is left to clean up."),
    )


def _leaves_this_machine(state_file: Path) -> Problem:
    return Problem(
        code="LOCAL-STATE-ELSEWHERE",
        what=f"A local deployment's state is not kept in {state_file}.",
        why="Local mode never reaches a real account, and a state in S3 is in one.",
        do=("Leave --state-file out, or name a file of this machine.", "Or deploy to that account: --mode production."),
    )


def say_who_works(store: Store) -> None:
    """What is looked at while somebody works on it may be another thing a moment later."""
    import click

    if owner := store.lock_owner():
        click.echo(f"At work now: {owner}. What follows is as it is at this moment.", err=True)


def _say_which(place: Account) -> None:
    import click

    if place.aws.endpoint:
        click.secho(f"NOT Amazon's AWS: every call goes to {place.aws.endpoint.url}", fg="yellow", err=True)
