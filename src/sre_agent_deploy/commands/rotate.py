"""`rotate`: exchange keys, client secrets and the private authority while everything goes on: old and new are valid together for a while.

How far a rotation is, AWS itself knows (staging labels of a secret, secrets of an app client) and the folder of the authority. So a run
that was interrupted at any call is continued by the same command.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Literal

from sre_agent_deploy import connection
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.checks.verification.access import request_token
from sre_agent_deploy.checks.verification.endpoint_client import Endpoints
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.backup import leave_source
from sre_agent_deploy.commands.claims import state_not_found
from sre_agent_deploy.commands.deploy import deploy
from sre_agent_deploy.commands.user import UNATTENDED, CommandResult, User
from sre_agent_deploy.commands.verify import find_endpoints, plan_complete
from sre_agent_deploy.commands.workspace import Located, find_state, hold_deployment, hold_state, open_journal, open_workspace, watch
from sre_agent_deploy.journal.state import Result
from sre_agent_deploy.names import API_KEY
from sre_agent_deploy.plan import Change, Plan
from sre_agent_deploy.progress import run_interrupted
from sre_agent_deploy.resources import secretsmanager_calls as stored
from sre_agent_deploy.resources.api_key_credential_provider import read_key_again
from sre_agent_deploy.resources.cognito_app_client import add_secret, delete_secret, list_secrets
from sre_agent_deploy.resources.secretsmanager_secret import CLIENT_ID, CLIENT_SECRET
from sre_agent_deploy.tls import local_ca
from sre_core import clock, duration, release
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

type Part = Literal["api-key", "client-secret", "ca"]
PARTS: tuple[Part, ...] = ("api-key", "client-secret", "ca")

# The machine looks at its secrets every half minute, the local one every second; clients of other computers need their time too.
_OVERLAP, _OVERLAP_LOCAL = timedelta(minutes=10), timedelta(seconds=5)
_TAKEN_WITHIN = timedelta(seconds=90)
_BYTES = 24


@dataclass(frozen=True)
class Rotation:
    """The parts that all steps of a rotation use."""

    aws: Aws
    plan: Plan
    endpoints: Endpoints
    overlap: timedelta
    user: User
    taken_within: timedelta = _TAKEN_WITHIN

    def own(self, name: str) -> Change:
        """Return a resource that is this deployment's own. Raises Refused for one that the configuration names."""
        change = self.plan.change(name)
        if change.named:
            raise Refused(_not_ours(change))
        return change

    def ask[T](self, call: partial[T]) -> T:
        """Make one call. Raises Refused where AWS refuses it."""
        return ask_or_refuse(self.aws, call)

    def wait_overlap(self, secret: str) -> None:
        """Wait until a secret was changed long enough ago. Raises Refused if the user stops the run."""
        changed = self.ask(partial(stored.describe_secret, self.aws, secret))["LastChangedDate"]
        left = changed + self.overlap - clock.now()
        if left > timedelta(0):
            self.user.note(f"Both are valid for {duration.format_roughly(left)} more. Ctrl-C is safe: the same command goes on.")
            self.wait(f"the overlap of {duration.format_exactly(self.overlap)} to end", left)

    def wait(self, what: str, within: timedelta) -> None:
        for _ in self.aws.progress.poll("ready", what, within):
            pass
        if self.aws.progress.stop.requested:
            raise Refused(run_interrupted())


def rotate(request: Request, parts: tuple[Part, ...], user: User = UNATTENDED, *, overlap: timedelta | None = None) -> CommandResult:
    """Rotate these parts, one after the other. Raises Refused with the part that can't be rotated; those before it are, and are shown.

    Of several parts an authority that is not of this tool is left out.
    """
    if "ca" in parts and len(parts) > 1 and (source := _locate(request)[0].config().tls.source) != "local_ca":
        user.note(f"CA: left as it is. tls.source is {source}, so the authority is not of this tool.")
        parts = tuple(part for part in parts if part != "ca")
    done: list[str] = []
    try:
        for line in _rotate_parts(request, parts, user, overlap):
            done.append(line)  # what is done before a refusal counts
    except Refused:
        for line in done:
            user.note(line)
        raise
    return CommandResult(success=True, component="rotation", message="\n".join(done), next_steps=("sre-agent-deploy verify",))


