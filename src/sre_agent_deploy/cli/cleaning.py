"""What both ways of cleaning up share: which AWS to look in, and taking one deployment back."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from sre_agent_deploy.cli.opening import configured, read_again, unconfigured
from sre_agent_deploy.cli.options import CONFIG
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store
from sre_agent_deploy.progress.events import Observer
from sre_agent_deploy.progress.interrupt import Stop
from sre_core.problem import Problem, Refused

if TYPE_CHECKING:
    from sre_agent_deploy.account.account import Account
    from sre_agent_deploy.cleanup import Cleaned
    from sre_agent_deploy.config.models import Config
    from sre_agent_deploy.config.operations import RetriesConfig
    from sre_agent_deploy.engine.inventory import Named


@dataclass(frozen=True)
class Asked:
    """What both were told on the command line."""

    config_file: Path | None
    mode: str | None
    state_file: Path | None
    dry_run: bool
    yes: bool
    as_json: bool


def configured_for(config_file: Path | None, mode: str | None, state: State | None) -> Config:
    """Which AWS to look in: the one of the state file where there is one; deleting needs little else of the configuration."""
    from sre_agent_deploy.config.models import AWSConfig, Config

    if config_file or (state is None and mode != "local" and CONFIG.exists()):
        return configured(config_file, mode)
    if state is None:
        return unconfigured(mode or "production")
    aws = AWSConfig(
        account_id=state.account, region=state.region, endpoint_url="" if state.mode == "local" else state.aws.get("endpoint", "")
    )
    return Config.model_validate({"mode": mode or state.mode, "aws": aws.model_dump(), "retries": _retries(state).model_dump()})


def _retries(state: State) -> RetriesConfig:
    """How patient the configuration was that is taken back; as usual where it is not there any more, or faulty."""
    from sre_agent_deploy.config.load import load
    from sre_agent_deploy.config.operations import RetriesConfig

    file = Path(state.config_file)
    config = load(file, environ=os.environ, mode=state.mode) if file.is_file() else ()
    return RetriesConfig() if isinstance(config, tuple) else config.retries


def named_in(config: Config) -> dict[str, tuple[str, ...]]:
    """What the configuration names and where something of ours may lie, by kind."""
    from sre_agent_deploy.resources import kinds

    chosen = {kind.KIND: attrgetter(kind.CONFIGURED_BY)(config) for kind in kinds.ORDER if kind.CONFIGURED_BY}
    return {kind: (id,) for kind, id in chosen.items() if id}


def placed(config: Config) -> Account | None:
    """That AWS; None for the one of this machine where it does not run."""
    from sre_agent_deploy.account.account import open_local_account, open_production_account

    place = open_local_account(config, start=False) if config.mode == "local" else open_production_account(config)
    if isinstance(place, Problem):
        raise Refused(place)
    return place


def same_account(place: Account, config: Config, state: State | None) -> None:
    """Raises Refused where the credentials belong to another account than the one that is meant."""
    from sre_agent_deploy.account.facts import other_account
    from sre_agent_deploy.aws.attempt import Lost, attempt

    account = attempt(lambda: place.aws.account_id, progress=place.aws.progress)
    if isinstance(account, Problem | Lost):
        raise Refused(account.problem if isinstance(account, Lost) else account)
    # The account that a configuration names is not that of the AWS of this machine.
    meant = state.account if state else "" if place.registry else config.aws.account_id
    if meant and account != meant:
        raise Refused(other_account(account, meant))


def taken_back(
    place: Account, deployment: str, store: Store, state: State | None, observe: Observer, *, named: Named, stop: Stop
) -> Cleaned:
    """Delete everything of a deployment; where there is a state it is held meanwhile and keeps account of it."""
    from sre_agent_deploy.cleanup import cleanup
    from sre_agent_deploy.journal.journal import Journal

    with store.lock("cleanup") if state else nullcontext():
        # What another process finished while this one asked counts.
        now = read_again(store) if state else None
        if now is None or now.deployment != deployment:
            return cleanup(place.aws, deployment, None, observe, named=named, stop=stop)
        journal = Journal(store, now)
        journal.begin_run("cleanup")
        cleaned = cleanup(place.aws, deployment, journal, observe, named=named, stop=stop)
        journal.end_run("interrupted" if cleaned.stopped else "failed" if cleaned.problems else "cleaned up")
        return cleaned


def aws_stopped(deployment: str, place: Account) -> bool:
    """Stop the AWS of this machine, if this tool started it and no other deployment uses it."""
    from sre_agent_deploy.account import local

    local.forget_deployment(deployment)
    return bool(place.registry and local.release_local_aws(place.registry))
