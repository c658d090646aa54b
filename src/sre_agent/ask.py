"""Ask a deployed assistant: a caller's token, one POST over verified TLS, and its answer or the Problem."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from sre_agent import aws, transport
from sre_agent.connection import Connection
from sre_agent.oidc import Discovery
from sre_agent.tokens import BearerAuth, Client, TokenSource
from sre_agent.watching import Watch
from sre_core.problem import Problem, Refused

ANSWER_SECONDS = 180.0
EVENTS = "text/event-stream"
USER = "cli"
SHORTEST_SESSION = 33
"""Characters: https://docs.aws.amazon.com/bedrock-agentcore/latest/APIReference/API_InvokeAgentRuntime.html"""
SESSION_HEADER = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"


@dataclass(frozen=True)
class Reply:
    """The answer of the assistant: short, as a whole report, and for programs."""

    message: str
    markdown: str
    report: Mapping[str, object]

    @property
    def investigation_id(self) -> str:
        return str(self.report["investigation_id"])

    @property
    def citations(self) -> tuple[str, ...]:
        """The evidence ids of the root cause, else of the whole report."""
        cause, records = self.report.get("root_cause"), self.report.get("evidence")
        cited = [str(cited) for cited in cause["evidence"]] if isinstance(cause, dict) else []
        return tuple(cited or ([str(record["id"]) for record in records] if isinstance(records, list) else []))


def ask(
    connection: Connection, prompt: str, options: Mapping[str, object] | None = None, watch: Watch | None = None, *, session: str = ""
) -> Reply:
    """Ask, with the options of `request` and the question before, and return the answer. Raises Refused with what failed at which hop.

    A `session` is kept by the deployment, too; without one this question is in none.
    """
    secret = aws.read_client_secret(connection.client_secret, connection.registry)
    question = {"prompt": prompt, **(options or {}), "session_id": session, "user_id": USER}
    return asyncio.run(_ask(connection, Client(connection.client_id, secret, connection.scope), question, watch))


async def _ask(connection: Connection, client: Client, question: Mapping[str, object], watch: Watch | None) -> Reply:
    proxies = not connection.is_local
    async with transport.create_client(ca_file=connection.ca_file, seconds=ANSWER_SECONDS, proxies=proxies) as http:
        tokens = TokenSource(http, Discovery(http, connection.oidc_discovery_url), client, connection.prefix_token_endpoint)
        # AgentCore Runtime wants a session for each request: it chooses the machine that answers.
        session = str(question["session_id"]).ljust(SHORTEST_SESSION, "-") if question["session_id"] else f"cli-{secrets.token_hex(16)}"
        body = {"input": question}
        try:
            headers = {SESSION_HEADER: session, **({"accept": EVENTS} if watch else {})}
            async with http.stream("POST", connection.invocations_url, json=body, headers=headers, auth=BearerAuth(tokens)) as response:
                if watch and EVENTS in response.headers.get("content-type", ""):
                    return _read(connection, *await _follow(response, watch))
                await response.aread()
        except httpx2.HTTPError as error:
            raise Refused(_unreachable(connection, error)) from error
    return _read(connection, response.status_code, response.text)


async def _follow(response: httpx2.Response, watch: Watch) -> tuple[int, str]:
    """Follow server-sent events: show each call, and return the status and body of the answer."""
    event = ""
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data" and event == "looking":
            watch(str(json.loads(value).get("tool", "")))
        elif name == "data":
            return (200 if event == "answer" else 502), value
    return 502, ""


def _read(connection: Connection, status: int, body: str) -> Reply:
    try:
        answer = json.loads(body)
        if status == 200:
            output = answer["output"]
            message = str(output["message"])
            return Reply(message, str(output.get("markdown", message)), dict(output["report"]))
        # AgentCore Runtime says in another form why it refuses a token.
        error = {"code": "token refused", **answer} if status in {401, 403} and "error" not in answer else answer["error"]
        raise Refused(_failed(connection, status, error))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(_not_the_assistant(connection, status)) from error


def _failed(connection: Connection, status: int, error: Mapping[str, object]) -> Problem:
    """Return the assistant's own Problem where it sent one; a refused token is a Problem of this side."""
    if status in {401, 403}:
        return Problem(
            code="ASSISTANT-REFUSED-TOKEN",
            what=f"The assistant at {connection.assistant_url} refused the token.",
            why=f"{error.get('code')}: {error.get('message')}",
            do=(
                "Deploy again, so that assistant and connection file agree: sre-agent-deploy deploy --config config.yaml",
                "Check both sides: sre-agent-deploy verify",
            ),
        )
    advice = error.get("do")
    return Problem(
        code=str(error.get("code", "ASSISTANT-FAILED")),
        what=str(error.get("what", "The assistant could not answer this question.")),
        why=str(error.get("why", error.get("message", f"It answered {status}."))),
        do=tuple(str(step) for step in advice)
        if isinstance(advice, list) and advice
        else ("Check the deployment: sre-agent-deploy verify",),
    )


def _unreachable(connection: Connection, error: httpx2.HTTPError) -> Problem:
    if transport.is_certificate_error(error):
        return Problem(
            code="ASSISTANT-TLS-NOT-VERIFIED",
            what=f"The certificate of {connection.assistant_url} is not trusted, so nothing was sent.",
            why=str(error),
            do=(
                "Deploy again, so that certificate and connection file are renewed: sre-agent-deploy deploy --config config.yaml",
                "Or set ca_file in the connection file to the authority that signed the certificate. Never turn verification off.",
            ),
        )
    if isinstance(error, httpx2.ReadTimeout):
        why = f"It did not answer within {ANSWER_SECONDS:.0f} s."
    else:
        why = f"{urlsplit(connection.assistant_url).netloc}: {error or type(error).__name__}"
    return Problem(
        code="ASSISTANT-DOWN",
        what=f"The assistant at {connection.assistant_url} does not answer.",
        why=why,
        do=(
            "See whether it runs: sre-agent-deploy status",
            "If it is gone, deploy again: sre-agent-deploy deploy --config config.yaml",
        ),
    )


def _not_the_assistant(connection: Connection, status: int) -> Problem:
    return Problem(
        code="ASSISTANT-ANSWER-UNREADABLE",
        what=f"{connection.assistant_url} answered {status}, but not with an answer of the assistant.",
        why="Another program listens there, or the front door answered because the assistant does not run.",
        do=("Check the deployment: sre-agent-deploy verify",),
    )
