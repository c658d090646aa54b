"""`status`, `history`, `unlock`, `list`, `output`, `open`: which deployments there are, and what the state of one says about it.

They ask AWS only where it is said, so they answer at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from sre_agent_deploy import connection
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import Row, explain_missing_aws, is_running, list_known, read_claim, state_not_found
from sre_agent_deploy.commands.cleanup import config_for_cleanup
from sre_agent_deploy.commands.sweep import look_at
from sre_agent_deploy.commands.user import UNATTENDED, Question, User
from sre_agent_deploy.commands.workspace import Located, find_state, use_account
from sre_agent_deploy.deployment_tags import TTL_RESOURCE, Lifetime, read_lifetime
from sre_agent_deploy.engine.inventory import list_deployments
from sre_agent_deploy.journal import lock
from sre_agent_deploy.journal.lock import Owner
from sre_agent_deploy.journal.state import COMPLETE, Record, Run, State
from sre_agent_deploy.names import API_KEY
from sre_agent_deploy.resources.secretsmanager_calls import read_values
from sre_core import clock
from sre_core.nearest import find_nearest
from sre_core.problem import Problem, Refused

# The results of a run that left nothing to continue.
DONE = (*COMPLETE, "cleaned up", "rolled back")


@dataclass(frozen=True)
class Status:
    """The result of the last run, and the process that works on the deployment now."""

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
        """Return how long a temporary deployment is needed."""
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
    """Free the deployment's lock on this machine, if a stopped process holds it. If the state's lock has an owner, it must be the same."""
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
        what=f"The lock was not released: {owner}.",
        why="Its owner seems to be alive, so this needs a confirmation, and there is no terminal to ask for it.",
        do=("Make sure on that host that the process is dead.", "Then confirm: `sre-agent-deploy unlock --yes`."),
    )


# Output -> the resource in the state, and its output there.
_PLAIN: Mapping[str, tuple[str, str]] = {
    "gateway_url": ("gateway", "gateway_url"),
    "oidc_discovery_url": ("user_pool", "discovery_url"),
    "user_pool_id": ("user_pool", "user_pool_id"),
    "client_id": ("caller_client", "client_id"),
    "gateway_client_id": ("gateway_client", "client_id"),
    "public_ip": ("address", "public_ip"),
    "instance_id": ("instance", "instance_id"),
    "runtime_arn": ("runtime", "runtime_arn"),
    "bucket_name": ("bucket", "bucket_name"),
    "certificate_expires": ("certificate", "not_after"),
}
# Output -> the secret in the state, and the key of its value there.
_SECRET: Mapping[str, tuple[str, str]] = {
    "client_secret": ("caller_client_secret", "client_secret"),
    "gateway_client_secret": ("gateway_client_secret", "client_secret"),
    "backend_api_key": ("backend_key", API_KEY),
}


def list_account(request: Request, user: User = UNATTENDED) -> tuple[Row, ...]:
    """List also those of the account and region that only AWS knows."""
    known, located = list_known(), find_state(request)
    with use_account(config_for_cleanup(located, located.state), user, start=False) as account:
        if account is None:
            return known
        found = list_deployments(account.aws)
        user.show_problems(found.problems)
        here = {row.deployment for row in known}
        mode = "local" if account.registry else "production"
        return (*known, *filter(None, (_look_up(account.aws, id, mode) for id in found.ids if id not in here)))


def _look_up(aws: Aws, deployment: str, mode: str) -> Row | None:
    """Describe a deployment that another machine made; None if nothing is left of it: listings lag behind."""
    seen = look_at(aws, deployment, {}, "")
    if seen is None:
        return None
    created = seen.ttl_resource.created if seen.ttl_resource else None
    return Row(
        deployment,
        mode=mode,
        account=aws.account_id,
        region=aws.region,
        since=clock.stamp(created) if created else "",
        last="another machine deployed it",
    )


@dataclass(frozen=True)
class Output:
    """One value of a deployment. The value of a secret is empty until it is asked for by its name."""

    value: str
    sensitive: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self) if not self.sensitive else {"value": None, "sensitive": True}


def require_state(request: Request, command: str) -> tuple[Located, State]:
    """Find the state of a deployment. Raises Refused if there is none, nothing is left in it, or its local AWS can't be reached."""
    located = find_state(request)
    if located.state is None or not located.state.alive():
        raise Refused(state_not_found(located.store.location, command) if located.state is None else _nothing_left(located.state))
    if located.state.mode == "local" and not is_running(located.state):
        raise Refused(explain_missing_aws(located.state))
    return located, located.state


