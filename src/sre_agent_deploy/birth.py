"""The one call that is not idempotent: never made twice, never forgotten."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

from sre_agent_deploy import ownership
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, Patience, attempt
from sre_agent_deploy.aws.patience import pauses
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.record import Record
from sre_agent_deploy.resource import Mark, Resource
from sre_core import clock
from sre_core.problem import Problem

TRIES = 4


def birth(aws: Aws, wanted: Resource, journal: Journal, mark: Mark) -> Record | Problem:
    """Create a resource exactly once, or adopt the one that an interrupted attempt made. `mark` gets its token here.

    The intent is saved first. An attempt whose answer never came is looked up until AWS can no longer be hiding it
    (`SETTLES`), and only then made again.
    """
    before = journal.state.records.get(f"{mark.name}-{mark.generation}")
    record = journal.intend(mark.name, wanted.KIND, mark.generation)
    mark = replace(mark, token=record.token)
    uncertain = before is record
    for left in reversed(range(TRIES)):
        if uncertain and (id := _earlier(aws, wanted, mark, record)):
            return journal.reached(record, "born", id=id)
        made = _made(aws, wanted, mark)
        if isinstance(made, str):
            return journal.reached(record, "born", id=made)
        if isinstance(made, Problem):
            # A name that is taken may be taken by ourselves: by an attempt whose answer was lost. Anything else made nothing.
            id = _ours(aws, wanted, mark)
            record = journal.reached(record, "born" if id else "gone", id=id)
            return record if id else made
        if not left:
            return made.problem
        uncertain = True
    raise AssertionError("the last try returned")


def begun(aws: Aws, kind: type[Resource], record: Record | None, deployment: str) -> tuple[str, ...] | Problem:
    """The ids of what a birth has made that was begun and is no longer wanted; looked for as long as AWS may hide it."""
    if record is None:
        return ()
    until = clock.parse(record.intended_at) + kind.SETTLES
    for pause in pauses():
        listed = attempt(lambda: kind.owned(aws, deployment))
        if isinstance(listed, Problem | Lost):
            return listed.problem if isinstance(listed, Lost) else listed
        ids = tuple(owned.id for owned in listed if (owned.name, owned.generation) == (record.name, record.generation))
        if ids or clock.now() > until:
            return ids
        time.sleep(pause)
    raise AssertionError("pauses() never ends")


def _made(aws: Aws, wanted: Resource, mark: Mark) -> str | Problem | Lost:
    return attempt(
        lambda: wanted.create(aws, mark),
        subject=wanted,
        failures=wanted.FAILURES,
        propagates=wanted.PROPAGATES,
        patience=Patience(repeatable=wanted.TOKEN),
    )


def _earlier(aws: Aws, wanted: Resource, mark: Mark, record: Record) -> str | None:
    """The id of what an earlier attempt made; None once AWS can't be hiding it any more."""
    # With a client token, or a name that only one can have, sending it again is itself the question.
    patience = timedelta(0) if wanted.TOKEN or wanted.UNIQUE else wanted.SETTLES
    until = clock.parse(record.intended_at) + patience
    for pause in pauses():
        if id := _ours(aws, wanted, mark):
            return id
        if clock.now() > until:
            return None
        time.sleep(pause)
    raise AssertionError("pauses() never ends")


def _ours(aws: Aws, wanted: Resource, mark: Mark) -> str | None:
    """The id of what exists with this mark or under this name, if it is this deployment's."""
    looked = attempt(lambda: _look(aws, wanted, mark))
    return looked if isinstance(looked, str) else None


def _look(aws: Aws, wanted: Resource, mark: Mark) -> str | None:
    kind = type(wanted)
    ids = [owned.id for owned in kind.owned(aws, mark.deployment) if (owned.name, owned.generation) == (mark.name, mark.generation)]
    for id in filter(None, (*ids, wanted.natural_id(aws))):
        found = ownership.read(aws, kind, id, mark.name, mark.deployment)
        if found and found.owner(mark.deployment) == "us":
            return id
    return None
