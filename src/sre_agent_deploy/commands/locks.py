"""The locks of a run that changes a deployment. While it holds one, each of its changes needs it to be still its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.deployment_tags import read_location
from sre_agent_deploy.engine.inventory import Entry
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.store import Store, is_s3, open_store
from sre_core.problem import Problem


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
