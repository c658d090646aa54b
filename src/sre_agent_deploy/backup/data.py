"""A data backup: one zip file of what a deployment holds in AWS, with a manifest of every part's checksum.

Parts: the configuration's own backup, the state, people and groups, a list of objects and each object, and the encrypted secrets.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, ClassVar

from sre_agent_deploy.backup.archive import Archive, damaged, unpack
from sre_agent_deploy.backup.keep import open_backup
from sre_agent_deploy.backup.sealed import seal, unseal
from sre_agent_deploy.resources.cognito_users import Directory
from sre_agent_deploy.resources.s3_content import StoredObject
from sre_core import atomic_file
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

if TYPE_CHECKING:
    from pydantic import TypeAdapter

KIND = "sre-agent data backup"
SCHEMA = 1
MANIFEST, CONFIGURATION, STATE, USERS, OBJECTS, SECRETS = (
    "manifest.json",
    "configuration.zip",
    "state.json",
    "users.json",
    "objects.json",
    "secrets.sealed",
)
_LARGEST_TEXT = 256 * 1024 * 1024
_CHUNK = 1024 * 1024
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_READ: Mapping[str, Any] = {"extra": "forbid"}


type OpenObject = Callable[[StoredObject], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """When a backup was made, and of what."""

    made_at: str
    account: str
    region: str
    deployment: str
    name: str
    mode: str
    release: str

    __pydantic_config__: ClassVar[Any] = _READ


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """What only the passphrase opens: values by the name of their resource, and the whole .env file."""

    values: Mapping[str, Mapping[str, Secret]]
    dotenv: str = field(default="", repr=False)


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
                return _copy(part, content) == self.digests[stored.part]
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError):
            return False


class Writer:
    """Adds the parts of a backup one by one; the manifest comes last."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED)
        self._files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, content: bytes) -> None:
        with tempfile.SpooledTemporaryFile(_CHUNK) as spooled:
            spooled.write(content)
            self.add_file(name, spooled)

    def add_file(self, name: str, content: Any) -> str:
        """Add a part from a file, from its beginning, and return its checksum."""
        content.seek(0)
        with self._zip.open(_entry(name), "w", force_zip64=True) as part:
            digest = _copy(content, part)
        self._files[name] = {"sha256": digest, "bytes": content.tell()}
        return digest

    def add_secrets(self, secrets: Secrets, passphrase: Secret) -> None:
        values = {name: {key: value.reveal() for key, value in parts.items()} for name, parts in secrets.values.items()}
        files = {name: each["sha256"] for name, each in self._files.items()}
        self.add(SECRETS, seal(_json({"values": values, "dotenv": secrets.dotenv, "files": files}), passphrase))

    def finish(self, origin: Origin, left_out: tuple[str, ...]) -> None:
        manifest = {"kind": KIND, "schema": SCHEMA, **asdict(origin), "left_out": list(left_out), "files": self._files}
        self._zip.writestr(_entry(MANIFEST), _json(manifest))
        self._zip.close()


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
            _copy(file, named)
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
            return bool(_read_manifest(file).get("kind") == KIND)
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
            manifest = _read_manifest(archive)
            if manifest.get("kind") != KIND:
                return no_data(path)
            if manifest["schema"] > SCHEMA:
                return _too_new(manifest["schema"])
            return _find_damage(archive, manifest) or _parse(archive, manifest, path)
    except _UNREADABLE as error:
        # pydantic's errors are ValueErrors, and would quote what they found.
        return damaged(f"It is truncated or was changed ({type(error).__name__}).")


def _read_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    manifest = json.loads(_read_part(archive, MANIFEST))
    return manifest if isinstance(manifest, dict) else {}


def _find_damage(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> Problem | None:
    """Compare every part with the manifest."""
    names = [entry.filename for entry in archive.infolist() if entry.filename != MANIFEST]
    if sorted(names) != sorted(manifest["files"]):
        return damaged("Its parts are not those of its manifest.")
    wrong = [name for name in names if _digest(archive, name) != manifest["files"][name]["sha256"]]
    return damaged(f"The checksum of {', '.join(sorted(wrong))} differs from the manifest.") if wrong else None


def _parse(archive: zipfile.ZipFile, manifest: Mapping[str, Any], path: Path) -> DataBackup:
    def part(name: str) -> bytes:
        return _read_part(archive, name) if name in manifest["files"] else b""

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


def _read_part(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _LARGEST_TEXT:
        raise ValueError(name)
    return archive.read(name)


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as part:
        return hashlib.file_digest(part, "sha256").hexdigest()  # type: ignore[arg-type]  # a zip's part can be read like a file


def _copy(source: Any, target: Any) -> str:
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=_EARLIEST)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = 3
    entry.external_attr = 0o600 << 16
    return entry


def render_part(content: Any) -> bytes:
    """Render users or objects as the document that a backup holds."""
    return _json(asdict(content) if not isinstance(content, tuple) else [asdict(each) for each in content])


def _json(document: Any) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


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
