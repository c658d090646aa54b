"""From born to ready: configure, wait with a deadline, read back."""

from __future__ import annotations

from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.config import duration
from sre_agent_deploy.resource import Found, Ready, Resource
from sre_core.problem import Problem


def configure_resource(aws: Aws, wanted: Resource, id: str) -> Problem | None:
    """Say everything that can be said twice."""
    answer = attempt(
        lambda: wanted.configure(aws, id), progress=aws.progress, subject=wanted, failures=wanted.FAILURES, propagates=wanted.PROPAGATES
    )
    return answer.problem if isinstance(answer, Lost) else answer


def wait_until_ready(aws: Aws, wanted: Resource, id: str) -> Problem | None:
    """Wait until it does its work. A Problem when it fails or its time is up."""
    seen = "it was not looked at"
    for poll in aws.progress.poll("ready", seen, aws.progress.limits.ready):
        state = attempt(lambda: wanted.ready(aws, id), progress=aws.progress, subject=wanted, failures=wanted.FAILURES)
        if isinstance(state, Ready):
            return None
        if isinstance(state, Problem | Lost):
            return state.problem if isinstance(state, Lost) else state
        poll.status = seen = state.for_
    return aws.progress.interrupted_or(_too_long(aws, wanted, id, seen))


def read_back(aws: Aws, wanted: Resource, id: str) -> Found[Any] | Problem:
    """What AWS shows of something just made; reads may lag, so this looks for as long as AWS may hide it."""
    for _ in aws.progress.poll("shown", f"{id} to be shown by AWS", wanted.SETTLES):
        found = attempt(lambda: type(wanted).read(aws, id, wanted.name), progress=aws.progress, subject=wanted, failures=wanted.FAILURES)
        if isinstance(found, Lost):
            return found.problem
        if found is not None:
            return found
    return aws.progress.interrupted_or(_vanished(wanted, id))


def _too_long(aws: Aws, wanted: Resource, id: str, reason: str) -> Problem:
    return Problem(
        code="WAIT-TOO-LONG",
        what=f"{wanted.name} ({wanted.KIND}, {id}) was not ready after {duration.spelled(aws.progress.limits.ready)}.",
        why=f"It was still waiting: {reason}",
        do=(
            "Run the same command again; it goes on waiting, for as long as `retries.ready` says.",
            "If it stays so, look at the resource in the Console for its own reason.",
        ),
    )


def _vanished(wanted: Resource, id: str) -> Problem:
    return Problem(
        code="AWS-VANISHED",
        what=f"{wanted.name} ({wanted.KIND}, {id}) was made, and now AWS does not show it.",
        why="Somebody deleted it meanwhile, or AWS's reads lag behind for longer than usual.",
        do=("Run the same command again; it looks again and goes on.",),
    )
