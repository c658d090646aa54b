"""What must be refused is refused: one check per way in."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.verification import tokens
from sre_agent_deploy.checks.verification.endpoints import Answer, Endpoints
from sre_core import clock, release
from sre_core.problem import Problem
from sre_core.secret import Secret

type Attempt = Callable[[Endpoints], Answer | Problem]


@dataclass(frozen=True)
class Refusal:
    """One attempt without the right, which must be answered by one of `statuses` and nothing else."""

    id: str
    proves: str
    attempt: Attempt
    requirements: tuple[str, ...] = ("2.2", "2.3", "2.5", "4.4")
    statuses: frozenset[int] = frozenset({401, 403})

    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> Answer | Problem:
        answer = self.attempt(world)
        return answer if isinstance(answer, Problem) or answer.status < 500 else self._unseen(answer)

    def judge(self, facts: Answer) -> Verdict:
        if facts.status in self.statuses:
            return Verdict(True, f"{self.proves} ({facts.status})")
        return Verdict(False, f"it was answered {facts.status}", self._open(facts))

    def _unseen(self, answer: Answer) -> Problem:
        """An answer from before the lock: the door's own, while what is behind it does not run, says nothing about who gets in."""
        return Problem(
            code="ACCESS-NOT-SEEN",
            what=f"It could not be seen whether {self.proves}: it was answered {answer.status}.",
            why=answer.body[:300].decode(errors="replace") or "The answer was empty.",
            do=(
                "Bring back what does not run first: the other findings name it.",
                "Run `sre-agent-deploy verify` again.",
            ),
        )

    def _open(self, facts: Answer) -> Problem:
        return Problem(
            code="ACCESS-NOT-REFUSED",
            what=f"Access that must be refused was answered {facts.status}: {self.proves}.",
            why="The authorizer, the front door or a service lets through what it must not.",
            do=(
                "Take the deployment off the network: remove the rule for port 443 from its security group.",
                "Run `sre-agent-deploy deploy`, which repairs what differs from the configuration; then `verify`.",
            ),
        )


def call_gateway(world: Endpoints, token: Secret | None) -> Answer | Problem:
    """Ask the gateway for its tools, with this token or none."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if token:
        headers["Authorization"] = f"Bearer {token.reveal()}"
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    return world.http("POST", world.gateway_url, headers=headers, body=json.dumps(call).encode())


def call_assistant(world: Endpoints, token: Secret | None) -> Answer | Problem:
    """Ask the assistant, with this token or none."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token.reveal()}"} if token else {})
    return world.http("POST", f"{world.base_url}/invocations", headers=headers, body=b'{"input":{"prompt":"verify"}}')


def with_token(ask: Callable[[Endpoints, Secret], Answer | Problem], whose: str, *, expired: bool = False) -> Attempt:
    """An attempt with a real token of a client (`gateway_client` or `caller_client`), or with one that has expired."""

    def attempt(world: Endpoints) -> Answer | Problem:
        token = tokens.request_token(world, getattr(world, whose))
        if isinstance(token, Problem):
            return token
        return ask(world, tokens.redated(token, clock.now() - timedelta(hours=1)) if expired else token)

    return attempt


def with_bad_key(service: release.Service) -> Attempt:
    """Call a backend past the gateway with an API key that is not its own."""
    return lambda world: world.http("GET", f"{world.base_url}{service.route}", headers={"X-API-Key": secrets.token_urlsafe(24)})


def without_key(service: release.Service) -> Attempt:
    return lambda world: world.http("GET", f"{world.base_url}{service.route}")


def refusal_checks() -> tuple[Refusal, ...]:
    """Every way in that must be closed.

    The outdated tokens are real ones with an edited expiry, so their signature is broken too: Cognito's shortest lifetime
    is five minutes, which nobody waits for.
    """
    return (
        Refusal("gateway.no_token", "the gateway refuses a request without a token", lambda world: call_gateway(world, None)),
        Refusal(
            "gateway.expired_token",
            "the gateway refuses a token redated into the past",
            with_token(call_gateway, "gateway_client", expired=True),
        ),
        Refusal("gateway.wrong_client", "the gateway refuses another client's token", with_token(call_gateway, "caller_client")),
        Refusal("assistant.no_token", "the assistant refuses a request without a token", lambda world: call_assistant(world, None)),
        Refusal(
            "assistant.expired_token",
            "the assistant refuses a token redated into the past",
            with_token(call_assistant, "caller_client", expired=True),
        ),
        Refusal("assistant.wrong_client", "the assistant refuses another client's token", with_token(call_assistant, "gateway_client")),
        *(
            Refusal(f"{service.name}.no_key", f"{service.name} refuses a request without a key", without_key(service))
            for service in release.backends()
        ),
        *(
            Refusal(f"{service.name}.bad_key", f"{service.name} refuses a bad API key", with_bad_key(service))
            for service in release.backends()
        ),
    )
