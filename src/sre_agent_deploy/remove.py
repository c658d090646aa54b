"""Deletes one resource for good: checks whose it is, deletes, and waits until AWS no longer shows it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from sre_agent_deploy import ownership
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.aws.patience import pauses
from sre_agent_deploy.resource import Found, Resource
from sre_core.problem import Problem

DEADLINE = timedelta(minutes=15)


def remove(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Problem | None:
    """Delete a resource and wait until it is gone; what is gone already is fine. Somebody else's is left alone, with a Problem."""
    ours = _ours(aws, kind, id, name, deployment)
    if ours is None or isinstance(ours, Problem):
        return ours
    deleted = attempt(lambda: kind.delete(aws, id), subject=ours.seen, failures=kind.FAILURES)
    if isinstance(deleted, Problem):
        # A delete that crossed another one, or whose first answer was lost, is told that there is nothing.
        return None if _read(aws, kind, id, name) is None else deleted
    return _until_gone(aws, kind, id, name)


def _ours(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Found[Any] | Problem | None:
    found = attempt(lambda: ownership.read(aws, kind, id, name, deployment), failures={})
    if isinstance(found, Lost):
        return found.problem
    if found is None or isinstance(found, Problem):
        return found
    return found if found.owner(deployment) == "us" else _foreign(kind, id, deployment)


def _read(aws: Aws, kind: type[Resource], id: str, name: str) -> Found[Any] | Problem | None:
    found = attempt(lambda: kind.read(aws, id, name), failures={})
    return found.problem if isinstance(found, Lost) else found


def _until_gone(aws: Aws, kind: type[Resource], id: str, name: str) -> Problem | None:
    deadline = time.monotonic() + DEADLINE.total_seconds()
    for pause in pauses():
        found = _read(aws, kind, id, name)
        if found is None or isinstance(found, Problem):
            return found
        if time.monotonic() > deadline:
            return _lingers(kind, id)
        time.sleep(pause)
    raise AssertionError("pauses() never ends")


def _foreign(kind: type[Resource], id: str, deployment: str) -> Problem:
    return Problem(
        code="CLEANUP-NOT-OURS",
        what=f"{id} ({kind.KIND}) was not deleted.",
        why=f"It does not carry the tag of deployment {deployment}: it is somebody else's, or the state file was edited.",
        do=("Look at it in the Console; if it is really yours, delete it there.",),
    )


def _lingers(kind: type[Resource], id: str) -> Problem:
    return Problem(
        code="CLEANUP-LINGERS",
        what=f"{id} ({kind.KIND}) is still there {DEADLINE.seconds // 60} minutes after it was deleted.",
        why="AWS is still working on it, or something uses it.",
        do=("Run the same cleanup again in a few minutes; it continues.",),
    )