def _rotate_parts(request: Request, parts: tuple[Part, ...], user: User, overlap: timedelta | None) -> Iterator[str]:
    """Rotate the parts, and say of each what was done."""
    if "api-key" in parts or "client-secret" in parts:
        with open_complete(request, user, overlap) as rotation:
            if "api-key" in parts:
                yield rotate_api_key(rotation)
            if "client-secret" in parts:
                for name in ("gateway_client", "caller_client"):
                    yield rotate_client_secret(rotation, name)
    if "ca" in parts:
        yield rotate_ca(request, user, overlap)


def rotate_api_key(rotation: Rotation, new_key: Secret | None = None) -> str:
    """Exchange the key that the gateway sends to the backends: both are accepted until the gateway has the new one.

    Without a `new_key`, one is generated.
    """
    secret, provider = rotation.own("backend_key").id, rotation.own("credential_provider").id
    stages = rotation.ask(partial(stored.read_stages, rotation.aws, secret))
    if not stored.has_pending(stages) and "AWSPREVIOUS" not in stages:
        rotation.ask(partial(stored.put_pending, rotation.aws, secret, {API_KEY: new_key or _generate()}))
        stages = rotation.ask(partial(stored.read_stages, rotation.aws, secret))
    if stored.has_pending(stages):
        rotation.user.note("API key: waiting until each backend accepts the new one beside the old one.")
        new = rotation.ask(partial(stored.read_values, rotation.aws, secret, "AWSPENDING"))[API_KEY]
        _wait_for_backends(rotation, new, accepted=True)
        rotation.ask(partial(stored.promote_pending, rotation.aws, secret))
    rotation.ask(partial(read_key_again, rotation.aws, provider))
    rotation.wait_overlap(secret)
    old = rotation.ask(partial(stored.read_values, rotation.aws, secret, "AWSPREVIOUS"))[API_KEY]
    rotation.ask(partial(stored.forget_previous, rotation.aws, secret))
    _wait_for_backends(rotation, old, accepted=False)
    return "API key: rotated; the old one is refused. Clients have nothing to do."


def rotate_client_secret(rotation: Rotation, name: str) -> str:
    """Give an app client a second secret, let its programs read that, and delete the first one."""
    client, secret = rotation.own(name).id, rotation.own(f"{name}_secret").id
    kept = rotation.ask(partial(list_secrets, rotation.aws, client))
    stages = rotation.ask(partial(stored.read_stages, rotation.aws, secret))
    if len(kept) > 1 and not stored.has_pending(stages) and "AWSPREVIOUS" not in stages:
        raise Refused(_second_secret(client, kept[-1]))
    if len(kept) == 1:
        _add_second(rotation, client, secret, pending=stored.has_pending(stages))
    stages = rotation.ask(partial(stored.read_stages, rotation.aws, secret))
    if stored.has_pending(stages):
        _wait_for_token(rotation, name, rotation.ask(partial(stored.read_values, rotation.aws, secret, "AWSPENDING")))
        rotation.ask(partial(stored.promote_pending, rotation.aws, secret))
    rotation.wait_overlap(secret)
    for old in rotation.ask(partial(list_secrets, rotation.aws, client))[:-1]:
        rotation.ask(partial(delete_secret, rotation.aws, client, old))
    rotation.ask(partial(stored.forget_previous, rotation.aws, secret))
    return f"Client secret of {name}: rotated; the old one is deleted. {_CLIENTS[name]}"


_CLIENTS = {
    "gateway_client": "Clients have nothing to do: the assistant has read the new one.",
    "caller_client": "`sre-agent` reads it itself; a program with a copy needs the new one: `sre-agent-deploy output client_secret`.",
}


def rotate_ca(request: Request, user: User = UNATTENDED, overlap: timedelta | None = None) -> str:
    """Exchange this user's certificate authority: clients and gateway trust both, the certificate changes, the old one is forgotten.

    Each of the three steps is a deployment, which verifies the result and writes the connection file.
    """
    (located, _), folder = _locate(request), local_ca.folder()
    config = located.config()
    if config.tls.source != "local_ca":
        raise Refused(_own_authority(config.tls.source))
    if local_ca.exchange_stage(folder) == "none":
        local_ca.prepare_exchange(folder)
    if local_ca.exchange_stage(folder) == "next":
        _deploy_step(request, user, "CA 1 of 3: clients and gateway trust the new authority beside the old one.")
        _pause(user, overlap or (_OVERLAP_LOCAL if config.mode == "local" else _OVERLAP))
        local_ca.exchange(folder)
    if local_ca.exchange_stage(folder) == "previous":
        _deploy_step(request, user, "CA 2 of 3: the front door gets a certificate of the new authority.")
        local_ca.end_exchange(folder)
    _deploy_step(request, user, "CA 3 of 3: nothing trusts the old authority any more.")
    local_ca.complete_exchange(folder)
    return (
        "CA: rotated. Clients on other computers need the new connection file and the CA bundle beside it. "
        "This user's other deployments get a certificate of the new authority by `sre-agent-deploy deploy`."
    )


