"""Check that Cognito issues the right tokens, and get them as clients do (OAuth 2.0 client credentials, RFC 6749 §4.4)."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from sre_agent_deploy.checks.check import Verdict
from sre_agent_deploy.checks.verification.endpoint_client import Answer, Client, Endpoints
from sre_core.problem import Problem
from sre_core.secret import Secret

_NO_WAY = ("ENDPOINT-NAME-UNKNOWN", "ENDPOINT-UNREACHABLE")


def discover(world: Endpoints) -> dict[str, str] | Problem:
    """Read the user pool's OpenID configuration."""
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
