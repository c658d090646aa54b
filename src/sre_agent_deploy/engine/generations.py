"""Generations of a resource: which one continues, which number the next one gets, and which ones are superseded (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sre_agent_deploy.journal.state import Record
from sre_agent_deploy.plan import Action, Change
from sre_agent_deploy.resource import Found, generation_of
from sre_agent_deploy.resources import kinds
from sre_core import clock


def find_record(found: Found[Any] | None, records: Sequence[Record]) -> Record | None:
    """Find the record of a resource that was found, or the newest record of one that was not."""
    if found is None:
        return next(iter(records), None)
    known = (record for record in records if record.id == found.id)
    intended = (record for record in records if not record.id and record.generation == generation_of(found.tags or {}))
    return next(known, None) or next(intended, None)


def sort_newest_first(candidates: Sequence[Found[Any]], records: Sequence[Record]) -> tuple[Found[Any], ...]:
    """Sort what may be one resource by generation. What an interrupted update created may be newer than all that has a recorded id."""
    recorded = {record.id: record.generation for record in records if record.id}
    return tuple(sorted(candidates, key=lambda found: -recorded.get(found.id, generation_of(found.tags or {}))))


def assign_generation(change: Change, records: Sequence[Record]) -> Change:
    """Give a change the generation of the resource that it uses, and the next one for a replacement."""
    if change.named:
        same = next((record.generation for record in records if record.named and record.id == change.id), None)
        generation = same or _newest(records) + 1
        return dataclasses.replace(change, generation=generation, next_generation=generation)
    if not replaces_beside(change):
        return dataclasses.replace(change, next_generation=change.generation)
    unfinished = [record.generation for record in records if not record.id and record.generation > change.generation]
    return dataclasses.replace(change, next_generation=max(unfinished, default=max(_newest(records), change.generation) + 1))


def replaces_beside(change: Change) -> bool:
    """Check if the old resource stays until its replacement works. A broken one does not stay: it would only cost money."""
    return change.action is Action.REPLACE and kinds.by_kind(change.kind).BESIDE and not change.broken


def plan_superseded(
    change: Change, candidates: Sequence[Found[Any]], records: Sequence[Record], deployment: str, *, kept_until: datetime | None = None
) -> Iterator[Change]:
    """Plan to delete older generations once `change` is done, and creations that began and are no longer wanted.

    Until `kept_until` the generation before stays, so that a rollback can return to it.
    """
    stays = {change.generation, change.next_generation}
    listed = {found.id: generation_of(found.tags or {}) for found in candidates if found.owner(deployment) == "us" and not change.named}
    if kinds.by_kind(change.kind).ID_FROM_AWS:
        # Another one of a generation that stays was not made by an update, so the user decides about it: see planning.py.
        listed = {id: generation for id, generation in listed.items() if generation not in stays}
    known = {record.id: record.generation for record in records if record.id and not record.named and record.generation not in stays}
    accounted = {*stays, *listed.values()}
    unfinished = [("", record.generation) for record in records if not record.id and record.generation not in accounted]
    because = f"the configuration names {change.id} instead" if change.named else "another generation has taken its place"
    loses = kinds.by_kind(change.kind).LOSES if change.named else ""
    kept = _choose_kept(change, candidates, listed | known) if kept_until else None
    for id, generation in (*(listed | known).items(), *unfinished):
        if kept and kept_until and id == kept.id:
            why = f"kept for `sre-agent-deploy rollback`; the first deploy after {clock.stamp(kept_until)} deletes it"
            outputs = kept.outputs
            yield Change(change.name, change.kind, Action.KEEP, why, id=id, generation=generation, outputs=outputs, previous=True)
        elif not id or id != change.id:
            yield Change(change.name, change.kind, Action.DELETE, because, loses=loses, id=id, generation=generation, previous=True)


def _choose_kept(change: Change, candidates: Sequence[Found[Any]], superseded: Mapping[str, int]) -> Found[Any] | None:
    """Choose the generation just before the one that is kept, if it works. While a replacement is planned, that one is the next to stay."""
    works = change.action in (Action.KEEP, Action.UPDATE) and kinds.by_kind(change.kind).KEPT_FOR_ROLLBACK
    older = [found for found in candidates if found.id != change.id and found.id in superseded and not found.broken]
    before = [found for found in older if superseded[found.id] < change.generation]
    return max(before, key=lambda found: superseded[found.id], default=None) if works else None


def keeps_replaced(change: Change, keep_previous: timedelta) -> bool:
    """Check if the resource that this change replaces stays for a rollback."""
    return bool(keep_previous) and kinds.by_kind(change.kind).KEPT_FOR_ROLLBACK


def keep_used(changes: Sequence[Change], keep_previous: timedelta) -> tuple[Change, ...]:
    """Keep what a resource uses that stays for a rollback, such as the network of the machine before, for as long as it stays."""
    stay = {change.kind for change in changes if _stays(change, keep_previous)}
    used, because = kinds.used_by(stay), "kept with the machine before, which uses it"
    return tuple(
        dataclasses.replace(change, action=Action.KEEP, because=because, loses="", previous=True)
        if change.action is Action.DELETE and change.id and change.kind in used
        else change
        for change in changes
    )


def _stays(change: Change, keep_previous: timedelta) -> bool:
    if change.previous:
        return change.action is Action.KEEP
    return replaces_beside(change) and keeps_replaced(change, keep_previous)


def plan_unwanted(records: Sequence[Record]) -> Iterator[Change]:
    """Plan to delete what the configuration no longer asks for. Resources that it named stay."""
    for record in records:
        if not record.named:
            loses = kinds.by_kind(record.kind).LOSES
            because = "the configuration no longer asks for it"
            yield Change(record.name, record.kind, Action.DELETE, because, loses=loses, id=record.id, generation=record.generation)


def _newest(records: Sequence[Record]) -> int:
    return max((record.generation for record in records), default=0)
