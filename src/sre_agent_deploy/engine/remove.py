"""Deletes one resource for good: checks whose it is, deletes, and waits until AWS no longer shows it."""

from __future__ import annotations

from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.config import duration
from sre_agent_deploy.engine import ownership
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Found, Resource, Waiting
from sre_agent_deploy.resources.held import told
from sre_core.problem import Problem


def remove(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Problem | None:
    """Delete a resource and wait until it is gone; what is gone already is fine. Somebody else's is left alone, with a Problem."""
    ours = _ours(aws, kind, id, name, deployment)
    if ours is None or isinstance(ours, Problem):
        return ours
    refused = _deleted(aws, kind, id, name, ours.seen)
    if refused:
        # A delete that crossed another one, or whose first answer was lost, is told that there is nothing.
        return None if _read(aws, kind, id, name) is None else refused
    return _until_gone(aws, kind, id, name)


def refusal(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Problem | None:
    """Why `remove` would leave it alone, if it would. Makes no mutating call."""
    ours = _ours(aws, kind, id, name, deployment)
    return ours if isinstance(ours, Problem) else None


def is_there(aws: Aws, kind: type[Resource], id: str, name: str) -> bool:
    """Whether AWS shows it by its id; where it can't be asked, it may be."""
    return _read(aws, kind, id, name) is not None


def _ours(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Found[Any] | Problem | None:
    found = attempt(lambda: ownership.read(aws, kind, id, name, deployment), progress=aws.progress)
    if isinstance(found, Lost):
        return found.problem
    if found is None or isinstance(found, Problem):
        return found
    return found if found.owner(deployment) == "us" else _foreign(kind, id, deployment)


def _deleted(aws: Aws, kind: type[Resource], id: str, name: str, seen: Resource) -> Problem | None:
    """Delete it, and again while it is held by something that lets go by itself, or where the call never arrived."""
    ended: Problem | None = None
    for poll in aws.progress.poll("gone", f"{id} to be let go", aws.progress.limits.ready):
        refused = attempt(lambda: kind.delete(aws, id), progress=aws.progress, subject=seen, failures=kind.FAILURES)
        if refused is None:
            return None
        if isinstance(refused, Lost):
            found = _read(aws, kind, id, name)
            if found is None or isinstance(found, Problem):
                return found
            ended = refused.problem
            continue
        held = told(aws, kind, lambda: id, refused)
        if not isinstance(held, Waiting):
            return held
        ended, poll.status = _still_held(aws, kind, id, held.for_), held.for_
    return aws.progress.interrupted_or(ended) if ended else None


def _read(aws: Aws, kind: type[Resource], id: str, name: str) -> Found[Any] | Problem | None:
    found = attempt(lambda: kind.read(aws, id, name), progress=aws.progress)
    return found.problem if isinstance(found, Lost) else found


def _until_gone(aws: Aws, kind: type[Resource], id: str, name: str) -> Problem | None:
    for _ in aws.progress.poll("gone", f"{id} is going", aws.progress.limits.ready):
        found = _read(aws, kind, id, name)
        if found is None or isinstance(found, Problem):
            return found
    return aws.progress.interrupted_or(_lingers(aws, kind, id))


def _foreign(kind: type[Resource], id: str, deployment: str) -> Problem:
    return Problem(
        code="CLEANUP-NOT-OURS",
        what=f"{id} ({kind.KIND}) was not deleted.",
        why=f"It does not carry the tag of deployment {deployment}: somebody else's, or the tag was taken off, or the state file edited.",
        do=(
            f"If it is yours, delete it by hand, or give it back its tag {DEPLOYMENT_TAG} = {deployment} and run the same command again.",
            "If it is somebody else's, leave it: once nothing else is told here, delete the state file, which alone still points at it.",
        ),
    )


def _still_held(aws: Aws, kind: type[Resource], id: str, reason: str) -> Problem:
    return Problem(
        code="CLEANUP-LINGERS",
        what=f"{id} ({kind.KIND}) was not deleted: AWS went on refusing it for {duration.spelled(aws.progress.limits.ready)}.",
        why=f"It was still waiting: {reason}",
        do=("Run the same cleanup again in a few minutes; it continues.", "If it stays so, look in the Console at what is named above."),
    )


def _lingers(aws: Aws, kind: type[Resource], id: str) -> Problem:
    return Problem(
        code="CLEANUP-LINGERS",
        what=f"{id} ({kind.KIND}) is still there {duration.spelled(aws.progress.limits.ready)} after it was deleted.",
        why="AWS is still working on it, or something uses it.",
        do=("Run the same cleanup again in a few minutes; it continues.",),
    )
