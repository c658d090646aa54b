"""Read and pack the contents of a data backup: users and objects from AWS, with checksums; secrets are encrypted with a passphrase.

The machine's daily backup runs this too, so it imports nothing that a release does not bring along. The first line of the encrypted
secrets says how the key was made (scrypt), the second is Fernet's token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.resource import DEPLOYMENT_TAG, NAME_TAG
from sre_agent_deploy.resources.cognito_users import EXTERNAL, Directory, read_directory
from sre_agent_deploy.resources.s3_content import LARGEST, StoredObject, download, list_keys
from sre_core.machine import BACKUPS_FOLDER
from sre_core.problem import Problem
from sre_core.secret import Secret

if TYPE_CHECKING:
    from sre_agent_deploy.aws import Aws


PASSPHRASE_VARIABLE = "SRE_AGENT_BACKUP_PASSPHRASE"  # noqa: S105  # the name of a variable
SHORTEST = 12
# Cost and block size: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
_COST, _BLOCKS = 2**17, 8
_HIGHEST_COST = 2**20


def seal(content: bytes, passphrase: Secret) -> bytes:
    """Encrypt content with a key that is made of the passphrase and a new salt."""
    from cryptography.fernet import Fernet

    how = {"cost": _COST, "kdf": "scrypt", "salt": base64.b64encode(os.urandom(16)).decode()}
    return json.dumps(how).encode() + b"\n" + Fernet(_derive_key(how, passphrase)).encrypt(content) + b"\n"


def unseal(sealed: bytes, passphrase: Secret) -> bytes | Problem:
    """Decrypt what `seal` made. The wrong passphrase and changed content are one problem: they can't be distinguished."""
    from cryptography.fernet import Fernet, InvalidToken

    line, _, token = sealed.partition(b"\n")
    try:
        return Fernet(_derive_key(json.loads(line), passphrase)).decrypt(token.strip())
    except (InvalidToken, ValueError, KeyError, TypeError):
        return _wrong()


def judge_passphrase(passphrase: Secret) -> Problem | None:
    """Refuse a passphrase that is guessed quickly."""
    return _short() if len(passphrase.reveal()) < SHORTEST else None


def _derive_key(how: dict[str, Any], passphrase: Secret) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    # A cost from a file that was edited could take all memory.
    if how["kdf"] != "scrypt" or not 1 < how["cost"] <= _HIGHEST_COST:
        raise ValueError(how["kdf"])
    salt = base64.b64decode(how["salt"], validate=True)
    return base64.urlsafe_b64encode(Scrypt(salt=salt, length=32, n=how["cost"], r=_BLOCKS, p=1).derive(passphrase.reveal().encode()))


def _short() -> Problem:
    return Problem(
        code="BACKUP-PASSPHRASE-SHORT",
        what=f"The passphrase has fewer than {SHORTEST} characters. Nothing was written.",
        why="Anyone who gets the file could guess it, and would have every secret in it.",
        do=("Let one be generated, and keep it where the backup is not: openssl rand -base64 24",),
    )


def _wrong() -> Problem:
    return Problem(
        code="BACKUP-PASSPHRASE-WRONG",
        what="The secrets in the backup can't be decrypted. Nothing was changed.",
        why="The passphrase is another one, or the encrypted part was changed.",
        do=(
            "Give the passphrase that this backup was made with: --passphrase-file FILE.",
            "Or restore all but the secrets: leave the passphrase out. They are then made again.",
        ),
    )


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
REPORT = "backup"
"""The report of the last scheduled backup, beside the other reports of a machine."""
SOURCE = "source.json"
"""Of what a backup is made: the part of BACKUP_SOURCE_FILE that is not in a backup."""


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

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    @property
    def file_name(self) -> str:
        return f"data-{self.deployment}-{self.made_at.replace('-', '').replace(':', '')}.zip"


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The values that only the passphrase opens, by the name of their resource, and the whole .env file."""

    values: Mapping[str, Mapping[str, Secret]]
    dotenv: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Content:
    """Where the data of a deployment is: its pool, empty where that is others', and its bucket below a prefix."""

    deployment: str
    user_pool_id: str
    bucket: str
    within: str
    """The prefix below which the bucket is the deployment's; empty: all of it."""
    ours: str
    """The prefix of what a deployment stores itself."""
    state_location: str = ""
    """The state, if it is in S3: a backup has it already, and an old one must never replace it."""

    def is_saved(self, key: str) -> bool:
        """Say if an object is worth a backup: no report of a machine, no other backup, and neither the state nor its lock."""
        of_state = self.state_location and f"s3://{self.bucket}/{key}".startswith(self.state_location)
        return not (of_state or key.startswith((f"{self.ours}status/", f"{self.ours}{BACKUPS_FOLDER}/")))


