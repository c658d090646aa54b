"""What there is of a deployment: what the journal recorded and what tags, names and listings reveal. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.journal.state import Record, State
from sre_agent_deploy.progress.progress import time_until
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Owned, Resource
from sre_agent_deploy.resources import ec2_volumes, kinds
from sre_core import clock
from sre_core.problem import Problem

type Named = Mapping[str, tuple[str, ...]]
NONE: Named = MappingProxyType({})


@dataclass(frozen=True)
class Doomed:
    """One resource to delete: known from the journal, from AWS's listings, or both."""

    kind: type[Resource]
    id: str
    name: str
    generation: int
    ttl: str = ""
    created: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.kind.KIND, self.id

    @classmethod
    def listed(cls, kind: type[Resource], owned: Owned) -> Doomed:
        return cls(kind, owned.id, owned.name, owned.generation, owned.ttl, owned.created)


@dataclass(frozen=True)
class Inventory:
    """Everything of a deployment that was found, dependents first; what could not be looked at or is not understood, and why."""

    doomed: tuple[Doomed, ...]
    problems: tuple[Problem, ...] = ()


def find_all(aws: Aws, deployment: str, state: State | None, named: Named = NONE) -> Inventory:
    """Look for a deployment in the journal and in AWS's listings; one that is refused hides only what it would show.

    `named` says, by kind, what the configuration names: where there is no state, ours is looked for inside it.
    Makes no mutating call.
    """
    with ThreadPoolExecutor(8) as pool:
        listings = list(pool.map(lambda kind: _listed(aws, kind, deployment, state, named), kinds.ORDER))
    refused = [listing for listing in listings if isinstance(listing, Problem)]
    if len(refused) == len(listings):
        return Inventory((), (refused[0],))
    found: dict[tuple[str, str], Doomed] = {}
    for kind, listing in zip(reversed(kinds.ORDER), reversed(listings), strict=True):
        listed = () if isinstance(listing, Problem) else [Doomed.listed(kind, owned) for owned in listing]
        # The journal knows the names of what has no tags, so it is heard last.
        recorded = [Doomed(kind, record.id, record.name, record.generation) for record in _recorded(state, kind)]
        found |= {doomed.key: doomed for doomed in (*listed, *recorded)}
    pairs = zip(kinds.ORDER, listings, strict=True)
    untold = [listing for kind, listing in pairs if isinstance(listing, Problem) and not _never_made(state, kind, listing)]
    # Listings of children ask for their parents first, so one refusal may be told by several.
    return Inventory(
        tuple(found.values()),
        (*{problem.what: problem for problem in untold}.values(), *_not_understood(state), *_kept_volumes(aws, deployment)),
    )


def _never_made(state: State | None, kind: type[Resource], refused: Problem) -> bool:
    """Whether the journal proves that there was never one of a kind that may not be listed: each birth is written down first.

    So whoever never asked for a budget needs no rights to billing.
    """
    denied = refused.code == "AWS-ACCESS-DENIED"
    return denied and state is not None and all(record.kind != kind.KIND for record in state.records.values())


def _recorded(state: State | None, kind: type[Resource]) -> list[Record]:
    alive = state.alive() if state else ()
    return [record for record in alive if record.id and not record.named and record.kind == kind.KIND]


def _listed(aws: Aws, kind: type[Resource], deployment: str, state: State | None, named: Named) -> tuple[Owned, ...] | Problem:
    """What a listing shows; where an intent is open, again until AWS can't be hiding its result any more."""
    begun = _begun(state, kind)
    until = max((clock.parse(record.intended_at) + kind.SETTLES for record in begun), default=clock.now())
    parents = [*named.get(kind.PARENT, ()), *(_named_parents(state, kind) if begun else ())]
    listed: tuple[Owned, ...] = ()
    for _ in aws.progress.poll("shown", f"{kind.KIND} that was begun to be listed", time_until(until)):
        answer = attempt(lambda: (*kind.owned(aws, deployment), *_within(aws, kind, parents, deployment)), progress=aws.progress)
        if isinstance(answer, Problem | Lost):
            return answer.problem if isinstance(answer, Lost) else answer
        listed = answer
        seen = {(owned.name, owned.generation) for owned in listed}
        if seen.issuperset((record.name, record.generation) for record in begun):
            break
    return listed


def _within(aws: Aws, kind: type[Resource], parents: list[str], deployment: str) -> tuple[Owned, ...]:
    return tuple(owned for parent in parents for owned in kind.within(aws, parent, deployment))


def _begun(state: State | None, kind: type[Resource]) -> list[Record]:
    """The records of births whose end is not known."""
    return [record for record in (state.alive() if state else ()) if record.kind == kind.KIND and not record.id]


def _named_parents(state: State | None, kind: type[Resource]) -> list[str]:
    """The ids of what the user named and where resources of this kind may lie."""
    return [record.id for record in (state.alive() if state else ()) if record.named and record.kind == kind.PARENT]


def _not_understood(state: State | None) -> list[Problem]:
    """What the journal tells of and nobody here can look at or delete; the rest is not kept from going by it."""
    alive = state.alive() if state else ()
    return [_unknown(record) for record in alive if not record.named and not kinds.knows(record.kind)]


def _unknown(record: Record) -> Problem:
    return Problem(
        code="CLEANUP-UNKNOWN-KIND",
        what=f"{record.name} ({record.id or 'without an id'}) was left as it is.",
        why=f"The state file says it is a {record.kind or 'resource without a kind'}, which this version does not know.",
        do=(
            "Clean up with the version of sre-agent-deploy that made it; everything else goes meanwhile.",
            "If the state file was edited, move it away and clean up by --deployment-id: what exists is found by its tags.",
        ),
    )


def _kept_volumes(aws: Aws, deployment: str) -> tuple[Problem, ...]:
    kept = attempt(lambda: ec2_volumes.kept(aws, deployment), progress=aws.progress)
    if isinstance(kept, Problem | Lost):
        return (kept.problem if isinstance(kept, Lost) else kept,)
    return tuple(map(_kept, kept))


def _kept(volume_id: str) -> Problem:
    return Problem(
        code="CLEANUP-VOLUME-KEPT",
        what=f"Volume {volume_id} of a machine that is gone is left as it is.",
        why="Somebody switched off its DeleteOnTermination, so its data may be wanted.",
        do=(
            f"If it is not wanted: aws ec2 delete-volume --volume-id {volume_id}",
            f"If it is: aws ec2 delete-tags --resources {volume_id} --tags Key={DEPLOYMENT_TAG}",
        ),
    )
