"""From born to ready: configure, wait with a deadline, read back."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.aws.patience import pauses
from sre_agent_deploy.interrupt import NEVER, Stop, interrupted
from sre_agent_deploy.resource import Found, Ready, Resource
from sre_core.problem import Problem

DEADLINE = timedelta(minutes=15)


def configured(aws: Aws, wanted: Resource, id: str) -> Problem | None:
    """Say everything that can be said twice."""
    answer = attempt(lambda: wanted.configure(aws, id), subject=wanted, failures=wanted.FAILURES, propagates=wanted.PROPAGATES)
    return answer.problem if isinstance(answer, Lost) else answer


def made_ready(aws: Aws, wanted: Resource, id: str, waiting: Callable[[str], None], stop: Stop = NEVER) -> Problem | None:
    """Wait until it does its work; `waiting` hears each new reason once. A Problem when it fails or the deadline passes."""
    deadline, heard = time.monotonic() + DEADLINE.total_seconds(), ""
    for pause in pauses():
        state = attempt(lambda: wanted.ready(aws, id), subject=wanted, failures=wanted.FAILURES)
        if isinstance(state, Ready):
            return None
        if isinstance(state, Problem):
            return state
        if isinstance(state, Lost):
            return state.problem
        if state.for_ != heard:
            heard = state.for_
            waiting(heard)
        if time.monotonic() > deadline:
            return _too_long(wanted, id, heard)
        if stop.pause(pause):
            return interrupted()
    raise AssertionError("pauses() never ends")


def read_back(aws: Aws, wanted: Resource, id: str) -> Found[Any] | Problem:
    """What AWS shows of something just made; reads may lag, so this looks for as long as AWS may hide it."""
    deadline = time.monotonic() + wanted.SETTLES.total_seconds()
    for pause in pauses():
        found = attempt(lambda: type(wanted).read(aws, id, wanted.name), subject=wanted, failures=wanted.FAILURES)
        if isinstance(found, Lost):
            return found.problem
        if found is not None:
            return found
        if time.monotonic() > deadline:
            return _vanished(wanted, id)
        time.sleep(pause)
    raise AssertionError("pauses() never ends")


def _too_long(wanted: Resource, id: str, reason: str) -> Problem:
    return Problem(
        code="WAIT-TOO-LONG",
        what=f"{wanted.name} ({wanted.KIND}, {id}) was not ready after {DEADLINE.seconds // 60} minutes.",
        why=f"It was still waiting: {reason}",
        do=("Run the same command again; it goes on waiting.", "If it stays so, look at the resource in the Console for its own reason."),
    )


def _vanished(wanted: Resource, id: str) -> Problem:
    return Problem(
        code="AWS-VANISHED",
        what=f"{wanted.name} ({wanted.KIND}, {id}) was made, and now AWS does not show it.",
        why="Somebody deleted it meanwhile, or AWS's reads lag behind for longer than usual.",
        do=("Run the same command again; it looks again and goes on.",),
    )
