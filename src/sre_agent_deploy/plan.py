"""Decides what changes, from what is wanted and what was found, and gives a reason for each change (pure)."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sre_agent_deploy.graph import Item
from sre_agent_deploy.journal.state import Record
from sre_agent_deploy.later import Outputs, refs
from sre_agent_deploy.resource import DEPLOYMENT_TAG, Found, Mark, Resource, compare_tags, generation_of
from sre_core.problem import Problem


class Action(StrEnum):
    """The action that a plan takes on a resource."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    KEEP = "keep"
    DELETE = "delete"


@dataclass(frozen=True)
class Difference:
    """One field whose value in AWS differs. Secrets show as `***`, values that AWS will choose as `<gateway.gateway_id>`."""

    field: str
    seen: str
    wanted: str
    stays: bool = False
    """A protection that a user added: it is shown, and no deployment switches it off."""

    def __str__(self) -> str:
        return f"{self.field}: {self.seen} (stays)" if self.stays else f"{self.field}: {self.seen} -> {self.wanted}"


@dataclass(frozen=True)
class Change:
    """The plan for one resource: the action, the reason, and what it loses."""

    name: str
    kind: str
    action: Action
    because: str
    differences: tuple[Difference, ...] = ()
    loses: str = ""
    id: str = ""
    generation: int = 1
    """The generation of what exists, or is to be created."""
    next_generation: int = 1
    """The generation of the replacement."""
    outputs: Outputs = dataclasses.field(default_factory=dict)
    named: bool = False
    previous: bool = False
    """It is an older generation, which is deleted, or kept for a rollback."""
    broken: bool = False
    """It will never work: it is deleted before its replacement is created, and nothing is lost by that."""

    def to_json(self) -> dict[str, Any]:
        changed = [dataclasses.asdict(compare) for compare in self.differences]
        return {
            "name": self.name,
            "kind": self.kind,
            "action": str(self.action),
            "because": self.because,
            "differences": changed,
            "loses": self.loses,
            "id": self.id,
        }


@dataclass(frozen=True)
class Plan:
    """All changes of a deployment in the order of its blueprint, and the problems that prevent them."""

    deployment: str
    changes: tuple[Change, ...]
    problems: tuple[Problem, ...] = ()
    extras: tuple[Problem, ...] = ()
    """What carries the deployment's tag and is not in its state: it is deleted or adopted by choice before anything is created."""

    def change(self, name: str) -> Change:
        return next(change for change in self.changes if change.name == name)

    def limit(self, names: Collection[str]) -> Plan:
        """Return the changes of these resources, with the problems that are theirs or of no resource. Extras prevent these changes too."""
        problems = tuple(problem for problem in self.problems if problem.context.get("resource", "") in ("", *names))
        return dataclasses.replace(self, changes=tuple(change for change in self.changes if change.name in names), problems=problems)

    def outputs(self) -> Mapping[str, Outputs]:
        """Map each resource to the outputs that its current generation has now."""
        return {change.name: change.outputs for change in self.changes if not change.previous}

    @property
    def nothing_to_do(self) -> bool:
        return not self.problems and not self.extras and all(change.action is Action.KEEP for change in self.changes)

    def count(self) -> Mapping[Action, int]:
        return {action: sum(change.action is action for change in self.changes) for action in Action}


