"""Continue the sessions of callers: find the question before, and keep the one that was answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sre_agent import aws
from sre_agent.report import Report
from sre_agent.request import Request, parse_before
from sre_agent.sessions.dynamodb import DynamoDbSessions
from sre_agent.sessions.session import KEPT_FOR, Sessions, Turn
from sre_agent.sessions.sqlite import SqliteSessions
from sre_core import log
from sre_core.problem import Problem, Refused

STORES = ("sqlite", "dynamodb", "none")


@dataclass(frozen=True)
class Conversation:
    """The sessions of a service; without a store nothing is kept, and a question continues what it says itself."""

    store: Sessions | None = None

    async def continue_session(self, session: str, request: Request) -> tuple[Request, str]:
        """Add the question before to one that names none. Returns a note for the answer where it can't be read."""
        if not (self.store and session) or request.before:
            return request, ""
        last = await asyncio.to_thread(self.store.last, session)
        if isinstance(last, Problem):
            return request, _note(last)
        return (replace(request, before=parse_before(last.to_json())) if last else request), ""

    async def keep(self, session: str, prompt: str, report: Report) -> tuple[bool, str]:
        """Keep a question that was answered. Returns True if it is kept, and a note for the answer where that failed."""
        if not (self.store and session):
            return False, ""
        problem = await asyncio.to_thread(self.store.add, session, Turn.create(prompt, report.to_json()))
        return problem is None, _note(problem) if problem else ""


def _note(problem: Problem) -> str:
    log.get().warning("session.failed", code=problem.code, why=problem.why)
    return f"{problem.what} {problem.why}"


def open_conversation(environment: Mapping[str, str]) -> Conversation:
    """Open the store that the environment names. Raises Refused for one that can't be used."""
    store, seconds = environment.get("SRE_SESSION_STORE") or "none", environment.get("SRE_SESSION_SECONDS", "")
    kept_for = timedelta(seconds=int(seconds)) if seconds.isdecimal() else KEPT_FOR
    if store == "none":
        return Conversation()
    folder, arn = environment.get("STATE_DIRECTORY", ""), environment.get("SRE_SESSION_TABLE", "")
    if store == "sqlite" and folder:
        return Conversation(SqliteSessions(Path(folder), kept_for))
    if store == "dynamodb" and arn.count(":") == 5:
        return Conversation(DynamoDbSessions(aws.open_dynamodb(arn.split(":")[3], environment), arn.rpartition("/")[2], kept_for))
    raise Refused(_unusable(store))


def _unusable(store: str) -> Problem:
    lacking = {"sqlite": "STATE_DIRECTORY names no folder", "dynamodb": "SRE_SESSION_TABLE is not the ARN of a table"}
    return Problem(
        code="ASSISTANT-SESSION-STORE",
        what=f"The assistant can't keep sessions in {store}.",
        why=f"{lacking.get(store, f'SRE_SESSION_STORE may be {", ".join(STORES)}')}.",
        do=(
            "On a deployed machine, start the assistant by its unit: sudo systemctl restart sre-agent-assistant",
            "By hand, set the variables that docs/concepts/contracts.md describes, or SRE_SESSION_STORE=none.",
        ),
    )
