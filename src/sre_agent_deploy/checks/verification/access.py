"""Check access: Cognito issues the right tokens, and requests without one are refused, with one check for each way in.

Tokens are got as clients do (OAuth 2.0 client credentials, RFC 6749 §4.4).
"""

from __future__ import annotations

import base64
import json
import secrets
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from sre_agent_deploy.checks import Verdict
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Client, Endpoints
from sre_core import clock, release
from sre_core.problem import Problem
from sre_core.secret import Secret

_NO_WAY = ("ENDPOINT-NAME-UNKNOWN", "ENDPOINT-UNREACHABLE")


def discover(world: Endpoints) -> dict[str, str] | Problem:
    """Read the user pool's OpenID configuration, which stays as it is."""
    return world.ask_once(world.discovery_url, lambda: _read_configuration(world), repeat=True)


def _read_configuration(world: Endpoints) -> dict[str, str] | Problem:
    answer = world.http("GET", world.discovery_url)
    if isinstance(answer, Problem):
        return answer
    document = answer.json()
    if answer.status != 200 or not isinstance(document, dict) or "token_endpoint" not in document:
        return _no_token(f"{world.discovery_url} answered {answer.status} without a token_endpoint.")
    return {key: str(value) for key, value in document.items()}


def request_token(world: Endpoints, client: Client) -> Secret | Problem:
    """Request a fresh access token for a client."""
    found = discover(world)
    if isinstance(found, Problem):
        return found
    basic = base64.b64encode(f"{client.id}:{client.secret.reveal()}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": client.scope}).encode()
    answer = world.http("POST", found["token_endpoint"], headers=headers, body=form)
    if isinstance(answer, Problem) and answer.code in _NO_WAY and world.prefix_token_endpoint:
        # As the assistant and its users do: the DNS record of the custom domain may be missing still.
        answer = world.http("POST", world.prefix_token_endpoint, headers=headers, body=form)
    return answer if isinstance(answer, Problem) else _token(answer)


def _token(answer: Answer) -> Secret | Problem:
    document = answer.json()
    if answer.status == 200 and isinstance(document, dict) and isinstance(document.get("access_token"), str):
        token = Secret(document["access_token"])
        return token if _is_jwt(token) else _no_token("What the token endpoint issued is no JWT.")
    reason = document.get("error", "") if isinstance(document, dict) else ""
    return _no_token(f"The token endpoint answered {answer.status} {reason}".strip() + ".")


def read_claims(token: Secret) -> dict[str, object]:
    """Read a token's claims without verifying them; never trust them."""
    _, body, _ = token.reveal().split(".")
    document: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return document


def _is_jwt(token: Secret) -> bool:
    try:
        return isinstance(read_claims(token), dict)
    except ValueError:
        return False


def extend_token(token: Secret, by: timedelta) -> Secret:
    """Edit a later expiry into a token; its signature no longer fits."""
    head, _, signature = token.reveal().split(".")
    claims = read_claims(token)
    edited = {**claims, "exp": read_expiry(claims) + int(by.total_seconds())}
    body = base64.urlsafe_b64encode(json.dumps(edited).encode()).rstrip(b"=").decode()
    return Secret(f"{head}.{body}.{signature}")


def read_expiry(claims: Mapping[str, object]) -> int:
    """Read the time from which a token is expired; 0 where it names none."""
    expires = claims.get("exp")
    return int(expires) if isinstance(expires, int | float) else 0


def _no_token(why: str) -> Problem:
    return Problem(
        code="AUTH-NO-TOKEN",
        what="Cognito issued no token.",
        why=why,
        do=(
            "Check in the Cognito Console that the app client allows client credentials and the scope, and that the pool has a domain.",
            "Run `sre-agent-deploy deploy` again: it repairs what differs from the configuration.",
        ),
        aws_docs="https://docs.aws.amazon.com/cognito/latest/developerguide/token-endpoint.html",
    )


@dataclass(frozen=True)
class TokenFacts:
    """The claims of a token, and what they must be."""

    claims: dict[str, Any]
    issuer: str
    client_id: str
    scope: str


