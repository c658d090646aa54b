"""Decide what a restore does with each user, group, object and secret of a data backup (pure).

What was changed since the backup stays as it is, and is named; so does what was taken from a user since: access is not given back silently.
A run that was killed is continued by deciding again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from sre_agent_deploy.resources.client_secret import CLIENT_ID, CLIENT_SECRET
from sre_agent_deploy.resources.cognito_users import NEVER_SIGNED_IN, Directory, Group, Person
from sre_agent_deploy.resources.s3_content import StoredObject
from sre_core.secret import Secret

type Action = Literal["create", "update", "keep", "newer"]
type Kind = Literal["attribute", "group", "user", "member", "object", "secret"]


@dataclass(frozen=True)
class Step:
    """What is done with one thing of a backup, and why. The name of a member is the user's, `of` the group's."""

    kind: Kind
    name: str
    action: Action
    because: str
    of: str = ""


def decide_people(saved: Directory, there: Directory, made_at: str) -> Iterator[Step]:
    """Decide about own attributes, groups, users and memberships, in the order in which they need one another."""
    defined = {str(each["Name"]) for each in there.custom_attributes}
    for each in saved.custom_attributes:
        yield _missing("attribute", str(each["Name"]), str(each["Name"]) in defined)
    groups = {group.name: group for group in there.groups}
    for group in saved.groups:
        yield _missing("group", group.name, group.name in groups)
    people = {person.username: person for person in there.people}
    for person in saved.people:
        now = people.get(person.username)
        yield _decide_person(person, now, made_at)
        yield from (_decide_member(person, now, name, groups.get(name), made_at) for name in person.groups)


def _missing(kind: Kind, name: str, there: bool) -> Step:
    return Step(kind, name, "keep", "it is there") if there else Step(kind, name, "create", "the pool does not have it")


def _decide_person(saved: Person, there: Person | None, made_at: str) -> Step:
    if there is None:
        return Step("user", saved.username, "create", "the pool does not have it")
    if _has_attributes(saved, there) and there.enabled == saved.enabled:
        return Step("user", saved.username, "keep", "it is the same")
    if _is_begun(saved, there, made_at):
        return Step("user", saved.username, "update", "an earlier restore has begun it")
    if there.modified >= made_at or (saved.enabled and not there.enabled):
        return Step("user", saved.username, "newer", "it was changed since the backup")
    return Step("user", saved.username, "update", "it differs, and was not changed since the backup")


def _has_attributes(saved: Person, there: Person) -> bool:
    return saved.attributes.items() <= there.attributes.items()


def _is_begun(saved: Person, there: Person, made_at: str) -> bool:
    """Say if an earlier restore has created the user: nobody has a password for it yet."""
    return there.created >= made_at and there.status == NEVER_SIGNED_IN and _has_attributes(saved, there)


def _decide_member(saved: Person, there: Person | None, name: str, group: Group | None, made_at: str) -> Step:
    if there and name in there.groups:
        return Step("member", saved.username, "keep", "it is a member", name)
    if there is None or group is None or group.created >= made_at or _is_begun(saved, there, made_at):
        return Step("member", saved.username, "create", "it was a member", name)
    return Step("member", saved.username, "newer", f"it is no member of {name} any more", name)


def decide_object(saved: StoredObject, there: StoredObject | None, made_at: str) -> Step:
    """Decide about one object."""
    if there is None:
        return Step("object", saved.key, "create", "the bucket does not have it")
    if there.etag == saved.etag or (there.sha256 and there.sha256 == saved.sha256):
        return Step("object", saved.key, "keep", "it is the same")
    if there.modified >= made_at:
        return Step("object", saved.key, "newer", "it was changed since the backup")
    return Step("object", saved.key, "update", "it differs, and was not changed since the backup")


def decide_api_key(saved: Secret, stages: Mapping[str, Secret], *, created: str, made_at: str) -> Step:
    """Decide about the API key of the backends; `stages` has its values by their labels."""
    if stages.get("AWSCURRENT") == saved:
        begun = "AWSPREVIOUS" in stages
        return Step(
            "secret", "backend_key", "update" if begun else "keep", "an earlier restore has begun it" if begun else "it is the same"
        )
    if created >= made_at:
        return Step("secret", "backend_key", "update", "it was made again")
    return Step("secret", "backend_key", "newer", "it was rotated since the backup")


def decide_client_secret(name: str, saved: Mapping[str, Secret], now: Mapping[str, Secret]) -> Step:
    """Decide about the secret of an app client: one that Cognito has shown is right, and another client has its own."""
    if saved.get(CLIENT_ID) != now.get(CLIENT_ID):
        return Step("secret", name, "keep", "the app client is a new one: programs need its own secret")
    if now.get(CLIENT_SECRET):
        return Step("secret", name, "keep", "it is there")
    return Step("secret", name, "update", "Cognito does not show a secret that was rotated")


def take_theirs(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Replace also what is newer: the user has chosen the backup's."""
    return tuple(replace(step, action="update", because=f"{step.because}; replaced") if step.action == "newer" else step for step in steps)


def describe_steps(steps: tuple[Step, ...]) -> tuple[str, ...]:
    """Say in lines what the steps do: a count for each kind, and the names of what is newer."""
    counts: Mapping[Kind, str] = {kind: _count([step for step in steps if step.kind == kind]) for kind in _KINDS}
    lines = [f"  {_KINDS[kind]:16} {count}" for kind, count in counts.items() if count]
    newer = [step for step in steps if step.action == "newer"]
    return (*lines, *(f"  stays as it is: {step.kind} {step.name}: {step.because}" for step in newer))


_KINDS: Mapping[Kind, str] = {
    "attribute": "own attributes",
    "group": "groups",
    "user": "users",
    "member": "memberships",
    "object": "objects",
    "secret": "secrets",
}
_SAID: Mapping[Action, str] = {"create": "to put back", "update": "to replace", "keep": "there already", "newer": "newer than the backup"}


def _count(steps: list[Step]) -> str:
    counts = {said: sum(step.action == action for step in steps) for action, said in _SAID.items()}
    return ", ".join(f"{number} {said}" for said, number in counts.items() if number)