def _deploy_step(request: Request, user: User, what: str) -> None:
    user.note(what)
    result = deploy(request, user)
    if not result.success:
        raise Refused(*(result.problems or (_step_failed(what),)))


def _pause(user: User, length: timedelta) -> None:
    user.note(f"Both authorities are trusted for {duration.format_roughly(length)}, so that clients can read the connection file again.")
    with user.stoppable() as stop:
        if stop.pause(length.total_seconds()):
            raise Refused(run_interrupted())


def _locate(request: Request, command: str = "rotate") -> tuple[Located, str]:
    """Find the deployment and its id. Raises Refused where there is no state of it."""
    located = find_state(request).of_deployed()
    if located.state is None:
        raise Refused(state_not_found(located.store.location, command))
    return located, located.state.deployment


@contextmanager
def open_complete(
    request: Request,
    user: User,
    overlap: timedelta | None,
    *,
    command: str = "rotate",
    result: Result = "rotated",
    incomplete: Callable[[str], Problem] | None = None,
) -> Iterator[Rotation]:
    """Lock a deployment that is complete, and record the run. Raises Refused where it has changes to be made first."""
    located, deployment = _locate(request, command)
    with open_workspace(located, user, start=False) as opened, ExitStack() as locks:
        locks.enter_context(hold_state(opened.store, opened.account, command))
        here = opened.reload_state()
        locks.enter_context(hold_deployment(deployment, here.account, command))
        plan = plan_complete(here, user, incomplete or _incomplete)
        journal = open_journal(
            plan.deployment, config=here.config, config_file=here.config_file, account=here.account, store=here.store, state=here.state
        )
        journal.begin_run(command)
        try:
            endpoints = find_endpoints(here.config, here.account, plan.outputs())
            length = (_OVERLAP_LOCAL if here.account.registry else _OVERLAP) if overlap is None else overlap
            with watch(here.account, user) as account:
                yield Rotation(account.aws, plan, endpoints, length, user)
            secret = str(plan.change("caller_client_secret").outputs["secret_arn"])
            connection.write_connection(plan.deployment, endpoints, secret, here.account, name=here.config.name)
        except Refused as refused:
            stopped = any(problem.code == run_interrupted().code for problem in refused.problems)
            journal.end_run("interrupted" if stopped else "failed")
            raise
        journal.end_run(result)
        leave_source(here, journal.state, user)


def _add_second(rotation: Rotation, client: str, secret: str, *, pending: bool) -> None:
    """Keep the new secret as pending before Cognito learns it: after a crash it is still known."""
    if not pending:
        current = rotation.ask(partial(stored.read_values, rotation.aws, secret))
        values = {CLIENT_ID: current[CLIENT_ID], CLIENT_SECRET: _generate()}
        rotation.ask(partial(stored.put_pending, rotation.aws, secret, values))
    new = rotation.ask(partial(stored.read_values, rotation.aws, secret, "AWSPENDING"))[CLIENT_SECRET]
    rotation.ask(partial(add_secret, rotation.aws, client, new))


def _wait_for_backends(rotation: Rotation, key: Secret, *, accepted: bool) -> None:
    """Wait until each backend accepts a key, or refuses it. Raises Refused if one does not in time."""
    urls = [f"{rotation.endpoints.base_url}{service.route}openapi.json" for service in release.backends()]
    expected, waiting = (200 if accepted else 401), urls
    for poll in rotation.aws.progress.poll("ready", "the backends", rotation.taken_within):
        waiting = [url for url in waiting if _status(rotation.endpoints, url, key) != expected]
        if not waiting:
            return
        poll.status = f"{', '.join(waiting)} to answer {expected}"
    raise Refused(rotation.aws.progress.interrupted_or((_not_taken if accepted else _not_dropped)(waiting, rotation.taken_within)))


