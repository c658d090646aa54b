"""The sample's scripts of AgentCore Runtime: build the image, write the request that creates the runtime, and ask the assistant.

This version does not create the runtime itself: what it writes is the whole request for the AWS CLI.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from sre_agent_deploy.checks.verification.endpoint_client import Answer, Client, Endpoints
from sre_agent_deploy.commands.deployments import read_outputs, require_state
from sre_agent_deploy.commands.token import read_caller_token
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.connection import connection_path
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.names import CALLER_SCOPE, GATEWAY_SCOPE
from sre_agent_deploy.sample import REQUEST
from sre_core import atomic_file
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

_SESSION = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
_SHORTEST_SESSION = 33
_LONGEST_ANSWER = 300.0
_ROOT = Path(__file__).parents[3]


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


def write_request(root: Path, name: str, image: str, role_arn: str, user: User) -> Problem:
    """Write the request of CreateAgentRuntime from the deployment, and return what is left to do by hand."""
    _, state = require_state(REQUEST, "output")
    path = root / "deployment/agent_runtime.json"
    path.parent.mkdir(exist_ok=True)
    atomic_file.write(path, json.dumps(build_request(state, name, image, role_arn), indent=2).encode() + b"\n", mode=0o600)
    user.note(f"Wrote {path.relative_to(root)}.")
    return _create_by_hand(state.region, _find_secret(state))


def build_request(state: State, name: str, image: str, role_arn: str) -> dict[str, Any]:
    """Build the request. AgentCore checks Cognito's tokens and passes them on, so that the assistant checks them too."""

    def recorded(resource: str, output: str) -> str:
        record = state.current(resource)
        return str(record.outputs.get(output, "")) if record else ""

    server = recorded("resource_server", "identifier")
    caller = recorded("caller_client", "client_id")
    environment = {
        "GATEWAY_URL": recorded("gateway", "gateway_url"),
        "OIDC_DISCOVERY_URL": recorded("user_pool", "discovery_url"),
        "GATEWAY_CLIENT_ID": recorded("gateway_client", "client_id"),
        "GATEWAY_SCOPE": f"{server}/{GATEWAY_SCOPE}",
        "GATEWAY_CLIENT_SECRET_ARN": _find_secret(state),
        "CALLER_CLIENT_ID": caller,
        "CALLER_SCOPE": f"{server}/{CALLER_SCOPE}",
    }
    jwt = {"discoveryUrl": recorded("user_pool", "discovery_url"), "allowedClients": [caller]}
    return {
        "agentRuntimeName": name,
        "agentRuntimeArtifact": {"containerConfiguration": {"containerUri": image}},
        "roleArn": role_arn,
        "networkConfiguration": {"networkMode": "PUBLIC"},
        "protocolConfiguration": {"serverProtocol": "HTTP"},
        "authorizerConfiguration": {"customJWTAuthorizer": jwt},
        "requestHeaderConfiguration": {"requestHeaderAllowlist": ["Authorization"]},
        "environmentVariables": environment,
        "tags": {"sre-agent:runtime-of": state.deployment},
    }


def _find_secret(state: State) -> str:
    record = state.current("gateway_client_secret")
    return str(record.outputs.get("secret_arn", "")) if record else ""


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
    """Find the address: AgentCore's own for a runtime, else that of the deployment."""
    outputs = read_outputs(REQUEST)
    base = outputs["assistant_url"].value if "assistant_url" in outputs else ""
    connection = connection_path(outputs["deployment_id"].value)
    ca_file = json.loads(connection.read_text(encoding="utf-8"))["ca_file"] if connection.is_file() else ""
    unused = Client("", Secret(""), "")
    address = outputs["public_ip"].value if "public_ip" in outputs else ""
    endpoints = Endpoints(base, address, "", "", unused, unused, tuple(filter(None, (ca_file,))), _LONGEST_ANSWER)
    if not runtime_arn:
        return endpoints, f"{base}/invocations"
    region = (runtime_arn.split(":") + [""] * 4)[3]
    return (
        endpoints,
        f"https://bedrock-agentcore.{region}.amazonaws.com/runtimes/{quote(runtime_arn, safe='')}/invocations?qualifier=DEFAULT",
    )


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


def _create_by_hand(region: str, secret_arn: str) -> Problem:
    return Problem(
        code="RUNTIME-BY-HAND",
        what="The runtime was not created: this version writes the request for it and does not send it.",
        why="A runtime is no resource of the deployment yet, so neither plan, verify nor cleanup would know it.",
        do=(
            f"aws bedrock-agentcore-control create-agent-runtime --region {region} --cli-input-json file://deployment/agent_runtime.json",
            "Save its ARN: echo ARN > deployment/.agent_arn; then ask it: deployment/invoke_agent_runtime.py --prompt TEXT",
            f"Its role needs secretsmanager:GetSecretValue on {secret_arn}, and what docs/how-to/agentcore-runtime.md lists.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-permissions.html",
    )


def _no_answer(url: str, answer: Answer) -> Problem:
    return Problem(
        code="RUNTIME-NO-ANSWER",
        what=f"The assistant answered {answer.status} without an answer to the question.",
        why=answer.body[:300].decode(errors="replace") or "The body was empty.",
        do=("See if the deployment works: `sre-agent-deploy verify`.", f"The request was POST {url}"),
    )
