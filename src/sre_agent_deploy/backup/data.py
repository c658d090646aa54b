"""A data backup: one zip file of what a deployment holds in AWS, and the decision what a restore does with each part of it.

Its parts are those of `contents.py`. What was changed since the backup stays as it is, and is named; so does what was taken from a user
since: access is not given back silently. A run that was killed is continued by deciding again.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from sre_agent_deploy.backup.contents import (
    CONFIGURATION,
    KIND,
    OBJECTS,
    SCHEMA,
    SECRETS,
    STATE,
    USERS,
    Origin,
    Secrets,
    Writer,
    copy,
    find_damage,
    read_manifest,
    read_part,
    unseal,
)
from sre_agent_deploy.backup.keep import Archive, damaged, open_backup, unpack
from sre_agent_deploy.resources.cognito_users import NEVER_SIGNED_IN, Directory, Group, Person
from sre_agent_deploy.resources.s3_content import StoredObject
from sre_agent_deploy.resources.secretsmanager_secret import CLIENT_ID, CLIENT_SECRET
from sre_core import atomic_file
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

if TYPE_CHECKING:
    from pydantic import TypeAdapter


type OpenObject = Callable[[StoredObject], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, kw_only=True)
class DataBackup:
    """A data backup whose every part has been checked. Objects stay in the file until they are needed."""

    path: Path
    origin: Origin
    configuration: bytes
    directory: Directory
    objects: tuple[StoredObject, ...]
    state: bytes = b""
    sealed: bytes = b""
    left_out: tuple[str, ...] = ()
    digests: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Say what it has, for people and programs."""
        counts = {"users": len(self.directory.people), "groups": len(self.directory.groups), "objects": len(self.objects)}
        return {**asdict(self.origin), **counts, "secrets": "encrypted" if self.sealed else "left out", "left_out": list(self.left_out)}

    def open_secrets(self, passphrase: Secret) -> Secrets | Problem:
        """Decrypt the secrets. They name the checksums of the other parts, so that no part can be exchanged for another."""
        content = unseal(self.sealed, passphrase)
        if isinstance(content, Problem):
            return content
        document = json.loads(content)
        if document["files"] != {name: digest for name, digest in self.digests.items() if name != SECRETS}:
            return damaged("Its parts are not those that it was encrypted with.")
        values = {name: {key: Secret(value) for key, value in parts.items()} for name, parts in document["values"].items()}
        return Secrets(values=values, dotenv=document["dotenv"])

    @contextmanager
    def open_objects(self) -> Iterator[OpenObject]:
        """Open the file once, for the content of all objects: its directory is read each time, and may have thousands.

        What opens one object raises Refused if its content is not what was checked.
        """
        try:
            file = zipfile.ZipFile(self.path)
        except _UNREADABLE as error:
            raise Refused(_changed(f"{self.path} can't be opened any more ({type(error).__name__}).")) from error
        with file:
            yield partial(self._open_object, file)

    @contextmanager
    def _open_object(self, file: zipfile.ZipFile, stored: StoredObject) -> Iterator[IO[bytes]]:
        with tempfile.TemporaryFile() as content:
            if not self._copy_object(file, stored, content):
                raise Refused(_changed(f"The content of {stored.key} is not what was checked."))
            content.seek(0)
            yield content

    def _copy_object(self, file: zipfile.ZipFile, stored: StoredObject, content: IO[bytes]) -> bool:
        try:
            with file.open(stored.part) as part:
                return copy(part, content) == self.digests[stored.part]
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError):
            return False


def write_data(path: Path, fill: Callable[[Writer], None]) -> DataBackup:
    """Write a backup, check it, and only then give it its name. Raises Refused if it does not check, and OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=path.parent) as file:
        fill(Writer(file))
        checked = _read(file, path)
        if isinstance(checked, Problem):
            raise Refused(checked)
        file.seek(0)
        with atomic_file.replace(path, mode=0o600) as named:
            copy(file, named)
    return checked


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A backup of either kind, and its secrets if the passphrase was given."""

    archive: Archive
    data: DataBackup | None = None
    secrets: Secrets | None = None


