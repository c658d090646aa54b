"""Finds every resource of a deployment, and every deployment of an account, without changing anything.

The journal, the tags, the names and the listings are all asked: any of them may be missing.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from sre_agent_deploy.account import DEPLOYMENT_ID_PATTERN
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Found, Owned, Resource, tags_of
from sre_agent_deploy.resources import kinds
from sre_agent_deploy.resources.ec2_calls import list_kept_volumes
from sre_core import clock, duration
from sre_core.problem import Problem

type Listing = Callable[[Aws], Iterable[str]]
type Named = Mapping[str, tuple[str, ...]]
NONE: Named = MappingProxyType({})


@dataclass(frozen=True)
class Entry:
    """One resource of a deployment, known from the journal, from AWS's listings, or from both."""

    kind: type[Resource]
    id: str
    name: str
    generation: int
    ttl: str = ""
    created: datetime | None = None
    state: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.kind.KIND, self.id

    def __str__(self) -> str:
        return f"{self.kind.KIND:45} {self.name:26} {self.id}"

    @classmethod
    def of_listing(cls, kind: type[Resource], owned: Owned) -> Entry:
        return cls(kind, owned.id, owned.name, owned.generation, owned.ttl, owned.created, owned.state)


@dataclass(frozen=True)
class Inventory:
    """Everything of a deployment that was found, dependents first; the problems say what could not be looked up or understood."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()


def take_inventory(aws: Aws, deployment: str, state: State | None, named: Named = NONE) -> Inventory:
    """Find a deployment in the journal and in AWS's listings. A listing that AWS refuses hides only what it alone would show.

    `named` says, by kind, what the configuration names: without a state file, our resources are looked for inside it.
    Makes no mutating call.
    """
    seen = aws.observing()
    with ThreadPoolExecutor(8) as pool:
        listings = list(pool.map(lambda kind: _list_kind(seen, kind, deployment, state, named), kinds.ORDER))
    refused = [listing for listing in listings if isinstance(listing, Problem)]
    if len(refused) == len(listings):
        return Inventory((), (refused[0],))
    found: dict[tuple[str, str], Entry] = {}
    for kind, listing in zip(reversed(kinds.ORDER), reversed(listings), strict=True):
        listed = () if isinstance(listing, Problem) else [Entry.of_listing(kind, owned) for owned in listing]
        # The journal knows the names of what has no tags, so its entries replace those of the listings.
        recorded = [Entry(kind, record.id, record.name, record.generation) for record in _recorded(state, kind)]
        found |= {entry.key: entry for entry in (*listed, *recorded)}
    pairs = zip(kinds.ORDER, listings, strict=True)
    hidden = [listing for kind, listing in pairs if isinstance(listing, Problem) and not _never_created(state, kind, listing)]
    # Listings of children ask for their parents first, so several may report one refusal.
    return Inventory(
        tuple(found.values()),
        (*{problem.what: problem for problem in hidden}.values(), *_unknown_records(state), *_find_kept_volumes(aws, deployment)),
    )


def _never_created(state: State | None, kind: type[Resource], refused: Problem) -> bool:
    """Return True if nothing of a kind was ever created: this AWS has no operation for it, or the journal has no intent.

    So a user who never asked for a budget needs no permissions for billing, and a local AWS of an earlier version can be cleaned up.
    """
    if refused.context.get("aws_code") == "UnknownOperationException":
        return True
    denied = refused.code == "AWS-ACCESS-DENIED"
    return denied and state is not None and all(record.kind != kind.KIND for record in state.records.values())


def _recorded(state: State | None, kind: type[Resource]) -> list[Record]:
    alive = state.alive() if state else ()
    return [record for record in alive if record.id and not record.named and record.kind == kind.KIND]


def _list_kind(aws: Aws, kind: type[Resource], deployment: str, state: State | None, named: Named) -> tuple[Owned, ...] | Problem:
    """List one kind; while an intent is open, again until AWS can no longer hide its result."""
    open_intents = _open_intents(state, kind)
    hidden = max((aws.progress.time_hidden(kind.SETTLES, clock.parse(record.intended_at)) for record in open_intents), default=timedelta(0))
    parents = [*named.get(kind.PARENT, ()), *(_named_parents(state, kind) if open_intents else ())]
    listed, asked = tuple[Owned, ...](), aws
    for _ in aws.progress.poll("shown", f"{kind.KIND} to be listed after an unfinished creation", hidden):
        answer = attempt(partial(_list_owned, asked, kind, parents, deployment), progress=aws.progress)
        if isinstance(answer, Problem | Lost):
            return answer.problem if isinstance(answer, Lost) else answer
        listed = answer
        seen = {(owned.name, owned.generation) for owned in listed}
        if seen.issuperset((record.name, record.generation) for record in open_intents):
            break
        asked = aws.anew()
    return listed


def _list_owned(aws: Aws, kind: type[Resource], parents: list[str], deployment: str) -> tuple[Owned, ...]:
    return (*kind.owned(aws, deployment), *(owned for parent in parents for owned in kind.within(aws, parent, deployment)))


def _open_intents(state: State | None, kind: type[Resource]) -> list[Record]:
    """Return the records of creations whose result is not known."""
    return [record for record in (state.alive() if state else ()) if record.kind == kind.KIND and not record.id]


def _named_parents(state: State | None, kind: type[Resource]) -> list[str]:
    """Return the ids of what the user named and where resources of this kind may lie."""
    return [record.id for record in (state.alive() if state else ()) if record.named and record.kind == kind.PARENT]


def _unknown_records(state: State | None) -> list[Problem]:
    """Return a problem for each record whose kind this version does not know; everything else can be deleted all the same."""
    alive = state.alive() if state else ()
    return [_unknown_kind(record) for record in alive if not record.named and not kinds.knows(record.kind)]


def _find_kept_volumes(aws: Aws, deployment: str) -> tuple[Problem, ...]:
    kept = attempt(lambda: list_kept_volumes(aws, deployment), progress=aws.progress)
    if isinstance(kept, Problem | Lost):
        return (kept.problem if isinstance(kept, Lost) else kept,)
    return tuple(map(_kept_volume, kept))


@dataclass(frozen=True)
class Deployments:
    """The ids of deployments that listings show, and the problems of the listings that AWS refused."""

    ids: tuple[str, ...]
    problems: tuple[Problem, ...] = ()


def list_deployments(aws: Aws) -> Deployments:
    """Ask every listing that may show a deployment. Some may be gone already: the tagging API lags behind."""
    listings = (_tagged, *(kind.deployments for kind in kinds.ORDER))
    answers = [attempt(partial(_list_ids, listing, aws), progress=aws.progress) for listing in listings]
    refused = [answer.problem if isinstance(answer, Lost) else answer for answer in answers if isinstance(answer, Lost | Problem)]
    found = frozenset[str]().union(*(answer for answer in answers if isinstance(answer, frozenset)))
    return Deployments(tuple(sorted(found)), tuple(refused))


def _list_ids(listing: Listing, aws: Aws) -> frozenset[str]:
    """Return the deployment ids among the names of a listing; other names are not from this tool."""
    return frozenset(name for name in listing(aws) if re.fullmatch(DEPLOYMENT_ID_PATTERN, name))


def _tagged(aws: Aws) -> Iterable[str]:
    """List secrets, buckets, instances, volumes, security groups."""
    pages = aws.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(TagFilters=[{"Key": DEPLOYMENT_TAG}])
    return (tags_of(found["Tags"]).get(DEPLOYMENT_TAG, "") for page in pages for found in page["ResourceTagMappingList"])


type Listings = Mapping[type[Resource], tuple[Entry, ...] | Problem]


@dataclass(frozen=True)
class Extras:
    """The resources that only their tag assigns to a deployment, and the problems of listings that AWS refused.

    Nothing of them is ignored, and nothing is created beside them. Only kinds whose id AWS chooses are listed for that (`ID_FROM_AWS`):
    of these a deployment can have two, and AWS refuses neither.
    """

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()


def list_repeatable(aws: Aws, deployment: str, used: Iterable[str]) -> Listings:
    """List what a deployment has of each kind that it uses and can have twice. Makes no mutating call."""
    wanted = frozenset(used)
    chosen = [kind for kind in kinds.ORDER if kind.ID_FROM_AWS and kind.KIND in wanted]
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(chosen, pool.map(lambda kind: _list_entries(aws, kind, deployment), chosen), strict=True))


def find_extras(aws: Aws, deployment: str, listings: Listings, state: State | None, planned: Iterable[str]) -> Extras:
    """Find what was listed and neither the journal nor the plan knows, by its ids. Each is read: a listing may still show what is gone."""
    known = {*planned} | {record.id for record in (state.alive() if state else ())}
    unfinished = {(record.name, record.generation) for record in (state.alive() if state else ()) if not record.id}
    listed = [entry for entries in listings.values() if not isinstance(entries, Problem) for entry in entries]
    siblings = {(entry.kind, entry.name) for entry in listed if entry.id in known}
    unknown = [entry for entry in listed if entry.id not in known and (entry.name, entry.generation) not in unfinished]
    # What is in a parent of ours has no tags: it is one of ours created twice only if its name says so, else the user's own.
    unknown = [entry for entry in unknown if not entry.kind.PARENT or (entry.kind, entry.name) in siblings]
    refused = tuple(found for found in listings.values() if isinstance(found, Problem))
    return Extras(tuple(entry for entry in unknown if _is_ours(aws, entry, deployment)), refused)


def _list_entries(aws: Aws, kind: type[Resource], deployment: str) -> tuple[Entry, ...] | Problem:
    answer = attempt(lambda: kind.owned(aws, deployment), progress=aws.progress)
    if isinstance(answer, Problem | Lost):
        return answer.problem if isinstance(answer, Lost) else answer
    return tuple(Entry.of_listing(kind, owned) for owned in answer)


def _is_ours(aws: Aws, entry: Entry, deployment: str) -> bool:
    """Read it; what can't be read counts as ours, because a failed lookup does not prove that it is absent."""
    found = attempt(lambda: read_resource(aws, entry.kind, entry.id, entry.name, deployment), progress=aws.progress)
    if found is None:
        return False
    return isinstance(found, Problem | Lost) or (not found.broken and found.owner(deployment) == "us")


