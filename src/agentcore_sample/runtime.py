"""The sample's scripts of AgentCore Runtime: build the image, deploy the assistant on a runtime, and ask it.

The tokens that they use are those of the deployment's own programs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote
from uuid import uuid4

from agentcore_sample import REQUEST
from sre_agent_deploy.account.account import Account
from sre_agent_deploy.aws.attempt import Lost, ask_or_refuse, attempt
from sre_agent_deploy.checks.verification.access import request_token
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Client, Endpoints
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.claims import explain_missing_aws
from sre_agent_deploy.commands.cleanup import config_for_cleanup
from sre_agent_deploy.commands.status import read_outputs, require_state
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.commands.workspace import find_state, use_account
from sre_agent_deploy.config.edit import Field
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.connection import add_custom_domain, connection_path
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.names import CALLER_SCOPE, GATEWAY_SCOPE
from sre_agent_deploy.resources.secretsmanager_calls import read_values
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

_SESSION = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
_SHORTEST_SESSION = 33
_LONGEST_ANSWER = 300.0
_ROOT = Path(__file__).parents[2]


def build_image(name: str, platform: str, *, local: bool) -> None:
    """Build the image for AgentCore Runtime with Docker. Raises Refused where that can't be done, or where it is to be pushed."""
    docker, dockerfile = shutil.which("docker"), _ROOT / "containers/Dockerfile"
    if not docker or not dockerfile.is_file():
        raise Refused(_not_built(docker))
    command = [docker, "build", "--platform", platform, "-f", str(dockerfile), "--target", "runtime", "-t", name, str(_ROOT)]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - the name is one argument
        raise Refused(_not_built(docker))
    if not local:
        raise Refused(_push_by_hand(name))


def describe_runtime(container_uri: str, user: User) -> dict[Field, str]:
    """Describe the assistant on AgentCore Runtime as config.yaml does. The local AWS gets its package where its ECR has no such image."""
    config = find_state(REQUEST).config()
    if config.mode == "production" or _has_image(config, container_uri, user):
        return {("assistant", "runtime"): "agentcore", ("assistant", "image"): container_uri}
    user.warn(
        "--container-uri was not used: the ECR of the local AWS has no such image (`aws ecr put-image` puts one there). "
        "The same assistant runs from its package."
    )
    return {("assistant", "runtime"): "agentcore"}


def _has_image(config: Config, uri: str, user: User) -> bool:
    """Say if the ECR of the local AWS has an image. One that can't be looked up is absent."""
    path, _, digest = uri.partition("/")[2].partition("@")
    repository, _, tag = path.partition(":")
    image: Any = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    with use_account(config, user, start=True) as account:
        assert account
        ecr = account.aws.client("ecr")
        answer = attempt(lambda: ecr.describe_images(repositoryName=repository, imageIds=[image]), progress=account.aws.progress)
    return not isinstance(answer, Problem | Lost)


def ask(prompt: str, runtime_arn: str, session_id: str, user_id: str, user: User) -> str:
    """Ask the assistant and return its answer as the sample printed it: the JSON, then the message."""
    session = (session_id or f"invoke-{uuid4()}").ljust(_SHORTEST_SESSION, "x")
    body = {"input": {"prompt": prompt, "session_id": session, "user_id": user_id or "default-sre-user"}}
    token = read_caller_token(REQUEST, user)
    headers = {"Authorization": f"Bearer {token.reveal()}", "Content-Type": "application/json", _SESSION: session}
    endpoints, url = _find_assistant(runtime_arn)
    answer = endpoints.http("POST", url, headers=headers, body=json.dumps(body).encode())
    if isinstance(answer, Problem):
        raise Refused(answer)
    document = answer.json()
    if answer.status != 200 or not isinstance(document, Mapping):
        raise Refused(_no_answer(url, answer))
    return f"{json.dumps(document, indent=2)}\n\nMessage:\n{document.get('output', {}).get('message', '')}"


def _find_assistant(runtime_arn: str) -> tuple[Endpoints, str]:
    """Find the address: that of the deployment, or AgentCore's own for a runtime that is not of the deployment."""
    outputs = read_outputs(REQUEST)
    file = connection_path(outputs["deployment_id"].value)
    connection = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    base, url = connection.get("assistant_url", ""), connection.get("invocations_url", "")
    unused = Client("", Secret(""), "")
    address = outputs["public_ip"].value if "public_ip" in outputs else ""
    trusted = tuple(filter(None, (connection.get("ca_file", ""),)))
    endpoints = Endpoints("" if "/runtimes/" in url else base, address, "", "", unused, unused, trusted, _LONGEST_ANSWER)
    if not runtime_arn or quote(runtime_arn, safe="") in url:
        return endpoints, url
    region = (runtime_arn.split(":") + [""] * 4)[3]
    other = f"https://bedrock-agentcore.{region}.amazonaws.com/runtimes/{quote(runtime_arn, safe='')}/invocations?qualifier=DEFAULT"
    return endpoints, other


def _not_built(docker: str | None) -> Problem:
    return Problem(
        code="RUNTIME-IMAGE-NOT-BUILT",
        what="The image for AgentCore Runtime was not built.",
        why="docker build failed; its output is above."
        if docker
        else "There is no docker here, or no source of this project beside the package.",
        do=(
            "Run the script where Docker and a clone of this repository are, with the package installed from it: pip install -e .",
            "Or build it by hand: docker build --platform linux/arm64 -f containers/Dockerfile --target runtime -t sre_agent .",
        ),
    )


def _push_by_hand(name: str) -> Problem:
    return Problem(
        code="RUNTIME-PUSH-BY-HAND",
        what=f"The image {name}:latest is built and was not pushed: this version does not push to Amazon ECR.",
        why="Nothing here creates a repository in ECR, so a cleanup would not delete it either.",
        do=(
            f"aws ecr create-repository --repository-name {name}",
            "docker login, docker tag and docker push: Amazon ECR > Repositories > (repository) > View push commands.",
            "Then: deployment/deploy_agent_runtime.py --container-uri URI --role-arn ARN",
        ),
        aws_docs="https://docs.aws.amazon.com/AmazonECR/latest/userguide/docker-push-ecr-image.html",
    )


def _no_answer(url: str, answer: Answer) -> Problem:
    return Problem(
        code="RUNTIME-NO-ANSWER",
        what=f"The assistant answered {answer.status} without an answer to the question.",
        why=answer.body[:300].decode(errors="replace") or "The body was empty.",
        do=("See if the deployment works: `sre-agent-deploy verify`.", f"The request was POST {url}"),
    )


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
        why=f"The deployment has no {resource}: the deployment has not reached that step.",
        do=("See how far it is: `sre-agent-deploy status`.", "Finish it: `sre-agent-deploy resume`, or `deploy`."),
    )
