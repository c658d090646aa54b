"""`state list`, `adopt`, `forget` and `delete`: decide about single resources where the state and AWS differ.

They are as careful as a cleanup: nothing without the deployment's tag is recorded or deleted, and each asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import state_not_found
from sre_agent_deploy.commands.plan import draw_blueprint
from sre_agent_deploy.commands.user import UNATTENDED, Question, User
from sre_agent_deploy.commands.workspace import find_state, hold_deployment, hold_state, open_journal, open_workspace
from sre_agent_deploy.engine import inventory
from sre_agent_deploy.engine.delete import delete_resource
from sre_agent_deploy.engine.inventory import Entry, describe_age, take_inventory
from sre_agent_deploy.graph import Blueprint
from sre_agent_deploy.journal import Journal
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Found, Resource
from sre_agent_deploy.resources import kinds
from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Refused


@dataclass(frozen=True)
class LockedDeployment:
    """A deployment whose locks this run holds."""

    account: Account
    wanted: Blueprint
    journal: Journal

    @property
    def deployment(self) -> str:
        return self.wanted.deployment


def list_records(request: Request) -> State:
    """Return what the state has. Asks AWS nothing. Raises Refused if there is no state."""
    located = find_state(request)
    if located.state is None:
        raise Refused(state_not_found(located.store.location, "state list"))
    return located.state


def show_record(request: Request, name: str) -> Record:
    """Return the newest record of one resource. Asks AWS nothing. Raises Refused if the state has none of that name."""
    state = list_records(request)
    record = state.current(name)
    if record is None:
        raise Refused(_not_recorded(name, state))
    return record


def adopt(request: Request, name: str, id: str, user: User = UNATTENDED) -> str:
    """Record a resource of this deployment under a name of its blueprint. Raises Refused where it is another owner's."""
    with _open_locked(request, user, "state adopt") as here:
        kind = _kind_of(here, name)
        found = _read_ours(here, kind, id, name)
        before = here.journal.state.current(name)
        replaced = f" instead of {before.id}, which stays in AWS" if before and before.id and before.id != id else ""
        user.confirm(Question(f"Record {id} ({kind.KIND}) as {name}{replaced}?", _unconfirmed("state adopt", f"{name} {id}")))
        here.journal.adopt(name, kind.KIND, id, found.outputs, generation=before.generation if before else 1)
        return f"{id} is recorded as {name}{replaced}. Next: sre-agent-deploy plan"


def forget(request: Request, name: str, user: User = UNATTENDED) -> str:
    """Delete a record from the state. The resource stays in AWS, and the next plan finds it by its tags."""
    with _open_locked(request, user, "state forget") as here:
        record = here.journal.state.current(name)
        if record is None:
            raise Refused(_not_recorded(name, here.journal.state))
        user.confirm(Question(f"Forget {name} ({record.id or 'no id yet'})? It stays in AWS.", _unconfirmed("state forget", name)))
        here.journal.record_phase(record, "gone")
        return f"{name} is forgotten; {record.id or 'its creation'} was not deleted. Next: sre-agent-deploy plan"


def delete(request: Request, id: str, user: User = UNATTENDED) -> str:
    """Delete one resource that has the deployment's tag and is not in its state."""
    with _open_locked(request, user, "state delete") as here:
        if recorded := _find_record(here.journal.state, id):
            raise Refused(_is_recorded(recorded))
        entry = _find_entry(here, id)
        user.confirm(Question(f"Delete {id} ({entry.kind.KIND}, {describe_age(entry)})?", _unconfirmed("state delete", id)))
        problem = delete_resource(here.account.aws, entry.kind, id, entry.name, here.deployment)
        if problem:
            raise Refused(problem)
        return f"{id} is deleted. Next: sre-agent-deploy plan"


