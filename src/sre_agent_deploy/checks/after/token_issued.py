"""Cognito issues tokens that say what they must."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sre_agent_deploy.checks.after import tokens
from sre_agent_deploy.checks.after.deployed import Deployed
from sre_agent_deploy.checks.check import Verdict
from sre_core.problem import Problem


@dataclass(frozen=True)
class Seen:
    """A token's claims beside what they must be."""

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

    def probe(self, world: Deployed) -> Seen | Problem:
        client = getattr(world, self.whose)
        token, found = tokens.issued(world, client), tokens.discovered(world)
        if isinstance(token, Problem):
            return token
        return found if isinstance(found, Problem) else Seen(tokens.claims(token), found["issuer"], client.id, client.scope)

    def judge(self, facts: Seen) -> Verdict:
        wrong = [
            f"{claim} is {facts.claims.get(claim)!r}, not {wanted!r}"
            for claim, wanted in (("iss", facts.issuer), ("client_id", facts.client_id), ("scope", facts.scope), ("token_use", "access"))
            if facts.claims.get(claim) != wanted
        ]
        if not wrong:
            return Verdict(True, self.proves)
        return Verdict(False, "; ".join(wrong), _odd("; ".join(wrong)))


def _odd(why: str) -> Problem:
    return Problem(
        code="AUTH-TOKEN-CLAIMS",
        what="Cognito issued a token that the gateway or the assistant will not accept.",
        why=why,
        do=(
            "Compare the app client's settings in the Cognito Console with `sre-agent-deploy guide`.",
            "Run `sre-agent-deploy deploy` again.",
        ),
    )