class Writer:
    """Adds the parts of a backup one by one, and the manifest at the end."""

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
            digest = copy(content, part)
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


def save_people(aws: Aws, content: Content, writer: Writer, left_out: list[str]) -> Directory:
    """Save everybody in the pool but users of an identity provider. Raises Refused where the pool can't be read."""
    if not content.user_pool_id:
        left_out.append("the users: the user pool is not this deployment's own")
    found = ask_or_refuse(aws, partial(read_directory, aws, content.user_pool_id)) if content.user_pool_id else Directory()
    own = tuple(person for person in found.people if person.status != EXTERNAL)
    if outside := len(found.people) - len(own):
        left_out.append(f"{outside} users of an identity provider: they come back when they sign in")
    saved = replace(found, people=own)
    writer.add(USERS, render_part(saved))
    return saved


def save_objects(aws: Aws, content: Content, writer: Writer, left_out: list[str]) -> tuple[StoredObject, ...]:
    """Save each object but those that a deployment stores itself. Raises Refused where one can't be read."""
    saved = tuple(_save_each(aws, content, writer, left_out)) if content.bucket else ()
    writer.add(OBJECTS, render_part(saved))
    return saved


def _save_each(aws: Aws, content: Content, writer: Writer, left_out: list[str]) -> Iterator[StoredObject]:
    listed = ask_or_refuse(aws, partial(list_keys, aws, content.bucket, content.within))
    for number, (key, size) in enumerate(listed):
        if not content.is_saved(key):
            continue
        if size > LARGEST:
            left_out.append(f"{key}: it is larger than 5 GiB")
            continue
        with tempfile.TemporaryFile() as body:
            stored = ask_or_refuse(aws, partial(download, aws, content.bucket, key, body))
            # The release and the OpenAPI documents have the tags of resources.
            if stored and not (stored.tags.get(DEPLOYMENT_TAG) == content.deployment and NAME_TAG in stored.tags):
                part = f"objects/{number:06}"
                yield replace(stored, part=part, sha256=writer.add_file(part, body))


def read_manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    """Read the manifest of a backup; empty where it is none."""
    manifest = json.loads(read_part(archive, MANIFEST))
    return manifest if isinstance(manifest, dict) else {}


def read_part(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read a part that is no object. Raises ValueError for one that is larger than any."""
    if archive.getinfo(name).file_size > _LARGEST_TEXT:
        raise ValueError(name)
    return archive.read(name)


def find_damage(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> str:
    """Compare every part with the manifest; empty where all is as it was written."""
    names = [entry.filename for entry in archive.infolist() if entry.filename != MANIFEST]
    if sorted(names) != sorted(manifest["files"]):
        return "Its parts are not those of its manifest."
    wrong = [name for name in names if _digest(archive, name) != manifest["files"][name]["sha256"]]
    return f"The checksum of {', '.join(sorted(wrong))} differs from the manifest." if wrong else ""


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as part:
        return hashlib.file_digest(part, "sha256").hexdigest()  # type: ignore[arg-type]  # a zip's part can be read like a file


def copy(source: Any, target: Any) -> str:
    """Copy a file to its end, and return the SHA-256 of what was copied."""
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