@contextmanager
def _open_locked(request: Request, user: User, command: str) -> Iterator[LockedDeployment]:
    located = find_state(request)
    with open_workspace(located, user, start=False) as opened, hold_state(opened.store, opened.account, command):
        here = opened.reload_state()
        wanted = draw_blueprint(here.config, here.account, here.state, here.store.location)
        with hold_deployment(wanted.deployment, here.account, command):
            journal = open_journal(
                wanted.deployment,
                config=here.config,
                config_file=here.config_file,
                account=here.account,
                store=here.store,
                state=here.state,
            )
            yield LockedDeployment(here.account, wanted, journal)


def _kind_of(here: LockedDeployment, name: str) -> type[Resource]:
    """Return the type of a resource of the blueprint, else of the state."""
    item = next((item for item in here.wanted if item.name == name), None)
    record = here.journal.state.current(name)
    if item and not item.named:
        return type(item.resource)
    if record and not record.named:
        return kinds.by_kind(record.kind)
    raise Refused(_not_recorded(name, here.journal.state))


def _read_ours(here: LockedDeployment, kind: type[Resource], id: str, name: str) -> Found[Resource]:
    try:
        found = _ask(lambda: inventory.read_resource(here.account.aws, kind, id, name, here.deployment), here)
    except Refused as refused:
        # AWS refuses to look for what can't be an id of this kind.
        if refused.problems[0].code != "AWS-VALUE-REFUSED":
            raise
        found = None
    if found is None or found.broken or found.owner(here.deployment) != "us":
        raise Refused(_not_ours(kind.KIND, id, here.deployment))
    return found


def _find_entry(here: LockedDeployment, id: str) -> Entry:
    found = take_inventory(here.account.aws, here.deployment, None)
    entry = next((entry for entry in found.entries if entry.id == id), None)
    if entry is None:
        raise Refused(_not_ours("resource", id, here.deployment), *found.problems)
    return entry


def _find_record(state: State, id: str) -> Record | None:
    return next((record for record in state.alive() if record.id == id), None)


def _ask[T](call: Callable[[], T], here: LockedDeployment) -> T:
    answer = attempt(call, progress=here.account.aws.progress)
    if isinstance(answer, Problem | Lost):
        raise Refused(answer.problem if isinstance(answer, Lost) else answer)
    return answer


def _unconfirmed(command: str, words: str) -> Problem:
    return Problem(
        code="STATE-UNCONFIRMED",
        what=f"`{command}` changed nothing.",
        why="It needs a confirmation, and there is no terminal to ask for it.",
        do=(f"To confirm: `sre-agent-deploy {command} {words} --yes`.",),
    )


def _not_recorded(name: str, state: State) -> Problem:
    recorded = sorted({record.name for record in state.alive() if not record.named})
    names, alike = ", ".join(recorded) or "none", find_nearest(name, recorded)
    return Problem(
        code="STATE-NO-RECORD",
        what=f"This deployment has no resource {name} that its state could record.",
        why=f"The state records resources by their names in the blueprint, without those that the configuration names. It has: {names}.",
        do=(
            *((f"Did you mean {alike}?",) if alike else ()),
            "See the names: `sre-agent-deploy state list`, or `sre-agent-deploy plan`.",
        ),
    )


def _not_ours(kind: str, id: str, deployment: str) -> Problem:
    return Problem(
        code="STATE-NOT-OURS",
        what=f"{id} ({kind}) was neither recorded nor deleted.",
        why=f"AWS does not show it with the tag of deployment {deployment}: it does not exist, is another kind, or is not ours.",
        do=(
            f"See what exists: `sre-agent-deploy plan`, or `sre-agent-deploy cleanup --dry-run --deployment-id {deployment}`.",
            f"If it is yours and its tag was removed, restore it: {DEPLOYMENT_TAG} = {deployment}.",
        ),
    )


def _is_recorded(record: Record) -> Problem:
    return Problem(
        code="STATE-RECORDED",
        what=f"{record.id} was not deleted: the state has it as {record.name}.",
        why="What the state has is deleted by a cleanup, or by a deployment whose configuration no longer asks for it.",
        do=(
            "To delete the whole deployment: `sre-agent-deploy cleanup`.",
            f"If another one is to take its place: `sre-agent-deploy state adopt {record.name} ID`, then delete this one.",
        ),
    )
