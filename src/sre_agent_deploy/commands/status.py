"""`status`, `history` and `unlock`: what the state file says of a deployment. They ask AWS nothing, so they answer at once."""

from __future__ import annotations

from dataclasses import dataclass

from sre_agent_deploy import connection
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import explain_missing_aws, is_running, state_not_found
from sre_agent_deploy.commands.user import UNATTENDED, Question, User
from sre_agent_deploy.commands.workspace import find_state
from sre_agent_deploy.deployment_tags import TTL_RESOURCE, Lifetime, read_lifetime
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.lock import Owner
from sre_agent_deploy.journal.state import COMPLETE, Record, Run, State
from sre_core.problem import Problem, Refused

# The results of a run that left nothing to continue.
DONE = (*COMPLETE, "cleaned up", "rolled back")


@dataclass(frozen=True)
class Status:
    """What the last run left, and the process that works on it now."""

    state: State
    place: str
    owner: Owner | None
    assistant_url: str = ""

    @property
    def last_run(self) -> Run | None:
        return self.state.runs[-1] if self.state.runs else None

    @property
    def unfinished(self) -> bool:
        """True if the last run left something to continue or to delete."""
        parts = any(record.phase != "ready" for record in self.state.alive())
        return parts or bool(self.last_run and self.last_run.result not in DONE)

    @property
    def lifetime(self) -> Lifetime | None:
        """How long a temporary deployment is needed."""
        record: Record | None = self.state.current(TTL_RESOURCE)
        return read_lifetime(record.outputs) if record else None


def status(request: Request) -> Status:
    """Say what the last run left. Raises Refused if there is no state, or if its local AWS no longer runs."""
    located = find_state(request)
    state = located.state
    if state is None:
        raise Refused(state_not_found(located.store.location, "status"))
    if state.mode == "local" and state.alive() and not is_running(state):
        raise Refused(explain_missing_aws(state))
    return Status(state, located.store.location, located.store.lock_owner(), connection.read_url(state.deployment))


def history(request: Request) -> Status:
    """Say who did what to a deployment. Raises Refused if there is no state."""
    located = find_state(request)
    if located.state is None:
        raise Refused(state_not_found(located.store.location, "history"))
    return Status(located.state, located.store.location, located.store.lock_owner())


def unlock(request: Request, user: User = UNATTENDED) -> str:
    """Take a lock away from an owner that can't release it, and say whose it was.

    A lock in S3 outlives its owner. The lock of a local file does not; it is taken only from a process that is stopped, or that
    runs on another machine. Either owner changes nothing more, should it go on.
    """
    located = find_state(request)
    store = located.store
    owner = store.lock_owner()
    if owner and (owner.expires or owner.is_stopped() or not owner.is_here()):
        user.confirm(Question(f"{owner}. Take its lock away?", _owner_may_live(str(owner))))
    taken = store.unlock()
    if isinstance(taken, Problem):
        raise Refused(taken)
    if located.state is None and not taken:
        raise Refused(state_not_found(store.location, "unlock"))
    of_machine = _unlock_deployment(located.state, owner)
    taken = taken or of_machine
    return f"{store.location} is free; {f'the lock was held by {taken}' if taken else 'it was not locked'}."


def _unlock_deployment(state: State | None, owner: Owner | None) -> Owner | None:
    """Take this machine's lock of the deployment from the same owner, if it is stopped."""
    if state is None:
        return None
    file = lock.deployment_lock(state.deployment)
    holder = lock.find_owner(file)
    if holder is None or not holder.is_stopped() or (owner and holder.pid != owner.pid):
        return None
    taken = lock.take_away_lock(file)
    return None if isinstance(taken, Problem) else taken


def _owner_may_live(owner: str) -> Problem:
    return Problem(
        code="UNLOCK-NOT-CONFIRMED",
        what=f"The lock was not taken away: {owner}.",
        why="Its owner seems to be alive, so this needs a confirmation, and there is no terminal to ask for it.",
        do=("Make sure on that host that the process is dead.", "Then confirm: `sre-agent-deploy unlock --yes`."),
    )