def _status(endpoints: Endpoints, url: str, key: Secret) -> int:
    answer = endpoints.http("GET", url, headers={"X-API-Key": key.reveal()})
    # One that was refused too often answers 429 to a wrong key, and 200 to the right one.
    return 0 if isinstance(answer, Problem) else 401 if answer.status == 429 else answer.status


def _wait_for_token(rotation: Rotation, name: str, values: dict[str, Secret]) -> None:
    """Wait until Cognito issues a token for the new secret. Raises Refused if it does not in time."""
    known = rotation.endpoints.gateway_client if name == "gateway_client" else rotation.endpoints.caller_client
    client, answer = replace(known, secret=values[CLIENT_SECRET]), None
    for _ in rotation.aws.progress.poll("ready", f"Cognito to accept the new secret of {name}", rotation.taken_within):
        answer = request_token(rotation.endpoints, client)
        if not isinstance(answer, Problem):
            return
    assert isinstance(answer, Problem)
    raise Refused(rotation.aws.progress.interrupted_or(answer))


def _generate() -> Secret:
    return Secret(secrets.token_hex(_BYTES))


_READ_WHY = "Read why: `sre-agent-deploy exec journalctl -u sre-agent-certificate -n 50`; it reads the secrets for the services."


def _not_ours(change: Change) -> Problem:
    return Problem(
        code="ROTATE-NOT-OURS",
        what=f"{change.name} ({change.id}) was not rotated.",
        why="The configuration names it, and what is named there is used and never changed.",
        do=("Rotate it where it was created; then run `sre-agent-deploy deploy`, which takes the new value over.",),
    )


def _second_secret(client: str, secret_id: str) -> Problem:
    pool, _, client_id = client.partition("/")
    return Problem(
        code="ROTATE-SECOND-SECRET",
        what=f"The app client {client_id} has two secrets already, so no other can be added.",
        why=f"The second one ({secret_id}) was added outside of this tool.",
        do=(
            "If nothing uses it, delete it: `aws cognito-idp delete-user-pool-client-secret "
            f"--user-pool-id {pool} --client-id {client_id} --client-secret-id {secret_id}`.",
            "Run the same command again.",
        ),
    )


def _not_taken(urls: list[str], within: timedelta) -> Problem:
    return Problem(
        code="ROTATE-NOT-TAKEN",
        what=f"The machine has not taken the changed API key within {duration.format_exactly(within)}.",
        why=f"These do not answer 200: {', '.join(urls)}. Both keys stay as they are, so nothing is interrupted.",
        do=(
            _READ_WHY,
            "A machine of an earlier release reads its key once: `sre-agent-deploy deploy` replaces it. Then run the same command again.",
        ),
    )


def _not_dropped(urls: list[str], within: timedelta) -> Problem:
    return Problem(
        code="ROTATE-NOT-DROPPED",
        what=f"The machine still accepts the old API key after {duration.format_exactly(within)}.",
        why=f"The key is rotated and the old one has ended, but these have not read that yet: {', '.join(urls)}. Nothing is interrupted.",
        do=(
            _READ_WHY,
            "A machine of an earlier release reads its key once: `sre-agent-deploy deploy` replaces it. No other rotation is needed.",
        ),
    )


def _own_authority(source: str) -> Problem:
    exchange = (
        "Put the certificates of both authorities into the file deployment.ssl_ca_path names, and run `sre-agent-deploy deploy`.",
        "Renew certificate and key at ssl_cert_path and ssl_key_path by the new authority, and run `sre-agent-deploy deploy`.",
        "Remove the old authority from ssl_ca_path, and run `sre-agent-deploy deploy`.",
    )
    return Problem(
        code="ROTATE-CA-NOT-OURS",
        what="The certificate authority was not rotated.",
        why=f"tls.source is {source}: the authority is not of this tool.",
        do=exchange if source == "files" else ("There is nothing to do: a public authority exchanges its certificates itself.",),
    )


def _step_failed(what: str) -> Problem:
    return Problem(
        code="ROTATE-STEP-FAILED",
        what=f"This step failed: {what}",
        why="The deployment was changed, and its verification failed.",
        do=("See what failed: `sre-agent-deploy verify`.", "Run the same command again: it goes on with this step."),
    )


def _incomplete(why: str) -> Problem:
    return Problem(
        code="ROTATE-INCOMPLETE",
        what="Nothing was rotated: the deployment is not complete.",
        why=why,
        do=("Complete it: `sre-agent-deploy deploy`.", "Run the same command again."),
    )