def open_any(path: Path, passphrase: Secret | None = None) -> Opened | Problem:
    """Open the backup of a configuration, or a data backup, which has one in it."""
    if not is_data(path):
        archive = open_backup(path)
        return archive if isinstance(archive, Problem) else Opened(archive=archive)
    data = open_data(path)
    if isinstance(data, Problem):
        return data
    archive = unpack(data.configuration)
    secrets = data.open_secrets(passphrase) if passphrase and data.sealed else None
    if isinstance(archive, Problem) or isinstance(secrets, Problem):
        return archive if isinstance(archive, Problem) else secrets  # type: ignore[return-value]  # one of the two is one
    return Opened(archive=replace(archive, opened=secrets.dotenv if secrets else ""), data=data, secrets=secrets)


def is_data(path: Path) -> bool:
    """Return True if a file says that it is a data backup, whole or not."""
    try:
        with zipfile.ZipFile(path) as file:
            return bool(read_manifest(file).get("kind") == KIND)
    except _UNREADABLE:
        return False


def open_data(path: Path) -> DataBackup | Problem:
    """Open a data backup after every checksum was verified; nothing is written to disk."""
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except OSError as error:
        return damaged(f"It can't be read: {error.strerror or type(error).__name__}.")


_UNREADABLE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, KeyError, ValueError, TypeError)


def _read(file: Any, path: Path) -> DataBackup | Problem:
    try:
        with zipfile.ZipFile(file) as archive:
            manifest = read_manifest(archive)
            if manifest.get("kind") != KIND:
                return no_data(path)
            if manifest["schema"] > SCHEMA:
                return _too_new(manifest["schema"])
            if broken := find_damage(archive, manifest):
                return damaged(broken)
            return _parse(archive, manifest, path)
    except _UNREADABLE as error:
        # pydantic's errors are ValueErrors, and would quote what they found.
        return damaged(f"It is truncated or was changed ({type(error).__name__}).")


def _parse(archive: zipfile.ZipFile, manifest: Mapping[str, Any], path: Path) -> DataBackup:
    def part(name: str) -> bytes:
        return read_part(archive, name) if name in manifest["files"] else b""

    objects = _adapter(tuple[StoredObject, ...]).validate_json(part(OBJECTS))
    if any(each.part not in manifest["files"] for each in objects):
        raise ValueError("an object without content")
    return DataBackup(
        path=path,
        origin=Origin(**{name: str(manifest[name]) for name in (each.name for each in fields(Origin))}),
        configuration=part(CONFIGURATION),
        directory=_adapter(Directory).validate_json(part(USERS)),
        objects=objects,
        state=part(STATE),
        sealed=part(SECRETS),
        left_out=tuple(map(str, manifest["left_out"])),
        digests={name: each["sha256"] for name, each in manifest["files"].items()},
    )


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def no_data(path: Path) -> Problem:
    """Build the problem of a file that has no data to restore."""
    return Problem(
        code="BACKUP-NO-DATA",
        what=f"{path} is no data backup. Nothing was changed.",
        why="It is the backup of a configuration, or another zip file.",
        do=(
            f"Restore the configuration in it: `sre-agent-deploy restore {path}`, without --data.",
            "A data backup is made by `sre-agent-deploy backup --data`.",
        ),
    )


def _changed(why: str) -> Problem:
    return Problem(
        code="BACKUP-DAMAGED",
        what="The backup was changed while it was being restored. What was restored before that stays.",
        why=why,
        do=("Restore from an undamaged copy of it, or from another backup: only what is missing is restored.",),
    )


def _too_new(schema: int) -> Problem:
    return Problem(
        code="BACKUP-TOO-NEW",
        what=f"The data backup has format {schema}; this version reads formats up to {SCHEMA}.",
        why="A newer version of sre-agent-deploy made it.",
        do=("Upgrade sre-agent-deploy in the checkout: `git pull`, then `pip install .`.", "Nothing was changed."),
    )


type Action = Literal["create", "update", "keep", "newer"]
type Kind = Literal["attribute", "group", "user", "member", "object", "secret"]


@dataclass(frozen=True)
class Step:
    """The restore of one thing of a backup: what is done, and why. The name of a member is the user's, `of` the group's."""

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
    """Return True if an earlier restore has created the user: it has no known password yet."""
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