@dataclass(frozen=True)
class TokenIssued:
    """One app client gets a token with the pool's issuer, its own client id and its scope."""

    whose: str

    requirements: ClassVar[tuple[str, ...]] = ("2.2", "4.4")
    required: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return f"token.{self.whose}"

    @property
    def proves(self) -> str:
        return f"Cognito issues tokens to the {self.whose.replace('_', ' ')}"

    def probe(self, world: Endpoints) -> TokenFacts | Problem:
        client = getattr(world, self.whose)
        token, found = request_token(world, client), discover(world)
        if isinstance(token, Problem):
            return token
        return found if isinstance(found, Problem) else TokenFacts(read_claims(token), found["issuer"], client.id, client.scope)

    def judge(self, facts: TokenFacts) -> Verdict:
        wrong = [
            f"{claim} is {facts.claims.get(claim)!r}, not {wanted!r}"
            for claim, wanted in (("iss", facts.issuer), ("client_id", facts.client_id), ("scope", facts.scope), ("token_use", "access"))
            if facts.claims.get(claim) != wanted
        ]
        if not wrong:
            return Verdict(True, self.proves)
        return Verdict(False, "; ".join(wrong), _wrong_claims("; ".join(wrong)))


def _wrong_claims(why: str) -> Problem:
    return Problem(
        code="AUTH-TOKEN-CLAIMS",
        what="Cognito issued a token that the gateway or the assistant will not accept.",
        why=why,
        do=(
            "Compare the app client's settings in the Cognito Console with `sre-agent-deploy guide`.",
            "Run `sre-agent-deploy deploy` again.",
        ),
    )


REFUSED = frozenset({401, 403})

_DOWN = ("Repair the service that does not run first: the other findings name it.", "Run `sre-agent-deploy verify` again.")
_BY_HAND = (
    "Nothing needs to be done for this deployment: an edited token, and a token of another client, were tried.",
    "To try it by hand: ask the token endpoint for a token, call the gateway with it after it has expired, and expect 401.",
)

type Ask = Callable[[Endpoints, Secret | None], Answer | Problem]
type Attempt = Callable[[Endpoints], Answer | Problem]


@dataclass(frozen=True)
class Refusal:
    """One unauthorized request, which must be answered by one of `statuses` and nothing else."""

    id: str
    proves: str
    attempt: Attempt
    requirements: tuple[str, ...] = ("2.2", "2.3", "2.5", "4.4")
    statuses: frozenset[int] = REFUSED

    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> Answer | Problem:
        answer = self.attempt(world)
        return answer if isinstance(answer, Problem) or answer.status < 500 else self._unseen(answer)

    def judge(self, facts: Answer) -> Verdict:
        if facts.status in self.statuses:
            return Verdict(True, f"{self.proves} ({facts.status})")
        return Verdict(False, f"it was answered {facts.status}", self._open(facts))

    def _unseen(self, answer: Answer) -> Problem:
        """Report an error of the front door while its service does not run: that says nothing about access."""
        return Problem(
            code="ACCESS-NOT-SEEN",
            what=f"It could not be seen that {self.proves}: the answer was {answer.status}.",
            why=answer.body[:300].decode(errors="replace") or "The answer was empty.",
            do=_DOWN,
        )

    def _open(self, facts: Answer) -> Problem:
        return Problem(
            code="ACCESS-NOT-REFUSED",
            what=f"Access that must be refused was answered {facts.status}: {self.proves}.",
            why="The gateway's authorizer, the front door or a service accepts what it must refuse.",
            do=(
                "On AWS, take the deployment off the network: remove the rule for port 443 from its security group.",
                "Run `sre-agent-deploy deploy`, which repairs what differs from the configuration; then `verify`.",
            ),
        )


@dataclass(frozen=True)
class ExpiryFacts:
    """The answers to expired tokens, by what was called; `longest` is set where a token lived too long to wait for."""

    answers: Mapping[str, int]
    longest: timedelta | None = None