def decide_change(
    item: Item,
    wanted: Resource,
    found: Found[Any] | None,
    record: Record | None,
    deployment: str,
    *,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> Change | Problem:
    """Decide what to do with one resource. The Refs in `wanted` are resolved as far as they are known; `tags` are the user's."""
    name, kind = item.name, wanted.KIND
    if item.named:
        return _use_named(item, wanted, found)
    if found is None:
        return Change(name, kind, Action.CREATE, _explain_absence(record), generation=record.generation if record else 1)
    if found.owner(deployment) == "stranger":
        return refuse_stranger(wanted, found, deployment)
    generation = record.generation if record else generation_of(found.tags or {})
    mark = Mark(deployment, wanted.name, generation, token="", extra=tags)
    return _compare_with_found(wanted.prefer(found.outputs), found, record, mark)


def _compare_with_found(wanted: Resource, found: Found[Any], record: Record | None, mark: Mark) -> Change:
    differences = (*compare(wanted, found.seen), *_compare_tags(wanted, mark, found.tags or {}))
    stays, repaired = ([entry.field for entry in differences if entry.stays == staying] for staying in (True, False))
    because = ", ".join(repaired)
    keep = Change(
        wanted.name,
        wanted.KIND,
        Action.KEEP,
        _explain_match(wanted, stays),
        differences,
        id=found.id,
        generation=mark.generation,
        outputs=found.outputs,
    )
    if found.broken:
        return dataclasses.replace(keep, action=Action.REPLACE, because=found.broken, broken=True)
    if any(entry.field in wanted.FIXED for entry in differences):
        return dataclasses.replace(
            keep, action=Action.REPLACE, because=f"{because} can't be changed in place", loses=wanted.loses(found.seen)
        )
    if repaired:
        return dataclasses.replace(keep, action=Action.UPDATE, because=f"{because} differs")
    if record and record.phase in ("intended", "born"):
        return dataclasses.replace(keep, action=Action.UPDATE, because="its configuration was not finished")
    return keep


def leave_as_is(change: Change) -> Change:
    """Keep what exists, with all differences; what does not exist stays to be created."""
    # Not the outputs: a dashboard that exists has none.
    if change.action is Action.CREATE:
        return change
    return dataclasses.replace(change, action=Action.KEEP, because="left as it is, as --skip or --manual asks", broken=False)


def choose_generation(wanted: Resource, candidates: Sequence[Found[Any]]) -> Found[Any] | None:
    """Choose the generation to continue with: the newest that matches what is wanted, else that can be updated to it, else the newest."""
    compared = [(found, compare(wanted.prefer(found.outputs), found.seen)) for found in candidates]
    differing = [(found, [entry.field for entry in differences if not entry.stays]) for found, differences in compared]
    matching = (found for found, fields in differing if not fields)
    updatable = (found for found, fields in differing if not wanted.FIXED.intersection(fields) and not found.broken)
    return next(matching, None) or next(updatable, candidates[0] if candidates else None)


def compare(wanted: Resource, seen: Resource) -> tuple[Difference, ...]:
    """List the fields whose values in AWS differ. Fields that AWS never shows (`UNSEEN`) are not compared."""
    fields = [name for name in _list_settings(type(wanted)) if name not in wanted.UNSEEN]
    pairs = [(name, getattr(seen, name), getattr(wanted, name)) for name in fields]
    return tuple(
        Difference(name, _render(old), _render(new), stays=name in wanted.PROTECTIONS and not new) for name, old, new in pairs if old != new
    )


@dataclass(frozen=True)
class Comparison:
    """The comparison of one setting of a resource type in a plan. `because` says why there is none, or what a difference means."""

    setting: str
    compared: bool
    because: str
    changeable: bool = True


def describe_comparisons(kind: type[Resource]) -> tuple[Comparison, ...]:
    """Describe for each setting of a resource type how it is compared."""
    fields = tuple(_describe_comparison(kind, name) for name in _list_settings(kind))
    tags = (Comparison("tags", compared=True, because="repaired"),) if kind.MOST_TAGS else ()
    return (*fields, *tags, *(Comparison(setting, compared=False, because=why) for setting, why in kind.NOT_COMPARED.items()))


def _list_settings(kind: type[Resource]) -> tuple[str, ...]:
    """List the settings of a resource type: not its name, nor what says how it is created (`compare=False`)."""
    return tuple(f.name for f in dataclasses.fields(kind) if f.compare and f.name != "name")  # type: ignore[arg-type]


def _describe_comparison(kind: type[Resource], field: str) -> Comparison:
    if field in kind.UNSEEN:
        return Comparison(field, compared=False, because=kind.UNSEEN[field])
    if field in kind.UNCHANGEABLE:
        return Comparison(field, compared=True, because="AWS lets no user change it", changeable=False)
    if field in kind.PROTECTIONS:
        return Comparison(field, compared=True, because=f"shown, and left as it is: {kind.PROTECTIONS[field]}")
    return Comparison(field, compared=True, because="replaced" if field in kind.FIXED else "repaired")


def _explain_match(wanted: Resource, stays: Sequence[str]) -> str:
    matches = "AWS already matches the configuration"
    return f"{matches}, and {'; '.join(wanted.PROTECTIONS[field] for field in stays)}" if stays else matches


def _compare_tags(wanted: Resource, mark: Mark, seen: Mapping[str, str]) -> tuple[Difference, ...]:
    """Show the tags that differ, as one difference."""
    declared = mark.tags(wanted.MOST_TAGS) if wanted.MOST_TAGS else {}
    changes = compare_tags(declared, seen) if wanted.MOST_TAGS else None
    if not changes:
        return ()
    keys = sorted((*changes.set, *changes.remove))
    had, gets = (", ".join(f"{key}={tags[key]}" for key in keys if key in tags) for tags in (seen, changes.set))
    return (Difference("tags", _render_plain(had or "none"), _render_plain(gets or "none")),)


def _render(value: Any) -> str:
    if refs(value):
        return "known after apply" if not isinstance(value, tuple | Mapping) else f"{_render_plain(value)} (known after apply)"
    return _render_plain(value)


def _render_plain(value: Any) -> str:
    shown = str(value)
    if "\n" in shown:
        return f"{len(shown)} characters with SHA-256 {hashlib.sha256(shown.encode()).hexdigest()[:12]}"
    return shown if len(shown) <= 120 else f"{shown[:117]}..."


def _explain_absence(record: Record | None) -> str:
    if record is None:
        return "nothing has this name yet"
    if record.named:
        return f"the configuration no longer names {record.id}"
    if record.phase == "intended":
        return f"its creation began at {record.intended_at} and was not confirmed"
    return f"it was deleted outside of this tool ({record.id})"


def _use_named(item: Item, wanted: Resource, found: Found[Any] | None) -> Change | Problem:
    if found is None:
        return Problem(
            code="NAMED-NOT-FOUND",
            what=f"{item.named}, which the configuration names, does not exist.",
            why=f"AWS has no {wanted.KIND} with this id in this account and region.",
            do=(
                "Correct the id in the configuration, or leave the field empty: the resource is then created.",
                "If the id is right, see which account and region are in use: `aws sts get-caller-identity`, aws.region.",
            ),
        )
    because = "named in the configuration: used as it is, never changed or deleted"
    return Change(item.name, wanted.KIND, Action.KEEP, because, id=found.id, outputs=found.outputs, named=True)


def refuse_stranger(wanted: Resource, found: Found[Any], deployment: str) -> Problem:
    """Build the problem of a resource that is needed and exists, but belongs to another owner."""
    return Problem(
        code="EXISTS-NOT-OURS",
        what=f"{found.id} ({wanted.KIND}, needed as {wanted.name}) exists already and does not belong to this deployment.",
        why="It does not carry this deployment's tag, and resources of others are never changed.",
        do=(
            "To use it, name it in the configuration where a field exists for it: it is then verified and never changed.",
            "To keep both, set another `name:` for this deployment.",
            f"If it is yours, delete it, or restore its tag {DEPLOYMENT_TAG} = {deployment}. Then see the result: `sre-agent-deploy plan`.",
        ),
    )
