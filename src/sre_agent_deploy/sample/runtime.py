"""The sample's scripts of AgentCore Runtime: build the image, deploy the assistant on a runtime, and ask it."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.backup.conflict import Field
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Client, Endpoints
from sre_agent_deploy.commands.deployments import read_outputs
from sre_agent_deploy.commands.token import read_caller_token
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.commands.workspace import find_state, use_account
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.connection import connection_path
from sre_agent_deploy.sample import REQUEST
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
