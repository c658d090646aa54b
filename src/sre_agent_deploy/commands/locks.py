"""Begin a run that changes a deployment: the question before it is taken over, its locks, and its journal in a state of its own.

While it holds a lock, each of its changes needs the lock to be still its own. The same name is the same deployment, in any folder: AWS
shows since when it exists, not whose it is. `claims.py` notes on this machine who ran it and from where.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.commands.claims import Claim, read_claim
from sre_agent_deploy.commands.user import Question, User
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.deployment_tags import TTL_RESOURCE, read_location
from sre_agent_deploy.engine.inventory import Entry
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import Store, is_s3, open_store
from sre_agent_deploy.plan import Plan
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


def confirm_takeover(plan: Plan, state: State | None, state_file: str, user: User) -> None:
    """Ask before changing what exists of a deployment if this state file does not contain it."""
    known = state is not None and state.deployment == plan.deployment and state.alive()
    found = [change for change in plan.changes if change.id and not change.named]
    if known or not found:
        return
    since = next((str(change.outputs["created_at"]) for change in found if change.name == TTL_RESOURCE and change.outputs), "")
    claim = read_claim(plan.deployment)
    owner = str(claim) if claim else "this machine has no note of who deployed it"
    exists = f"{len(found)} resources of it exist{f', since {since}' if since else ''}; {owner}"
    question = Question(
        "Take it over with this configuration and this state file?",
        _exists_already(plan.deployment, exists, claim, state_file),
        lines=(f"Deployment {plan.deployment} exists already: {exists}.", f"The state file {state_file} does not contain it."),
    )
    user.confirm(question)


def _exists_already(deployment: str, exists: str, claim: Claim | None, state_file: str) -> Problem:
    own = f"Work with its own state file: --state-file {claim.state_file}" if claim else "Work in the folder where it was deployed."
    return Problem(
        code="DEPLOYMENT-EXISTS",
        what=f"Deployment {deployment} exists already, and the state file {state_file} does not contain it.",
        why=f"The account, the region and the name are the same as those of another deployment: {exists}.",
        do=(
            own,
            "For a second deployment, choose another `name` in the configuration.",
            "If its state file is lost, or it is to be managed from here, take it over: run the same command with --yes.",
        ),
    )