def describe_age(entry: Entry) -> str:
    """Say how old a resource is, as far as its listing shows it."""
    age = clock.now() - entry.created if entry.created else None
    return f"created {duration.format_roughly(max(age, timedelta()))} ago" if age is not None else "AWS does not show its age"


def extra_problem(entry: Entry) -> Problem:
    """Report a resource that has the deployment's tag and is not in its state."""
    name = f"tagged as {entry.name}" if entry.name else "without a name tag"
    adopt = f"`sre-agent-deploy state adopt {entry.name or 'NAME'} {entry.id}`"
    return Problem(
        code="EXTRA-RESOURCE",
        what=f"{entry.id} ({entry.kind.KIND}, {name}, {describe_age(entry)}) carries the tag of this deployment and is not in its state.",
        why="A run that slept or was cut off created it, another program or person did, or its name tag was removed.",
        do=(
            f"If it is not needed, delete it: `sre-agent-deploy state delete {entry.id}`.",
            f"If it is the right one, adopt it: {adopt}; what the state has now under that name then becomes the extra one.",
            "Then see the result: `sre-agent-deploy plan`. Until then nothing is created beside it.",
        ),
        context={"resource": entry.name, "id": entry.id},
    )


def _unknown_kind(record: Record) -> Problem:
    return Problem(
        code="CLEANUP-UNKNOWN-KIND",
        what=f"{record.name} ({record.id or 'without an id'}) was left as it is.",
        why=f"The state file says it is a {record.kind or 'resource without a kind'}, which this version does not know.",
        do=(
            "Clean up with the version of sre-agent-deploy that created it; everything else is deleted meanwhile.",
            "If the state file was edited, move it away and clean up by --deployment-id: what exists is found by its tags.",
        ),
    )