@dataclass(frozen=True)
class ExpiredTokenRefused:
    """The gateway and the assistant refuse a token that was valid until it expired.

    No issuer gives out expired tokens, so this waits until one expires, at most as long as for an answer. Cognito's tokens live
    longer: the result is then unknown, and the deployment can be complete. An expired token that is accepted makes it incomplete.
    """

    id: ClassVar[str] = "access.expired_token"
    proves: ClassVar[str] = "gateway and assistant refuse an expired token"
    requirements: ClassVar[tuple[str, ...]] = ("2.2", "2.3", "2.5", "4.4")
    required: ClassVar[bool] = True

    def probe(self, world: Endpoints) -> ExpiryFacts | Problem:
        answers: dict[str, int] = {}
        for name, ask, client in (("gateway", call_gateway, world.gateway_client), ("assistant", call_assistant, world.caller_client)):
            token = request_token(world, client)
            if isinstance(token, Problem):
                return token
            left = read_expiry(read_claims(token)) - clock.now().timestamp()
            if left > world.timeout:
                return ExpiryFacts(answers, timedelta(seconds=round(left)))
            time.sleep(max(0.0, left) + 1)
            answer = ask(world, token)
            if isinstance(answer, Problem):
                return answer
            answers[name] = answer.status
        return ExpiryFacts(answers)

    def judge(self, facts: ExpiryFacts) -> Verdict:
        accepted = {name: status for name, status in facts.answers.items() if status not in REFUSED}
        if any(status < 500 for status in accepted.values()):
            return Verdict(False, f"an expired token was answered {accepted}", _expired_accepted(accepted))
        if accepted:
            return Verdict(None, f"an expired token was answered {accepted}", _expiry_not_seen(f"It was answered {accepted}.", _DOWN))
        if facts.longest:
            lives = f"tokens live {facts.longest.total_seconds() / 60:.0f} minutes"
            return Verdict(None, f"not tried: {lives}", _expiry_not_seen(f"No token expired in time: {lives}.", _BY_HAND), optional=True)
        return Verdict(True, self.proves)


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
    return world.http("POST", world.invocations_url, headers=headers, body=b'{"input":{"prompt":"verify"}}')


def with_token(ask: Ask, whose: str, *, extended: bool = False) -> Attempt:
    """Send a token of a client (`gateway_client` or `caller_client`) as issued, or with a later expiry edited in."""

    def attempt(world: Endpoints) -> Answer | Problem:
        token = request_token(world, getattr(world, whose))
        if isinstance(token, Problem):
            return token
        return ask(world, extend_token(token, timedelta(hours=1)) if extended else token)

    return attempt


def with_bad_key(service: release.Service) -> Attempt:
    """Call a backend directly with a wrong API key."""
    return lambda world: world.http("GET", f"{world.base_url}{service.route}", headers={"X-API-Key": secrets.token_urlsafe(24)})


def without_key(service: release.Service) -> Attempt:
    """Call a backend directly without an API key."""
    return lambda world: world.http("GET", f"{world.base_url}{service.route}")


def refusal_checks() -> tuple[Refusal, ...]:
    """List a check for each way in that must be closed, except for expired tokens."""
    return (
        Refusal("gateway.no_token", "the gateway refuses a request without a token", lambda world: call_gateway(world, None)),
        Refusal(
            "gateway.edited_token",
            "the gateway refuses a token whose expiry was edited",
            with_token(call_gateway, "gateway_client", extended=True),
        ),
        Refusal("gateway.wrong_client", "the gateway refuses another client's token", with_token(call_gateway, "caller_client")),
        Refusal("assistant.no_token", "the assistant refuses a request without a token", lambda world: call_assistant(world, None)),
        Refusal(
            "assistant.edited_token",
            "the assistant refuses a token whose expiry was edited",
            with_token(call_assistant, "caller_client", extended=True),
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


def _expired_accepted(accepted: Mapping[str, int]) -> Problem:
    return Problem(
        code="ACCESS-NOT-REFUSED",
        what=f"An expired token was accepted by: {', '.join(accepted)}.",
        why=f"The answers were: {', '.join(f'{name} {status}' for name, status in accepted.items())}.",
        do=(
            "On AWS, take the deployment off the network: remove the rule for port 443 from its security group.",
            "Run `sre-agent-deploy deploy`, which repairs what differs from the configuration; then `sre-agent-deploy verify`.",
        ),
    )


def _expiry_not_seen(why: str, do: tuple[str, ...]) -> Problem:
    return Problem(
        code="ACCESS-EXPIRY-NOT-SEEN",
        what="It could not be seen that an expired token is refused.",
        why=why,
        do=do,
    )
