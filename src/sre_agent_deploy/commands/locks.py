"""Begin a run that changes a deployment: its locks, and its journal in a state of its own.

While it holds a lock, each of its changes needs the lock to be still its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.deployment_tags import read_location
from sre_agent_deploy.engine.inventory import Entry
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store, is_s3, open_store
from sre_core.problem import Problem, Refused


@contextmanager
def hold_state(store: Store, account: Account, command: str) -> Iterator[None]:
    """Hold the lock of a state, or raise Refused with its owner."""
    with store.lock(command) as lease, account.aws.fenced(lease.require):
        yield


@contextmanager
def hold_deployment(deployment: str, account: Account, command: str) -> Iterator[None]:
    """Hold this machine's lock of a deployment: another folder's state file is another lock, the same deployment is the same one."""
    with lock.hold_lock(lock.deployment_lock(deployment), command) as lease, account.aws.fenced(lease.require):
        yield


def find_tagged_store(parts: Iterable[Entry], account: Account) -> Store | None:
    """Open the store that the deployment's own tags name; None if they name none, or a bucket that is gone.

    Its state may be lost or damaged: the lock is there all the same.
    """
    location = read_location(parts)
    if not location or not is_s3(location):
        return None
    store = open_store(location, account.aws.separate)
    loaded = store.load()
    gone = isinstance(loaded, Problem) and loaded.context.get("aws_code") == "NoSuchBucket"
    return None if gone else store


def open_journal(deployment: str, *, config: Config, config_file: Path, account: Account, store: Store, state: State | None) -> Journal:
    """Open the journal of this deployment, or begin one. Raises Refused if the state is another deployment's."""
    require_own_state(deployment, state, store.location)
    fresh = State(deployment, account.aws.account_id, account.aws.region, config.mode, str(config_file.absolute()), account.origin())
    return Journal(store, state if state and state.deployment == deployment else fresh)


def require_own_state(deployment: str, state: State | None, location: str) -> None:
    """Raise Refused if the state records resources of another deployment."""
    if state and state.deployment != deployment and state.alive():
        raise Refused(_other_deployment(state, deployment, location))


def _other_deployment(state: State, deployment: str, path: str) -> Problem:
    return Problem(
        code="STATE-OTHER-DEPLOYMENT",
        what=f"{path} is the state of deployment {state.deployment}; this configuration is deployment {deployment}.",
        why="A deployment's id derives from account, region and name; one of them has changed.",
        do=(
            "Use another state file for this one: --state-file .deployment_state.other",
            f"Or delete the old one first: `sre-agent-deploy cleanup --deployment-id {state.deployment} --state-file {path}`.",
        ),
    )
