"""The one call that is not idempotent: never made twice, never forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.engine import ownership
from sre_agent_deploy.engine.delete import explain_refusal
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.state import Record
from sre_agent_deploy.progress.interrupt import run_interrupted
from sre_agent_deploy.progress.progress import time_until
from sre_agent_deploy.resource import Mark, Resource, Waiting
from sre_core import clock
from sre_core.problem import Problem

TRIES = 4


def create_resource(aws: Aws, wanted: Resource, journal: Journal, mark: Mark) -> Record | Problem:
    """Create a resource exactly once, or adopt the one that an interrupted attempt made. `mark` gets its token here.

    The intent is saved each time before it is sent. An attempt whose answer never came is looked up until AWS can no longer
    be hiding it (`SETTLES`), and only then made again.
    """
    for left in reversed(range(TRIES)):
        begun = _intended(journal, mark)
        if begun:
            # With a client token, or a name that only one can have, sending it again is itself the question.
            earlier = _shown(aws, wanted, mark, timedelta(0) if wanted.TOKEN or wanted.UNIQUE else _hidden(wanted, begun))
            if isinstance(earlier, Problem):
                return earlier
            if earlier:
                return journal.record_phase(begun, "born", id=earlier)
        made = _made(aws, wanted, journal, mark)
        if isinstance(made, Problem):
            return _refused(aws, wanted, journal, mark, made, again=begun is not None)
        if isinstance(made, Record):
            return made
        if not left:
            return made.problem
    raise AssertionError("the last try returned")


def _intended(journal: Journal, mark: Mark) -> Record | None:
    """The record of a birth whose end is not known."""
    record = journal.state.records.get(f"{mark.name}-{mark.generation}")
    return record if record and record.phase == "intended" else None


def find_begun(aws: Aws, kind: type[Resource], record: Record | None, deployment: str) -> tuple[str, ...] | Problem:
    """The ids of what a birth has made that was begun and is no longer wanted; looked for as long as AWS may hide it."""
    if record is None:
        return ()
    ids: tuple[str, ...] = ()
    for _ in aws.progress.poll(
        "shown", f"what was begun of {record.name} shows", time_until(clock.parse(record.intended_at) + kind.SETTLES)
    ):
        listed = attempt(lambda: kind.owned(aws, deployment), progress=aws.progress)
        if isinstance(listed, Problem | Lost):
            return listed.problem if isinstance(listed, Lost) else listed
        ids = tuple(owned.id for owned in listed if (owned.name, owned.generation) == (record.name, record.generation))
        if ids:
            return ids
    return run_interrupted() if aws.progress.stop.requested else ()


def _made(aws: Aws, wanted: Resource, journal: Journal, mark: Mark) -> Record | Problem | Lost:
    """The birth, and again as long as what had its name before has not let go of it."""
    refused: Problem | None = None
    for poll in aws.progress.poll("gone", f"the name of {wanted.name} to be free", aws.progress.limits.ready):
        made = _asked(aws, wanted, journal, mark)
        if not isinstance(made, Problem):
            return made
        refused = made
        by = explain_refusal(aws, type(wanted), lambda: wanted.natural_id(aws), made)
        if not isinstance(by, Waiting):
            return by
        poll.status = by.for_
    assert refused
    return aws.progress.interrupted_or(refused)


def _asked(aws: Aws, wanted: Resource, journal: Journal, mark: Mark) -> Record | Problem | Lost:
    def sent() -> tuple[Record, str]:
        # Each time, since AWS may hide what it makes from the moment on at which it is asked.
        record = journal.record_intent(mark.name, wanted.KIND, mark.generation)
        return record, wanted.create(aws, replace(mark, token=record.token))

    made = attempt(
        sent, progress=aws.progress, subject=wanted, failures=wanted.FAILURES, propagates=wanted.PROPAGATES, repeatable=wanted.TOKEN
    )
    return made if isinstance(made, Problem | Lost) else journal.record_phase(made[0], "born", id=made[1])


def _refused(aws: Aws, wanted: Resource, journal: Journal, mark: Mark, refusal: Problem, *, again: bool) -> Record | Problem:
    """A name that is taken may be taken by ourselves: `again`, by an attempt whose answer was lost and which AWS may still hide.

    Any other refusal made nothing.
    """
    begun = _intended(journal, mark)
    if begun is None:
        return refusal
    id = _shown(aws, wanted, mark, _hidden(wanted, begun) if again else timedelta(0))
    if isinstance(id, Problem):
        return refusal
    record = journal.record_phase(begun, "born" if id else "gone", id=id)
    return record if id else refusal


def _hidden(wanted: Resource, record: Record) -> timedelta:
    """How long AWS may still be hiding what came of an attempt."""
    return time_until(clock.parse(record.intended_at) + wanted.SETTLES)


def _shown(aws: Aws, wanted: Resource, mark: Mark, within: timedelta) -> str | Problem | None:
    """The id of what an earlier attempt made; None where it is not shown in time, a Problem where nobody could look."""
    for _ in aws.progress.poll("shown", "whether an earlier attempt made it", within):
        if id := _ours(aws, wanted, mark):
            return id
    return run_interrupted() if aws.progress.stop.requested else None


def _ours(aws: Aws, wanted: Resource, mark: Mark) -> str | Problem | None:
    """The id of what exists with this mark or under this name, if it is this deployment's. Not to be able to look is no answer."""
    looked = attempt(lambda: _look(aws, wanted, mark), progress=aws.progress)
    return looked.problem if isinstance(looked, Lost) else looked


def _look(aws: Aws, wanted: Resource, mark: Mark) -> str | None:
    kind = type(wanted)
    ids = [owned.id for owned in kind.owned(aws, mark.deployment) if (owned.name, owned.generation) == (mark.name, mark.generation)]
    for id in filter(None, (*ids, wanted.natural_id(aws))):
        found = ownership.read(aws, kind, id, mark.name, mark.deployment)
        if found and not found.broken and found.owner(mark.deployment) == "us":
            return id
    return None
