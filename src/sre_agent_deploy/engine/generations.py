"""Which generation of a resource goes on, which number the next one gets, and what has been superseded (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from sre_agent_deploy.journal.state import Record
from sre_agent_deploy.plan import Action, Change
from sre_agent_deploy.resource import Found, generation_of
from sre_agent_deploy.resources import kinds


def record_of(found: Found[Any] | None, records: Sequence[Record]) -> Record | None:
    """What the journal knows of what was found; of something absent, its newest record."""
    if found is None:
        return next(iter(records), None)
    known = (record for record in records if record.id == found.id)
    intended = (record for record in records if not record.id and record.generation == generation_of(found.tags or {}))
    return next(known, None) or next(intended, None)


def numbered(change: Change, records: Sequence[Record]) -> Change:
    """The change with the generation that what is used, or what replaces it, gets."""
    if change.named:
        same = next((record.generation for record in records if record.named and record.id == change.id), None)
        generation = same or _newest(records) + 1
        return dataclasses.replace(change, generation=generation, next_generation=generation)
    if not beside(change):
        return dataclasses.replace(change, next_generation=change.generation)
    begun = [record.generation for record in records if not record.id and record.generation > change.generation]
    return dataclasses.replace(change, next_generation=max(begun, default=max(_newest(records), change.generation) + 1))


def beside(change: Change) -> bool:
    """Whether what is replaced stays until its replacement does its work; what never did its own would only cost money until then."""
    return change.action is Action.REPLACE and kinds.by_kind(change.kind).BESIDE and not change.broken


def superseded(change: Change, candidates: Sequence[Found[Any]], records: Sequence[Record], deployment: str) -> Iterator[Change]:
    """What goes once `change` is done: older generations, and births that were begun and are no longer wanted."""
    stays = {change.generation, change.next_generation}
    listed = {found.id: generation_of(found.tags or {}) for found in candidates if found.owner(deployment) == "us" and not change.named}
    known = {record.id: record.generation for record in records if record.id and not record.named and record.generation not in stays}
    gone = {*stays, *listed.values()}
    begun = [("", record.generation) for record in records if not record.id and record.generation not in gone]
    because = f"the configuration names {change.id} instead" if change.named else "another generation has taken its place"
    loses = kinds.by_kind(change.kind).LOSES if change.named else ""
    for id, generation in (*(listed | known).items(), *begun):
        if not id or id != change.id:
            yield Change(change.name, change.kind, Action.DELETE, because, loses=loses, id=id, generation=generation)


def unwanted(records: Sequence[Record]) -> Iterator[Change]:
    """What the configuration no longer asks for; what the user had named stays."""
    for record in records:
        if not record.named:
            loses = kinds.by_kind(record.kind).LOSES
            because = "the configuration no longer asks for it"
            yield Change(record.name, record.kind, Action.DELETE, because, loses=loses, id=record.id, generation=record.generation)


def _newest(records: Sequence[Record]) -> int:
    return max((record.generation for record in records), default=0)
