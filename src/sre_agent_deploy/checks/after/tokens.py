"""Tokens as clients get them: OAuth 2.0 client credentials (RFC 6749 §4.4) at the endpoint that discovery names."""

from __future__ import annotations

import base64
import json
import urllib.parse
from datetime import datetime

from sre_agent_deploy.checks.after.deployed import Answer, Client, Deployed
from sre_core.problem import Problem
from sre_core.secret import Secret


def discovered(world: Deployed) -> dict[str, str] | Problem:
    """The user pool's OpenID configuration."""
    answer = world.http("GET", world.discovery_url)
    if isinstance(answer, Problem):
        return answer
    document = answer.json()
    if answer.status != 200 or not isinstance(document, dict) or "token_endpoint" not in document:
        return _no_token(f"{world.discovery_url} answered {answer.status} without a token_endpoint.")
    return {key: str(value) for key, value in document.items()}


def issued(world: Deployed, client: Client) -> Secret | Problem:
    """A fresh access token of a client."""
    found = discovered(world)
    if isinstance(found, Problem):
        return found
    basic = base64.b64encode(f"{client.id}:{client.secret.reveal()}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": client.scope}).encode()
    answer = world.http("POST", found["token_endpoint"], headers=headers, body=form)
    return answer if isinstance(answer, Problem) else _token(answer)


def _token(answer: Answer) -> Secret | Problem:
    document = answer.json()
    if answer.status == 200 and isinstance(document, dict) and isinstance(document.get("access_token"), str):
        token = Secret(document["access_token"])
        return token if _is_jwt(token) else _no_token("What the token endpoint issued is no JWT.")
    reason = document.get("error", "") if isinstance(document, dict) else ""
    return _no_token(f"The token endpoint answered {answer.status} {reason}".strip() + ".")


def claims(token: Secret) -> dict[str, object]:
    """What a token says, unverified: for looking at, never for trusting."""
    _, body, _ = token.reveal().split(".")
    document: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return document


def _is_jwt(token: Secret) -> bool:
    try:
        return isinstance(claims(token), dict)
    except ValueError:
        return False


def redated(token: Secret, expires: datetime) -> Secret:
    """The same token with another expiry: what somebody holds who kept an old one and edited it."""
    head, _, signature = token.reveal().split(".")
    body = base64.urlsafe_b64encode(json.dumps({**claims(token), "exp": int(expires.timestamp())}).encode()).rstrip(b"=").decode()
    return Secret(f"{head}.{body}.{signature}")


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