def _kept_volume(volume_id: str) -> Problem:
    return Problem(
        code="CLEANUP-VOLUME-KEPT",
        what=f"Volume {volume_id} of a deleted instance was left as it is.",
        why="Its DeleteOnTermination was switched off by hand, so its data may be needed.",
        do=(
            f"If it is not needed: aws ec2 delete-volume --volume-id {volume_id}",
            f"If it is needed: aws ec2 delete-tags --resources {volume_id} --tags Key={DEPLOYMENT_TAG}",
        ),
    )


def read_resource(aws: Aws, kind: type[Resource], id: str, name: str, deployment: str) -> Found[Any] | None:
    """Read a resource as AWS shows it now, with its owner. Reads its parent too where the resource has no tags."""
    found = kind.read(aws, id, name)
    if found is None or not _follows_parent(kind, found):
        return found
    return attribute_owner(kind, found, deployment, kinds.by_kind(kind.PARENT).read(aws, parent_id(id), ""))


def attribute_owner(kind: type[Resource], found: Found[Any], deployment: str, parent: Found[Any] | None) -> Found[Any]:
    """Add the tags that a resource would have if it could have any, so that its owner is known (pure).

    What is in a parent of ours is ours. In a parent that the configuration names, only what bears the deployment's id is ours:
    the journal alone proves nothing, because it can be edited, and what was there before is never adopted, changed or deleted.
    """
    if parent is None or not _follows_parent(kind, found):
        return found
    if kind.OWNED_BY_PLACE:
        ours = parent.owner(deployment) == "us" and deployment in found.id.split("/")
        return dataclasses.replace(found, tags={**(found.tags or {}), DEPLOYMENT_TAG: deployment}) if ours else found
    ours = parent.owner(deployment) == "us" or _bears_id(kind, found, deployment)
    return dataclasses.replace(found, tags={DEPLOYMENT_TAG: deployment} if ours else {})


def _follows_parent(kind: type[Resource], found: Found[Any]) -> bool:
    """Say whether its place decides who owns it: it can't be tagged, or it was replaced without any tag of a deployment's."""
    unmarked = found.tags is None or (kind.OWNED_BY_PLACE and DEPLOYMENT_TAG not in found.tags)
    return bool(kind.PARENT) and unmarked


def parent_id(id: str) -> str:
    """Return the id of the parent: the first part of a child's id. Of log groups of AWS's own, whose names are paths, all but the last."""
    return id.rpartition("/")[0] if id.startswith("/") else id.partition("/")[0]


def _bears_id(kind: type[Resource], found: Found[Any], deployment: str) -> bool:
    return str(getattr(found.seen, kind.NAME_FIELD, "")).startswith(deployment)
