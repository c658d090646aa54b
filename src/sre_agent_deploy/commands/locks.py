"""The locks of a run that changes a deployment. While it holds one, each of its changes needs it to be still its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.store import Store


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
