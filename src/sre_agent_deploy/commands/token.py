"""Get an access token for a deployment, as its programs get theirs."""

from __future__ import annotations

from functools import partial
from typing import Literal

from sre_agent_deploy.account.account import Account
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.checks.verification.endpoint_client import Client, Endpoints
from sre_agent_deploy.checks.verification.tokens import request_token
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.cleanup import config_for_cleanup
from sre_agent_deploy.commands.deployments import require_state
from sre_agent_deploy.commands.missing_aws import explain_missing_aws
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.commands.workspace import use_account
from sre_agent_deploy.connection import add_custom_domain
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.names import CALLER_SCOPE, GATEWAY_SCOPE
from sre_agent_deploy.resources.secretsmanager_calls import read_values
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

_SCOPES = {"gateway_client": GATEWAY_SCOPE, "caller_client": CALLER_SCOPE}


def read_gateway_token(request: Request, user: User) -> Secret:
    """Get a token for the gateway. Raises Refused where the deployment or an answer of Cognito is missing."""
    return _read_token(request, user, "gateway_client")


def read_caller_token(request: Request, user: User) -> Secret:
    """Get a token for the assistant. Raises Refused where the deployment or an answer of Cognito is missing."""
    return _read_token(request, user, "caller_client")


def _read_token(request: Request, user: User, client: Literal["gateway_client", "caller_client"]) -> Secret:
    located, state = require_state(request, "output")
    with use_account(config_for_cleanup(located, state), user, start=False) as account:
        if account is None:
            raise Refused(explain_missing_aws(state))
        found = _find_client(account, state, client)
        token = request_token(_endpoints(account, state, found), found)
    if isinstance(token, Problem):
        raise Refused(token)
    return token


def _find_client(account: Account, state: State, name: str) -> Client:
    arn = _recorded(state, f"{name}_secret", "secret_arn")
    values = ask_or_refuse(account.aws, partial(read_values, account.aws, arn))
    return Client(
        values["client_id"].reveal(), values["client_secret"], f"{_recorded(state, 'resource_server', 'identifier')}/{_SCOPES[name]}"
    )


def _endpoints(account: Account, state: State, client: Client) -> Endpoints:
    """Name what a token needs: the pool's discovery document, and whom to trust."""
    found = Endpoints(
        base_url="",
        public_ip="",
        gateway_url="",
        discovery_url=_recorded(state, "user_pool", "discovery_url"),
        gateway_client=client,
        caller_client=client,
        ca_files=account.ca_files(),
    )
    return add_custom_domain(found, {record.name: record.outputs for record in state.alive()}, account)


def _recorded(state: State, resource: str, output: str) -> str:
    record = state.current(resource)
    value = str(record.outputs.get(output, "")) if record else ""
    if not value:
        raise Refused(_not_yet(resource))
    return value


def _not_yet(resource: str) -> Problem:
    return Problem(
        code="TOKEN-NOT-YET",
        what="There is no access token yet.",
        why=f"The deployment has no {resource}: its deployment has not come so far.",
        do=("See how far it is: `sre-agent-deploy status`.", "Finish it: `sre-agent-deploy resume`, or `deploy`."),
    )