def read_outputs(request: Request) -> dict[str, Output]:
    """Read what the state says of a deployment. Asks AWS nothing; secrets are only named."""
    located, state = require_state(request, "output")
    claim = read_claim(state.deployment)
    fixed = {
        "deployment_id": state.deployment,
        "name": claim.name if claim else "",
        "mode": state.mode,
        "account_id": state.account,
        "region": state.region,
        "assistant_url": connection.read_url(state.deployment),
        "connection_file": str(connection.connection_path(state.deployment)),
        "state": located.store.location,
    }
    plain = {name: _recorded(state, resource, output) for name, (resource, output) in _PLAIN.items()}
    secrets = {name: Output("", sensitive=True) for name, (resource, _) in _SECRET.items() if state.current(resource)}
    return {name: Output(value) for name, value in (fixed | plain).items() if value} | secrets


def read_output(request: Request, name: str, user: User = UNATTENDED) -> str:
    """Read one value; that of a secret from Secrets Manager. Raises Refused if there is none of that name."""
    outputs = read_outputs(request)
    if name not in outputs:
        raise Refused(_output_unknown(name, outputs))
    return _read_secret(request, name, user) if outputs[name].sensitive else outputs[name].value


def _recorded(state: State, resource: str, output: str) -> str:
    record = state.current(resource)
    return str(record.outputs.get(output, "")) if record else ""


def _read_secret(request: Request, name: str, user: User) -> str:
    located, state = require_state(request, "output")
    resource, key = _SECRET[name]
    arn = _recorded(state, resource, "secret_arn")
    with use_account(config_for_cleanup(located, state), user, start=False) as account:
        if account is None:
            raise Refused(_secret_missing(name))
        values = ask_or_refuse(account.aws, partial(read_values, account.aws, arn))
    if key not in values:
        raise Refused(_secret_missing(name))
    return values[key].reveal()


def find_url(request: Request) -> str:
    """Return the address of the assistant. Raises Refused if there is none yet."""
    _, state = require_state(request, "open")
    url = connection.read_url(state.deployment)
    if not url:
        raise Refused(_output_unknown("assistant_url", read_outputs(request)))
    return url


def _output_unknown(name: str, known: Iterable[str]) -> Problem:
    names = [*known]
    alike = find_nearest(name, names)
    return Problem(
        code="OUTPUT-UNKNOWN",
        what=f"The deployment has no output {name}.",
        why=f"It has: {', '.join(names)}. An unfinished deployment gets its other outputs with `deploy`.",
        do=(*((f"Did you mean {alike}?",) if alike else ()), "See them all with their values: `sre-agent-deploy output`."),
    )


def _secret_missing(name: str) -> Problem:
    return Problem(
        code="OUTPUT-UNREADABLE",
        what=f"The value of {name} could not be read.",
        why="Its secret is not there, has no such value, or is about to be deleted.",
        do=("See what is there: `sre-agent-deploy plan`.", "Repair it: `sre-agent-deploy deploy`."),
    )


def _nothing_left(state: State) -> Problem:
    return Problem(
        code="DEPLOYMENT-GONE",
        what=f"Deployment {state.deployment} does not exist any more: it was cleaned up.",
        why="Its state remains as a record of its runs.",
        do=("Deploy it again: `sre-agent-deploy deploy`.", "See the others of this machine: `sre-agent-deploy list`."),
    )
