"""The one call that is not idempotent: never made twice, never forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, Patience, attempt
from sre_agent_deploy.aws.patience import pauses
from sre_agent_deploy.journal.journal import Journal
from sre_agent_deploy.journal.record import Record
from sre_agent_deploy.resource import Mark, Resource
from sre_core import clock
from sre_core.problem import Problem

TRIES = 4


def birth(aws: Aws, wanted: Resource, journal: Journal, mark_of: Callable[[Record], Mark]) -> Record | Problem:
    """Create a resource exactly once, or adopt the one that an interrupted attempt made.

    The intent is saved first. An attempt whose answer never came is looked up until AWS can no longer be hiding it
    (`SETTLES`), and only then made again.
    """
    provisional = mark_of(Record("", "", 1, "", "intended", ""))
    before = journal.state.records.get(f"{provisional.name}-{provisional.generation}")
    uncertain = bool(before and before.phase == "intended")
    record = journal.intend(provisional.name, wanted.KIND, provisional.generation)
    mark = mark_of(record)
    for _ in range(TRIES):
        if uncertain and (id := _earlier(aws, wanted, mark, record)):
            return journal.reached(record, "born", id=id)
        made = attempt(
            lambda: wanted.create(aws, mark),
            subject=wanted,
            failures=wanted.FAILURES,
            propagates=wanted.PROPAGATES,
            patience=Patience(repeatable=wanted.TOKEN),
        )
        if isinstance(made, str):
            return journal.reached(record, "born", id=made)
        if isinstance(made, Problem):
            # A name that is taken may be taken by ourselves: by an attempt whose answer was lost. Anything else made nothing.
            id = _owned_id(aws, wanted, mark)
            journal.reached(record, "born" if id else "gone", id=id)
            return journal.state.records[record.key] if id else made
        uncertain = True
    return made.problem if isinstance(made, Lost) else made


def _earlier(aws: Aws, wanted: Resource, mark: Mark, record: Record) -> str | None:
    """The id of what an earlier attempt made; None once AWS can't be hiding it any more."""
    # With a client token, or a name that only one can have, sending it again is itself the question.
    patience = timedelta(0) if wanted.TOKEN or wanted.natural_id(aws) else wanted.SETTLES
    until = clock.parse(record.intended_at) + patience
    for pause in pauses():
        if id := _owned_id(aws, wanted, mark):
            return id
        if clock.now() > until:
            return None
        time.sleep(pause)
    raise AssertionError("pauses() never ends")


def _owned_id(aws: Aws, wanted: Resource, mark: Mark) -> str | None:
    listed = attempt(lambda: type(wanted).owned(aws, mark.deployment))
    if isinstance(listed, Problem | Lost):
        return None
    mine = (owned.id for owned in listed if owned.name == mark.name and owned.generation == mark.generation)
    return next((id for id in mine if type(wanted).read(aws, id, mark.name)), None)
