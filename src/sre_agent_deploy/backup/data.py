"""Write, check and read a data backup: one zip file of what a deployment holds in AWS. Its parts are those of `contents.py`."""

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
from typing import IO, TYPE_CHECKING, Any

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
from sre_agent_deploy.resources.cognito_users import Directory
from sre_agent_deploy.resources.s3_content import StoredObject
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
        held = {"users": len(self.directory.people), "groups": len(self.directory.groups), "objects": len(self.objects)}
        return {**asdict(self.origin), **held, "secrets": "encrypted" if self.sealed else "left out", "left_out": list(self.left_out)}

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
        what="The backup was changed while it was restored. What was put back until then stays.",
        why=why,
        do=("Run the same command with a whole copy of it, or with another backup: it goes on with what is missing.",),
    )


def _too_new(schema: int) -> Problem:
    return Problem(
        code="BACKUP-TOO-NEW",
        what=f"The data backup has format {schema}; this version reads formats up to {SCHEMA}.",
        why="A newer version of sre-agent-deploy made it.",
        do=("Upgrade sre-agent-deploy in the checkout: `git pull`, then `pip install .`.", "Nothing was changed."),
    )
