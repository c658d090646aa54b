"""What follows a creation: configure the resource, wait until it is ready, and read it back."""

from __future__ import annotations

from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.config import duration
from sre_agent_deploy.resource import Found, Mark, Ready, Resource, compare_tags
from sre_core import clock
from sre_core.problem import Problem


def configure_resource(aws: Aws, wanted: Resource, id: str) -> Problem | None:
    """Make the calls of a resource's `configure`, all of which can be repeated."""
    answer = attempt(
        lambda: wanted.configure(aws, id), progress=aws.progress, subject=wanted, failures=wanted.FAILURES, propagates=wanted.PROPAGATES
    )
    return answer.problem if isinstance(answer, Lost) else answer


def restore_tags(aws: Aws, wanted: Resource, id: str, mark: Mark) -> Problem | None:
    """Give a resource that exists the tags that a new one would be created with."""
    if not wanted.MOST_TAGS:
        return None
    answer = attempt(
        lambda: _restore_tags(aws, wanted, id, mark),
        progress=aws.progress,
        subject=wanted,
        failures=wanted.FAILURES,
        propagates=wanted.PROPAGATES,
    )
    return answer.problem if isinstance(answer, Lost) else answer


def _restore_tags(aws: Aws, wanted: Resource, id: str, mark: Mark) -> None:
    found = type(wanted).read(aws, id, wanted.name)
    changes = compare_tags(mark.tags(wanted.MOST_TAGS), found.tags or {}) if found else None
    if changes:
        wanted.set_tags(aws, id, changes)


def wait_until_ready(aws: Aws, wanted: Resource, id: str) -> Problem | None:
    """Poll until a resource is ready. Returns a Problem when it failed or its time is up."""
    status = "its status was not read"
    for poll in aws.progress.poll("ready", status, aws.progress.limits.ready):
        state = attempt(lambda: wanted.ready(aws, id), progress=aws.progress, subject=wanted, failures=wanted.FAILURES)
        if isinstance(state, Ready):
            return None
        if isinstance(state, Problem | Lost):
            return state.problem if isinstance(state, Lost) else state
        poll.status = status = state.for_
    return aws.progress.interrupted_or(_not_ready(aws, wanted, id, status))


def read_back(aws: Aws, wanted: Resource, id: str) -> Found[Any] | Problem:
    """Read a resource that was just created. Reads may lag, so this polls for as long as AWS may hide it (`SETTLES`)."""
    for _ in aws.progress.poll("shown", f"{id} to be shown by AWS", aws.progress.time_hidden(wanted.SETTLES, clock.now())):
        found = attempt(lambda: type(wanted).read(aws, id, wanted.name), progress=aws.progress, subject=wanted, failures=wanted.FAILURES)
        if isinstance(found, Lost):
            return found.problem
        if found is not None:
            return found
    return aws.progress.interrupted_or(_vanished(wanted, id))


def _not_ready(aws: Aws, wanted: Resource, id: str, status: str) -> Problem:
    return Problem(
        code="WAIT-TOO-LONG",
        what=f"{wanted.name} ({wanted.KIND}, {id}) was not ready after {duration.format_exactly(aws.progress.limits.ready)}.",
        why=f"Its last status: {status}{_read_witness(aws, wanted, id)}",
        do=(
            f"See the resource's own reason in the Console ({id}).",
            "Run `sre-agent-deploy resume`: it waits again, for as long as `retries.ready` in the configuration says.",
        ),
    )


def _read_witness(aws: Aws, wanted: Resource, id: str) -> str:
    text = attempt(lambda: type(wanted).witness(aws, id), progress=aws.progress)
    return f"\nThe end of what it printed:\n{text}" if text and isinstance(text, str) else ""


def _vanished(wanted: Resource, id: str) -> Problem:
    return Problem(
        code="AWS-VANISHED",
        what=f"{wanted.name} ({wanted.KIND}, {id}) was created, and now AWS does not show it.",
        why="Another user or tool deleted it, or AWS's reads lag behind for longer than usual.",
        do=(
            f"See whether it was deleted: CloudTrail > Event history, filter by {id}.",
            "Run `sre-agent-deploy resume`: it looks the resource up again, and creates it if it is gone.",
        ),
    )
