"""START HERE: back up a configuration into one zip file, whose manifest has the checksum of every part; also before each write of ours.

The same parts make the same bytes, so two backups of one configuration are one.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sre_agent_deploy.backup.hiding import hide_in_dotenv, hide_secrets
from sre_agent_deploy.config import text_file
from sre_agent_deploy.config.environment import find_setting_names, read_dotenv
from sre_agent_deploy.config.text_file import Original, read_text
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import FileStore
from sre_core import atomic_file, clock
from sre_core.problem import Problem, Refused
from sre_core.redaction import HIDDEN
from sre_core.state_folder import problem_behind, state_folder

SCHEMA = 1
LARGEST = 1024 * 1024
MANIFEST = "manifest.json"
ENVIRONMENT = "environment.json"
STATE = "state.json"
DOTENV = "dotenv"
_OLDEST = (1980, 1, 1, 0, 0, 0)  # the earliest time in a zip; backups have no time


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A backup of every setting of a deployment. It holds no secret: `hidden` lists where one was left out."""

    config_name: str
    config: bytes
    environment: tuple[str, ...] = ()
    """The names in the .env file beside the configuration."""
    dotenv: str = ""
    """That file, with the values of its settings only; a backup of an earlier version has none of it."""
    state: Mapping[str, Any] | None = None
    hidden: tuple[str, ...] = ()
    opened: str = field(default="", repr=False)
    """The whole .env file, where the passphrase of a data backup has opened it. It is never packed."""

    @property
    def withheld(self) -> tuple[str, ...]:
        """The variables whose values are not in this backup, because they may be secrets."""
        values = {**read_dotenv(self.dotenv)[0], **read_dotenv(self.opened)[0]}
        return tuple(name for name in self.environment if values.get(name, HIDDEN) == HIDDEN)


def pack(archive: Archive) -> bytes:
    """Pack the archive into a zip file."""
    parts = {archive.config_name: archive.config, ENVIRONMENT: _json({"names": list(archive.environment)})}
    if archive.state is not None:
        parts[STATE] = _json(archive.state)
    if archive.dotenv:
        parts[DOTENV] = archive.dotenv.encode()
    files = {name: {"sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)} for name, body in parts.items()}
    manifest = {
        "schema": SCHEMA,
        "written_by": "sre-agent-deploy",
        "config": archive.config_name,
        "files": files,
        "hidden": list(archive.hidden),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as file:
        for name, body in {MANIFEST: _json(manifest), **parts}.items():
            entry = zipfile.ZipInfo(name, date_time=_OLDEST)
            entry.create_system = 3
            entry.external_attr = 0o600 << 16
            file.writestr(entry, body)
    return buffer.getvalue()


def unpack(body: bytes) -> Archive | Problem:
    """Unpack a zip file after its manifest and every checksum were verified; nothing is written to disk."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as file:
            sizes = [entry.file_size for entry in file.infolist()]
            if sum(sizes) > LARGEST:
                return damaged("It holds more than any configuration.")
            parts = {entry.filename: file.read(entry) for entry in file.infolist()}
        manifest = json.loads(parts.pop(MANIFEST))
        if manifest["schema"] > SCHEMA:
            return _too_new(manifest["schema"])
        return _check(manifest, parts, doubled=len(sizes) != len(parts) + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        return damaged(f"It can't be unpacked: {type(error).__name__}.")
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return damaged(f"Its manifest is missing or invalid ({type(error).__name__}).")


def _check(manifest: Mapping[str, Any], parts: Mapping[str, bytes], *, doubled: bool) -> Archive | Problem:
    files = manifest["files"]
    if doubled or files.keys() != parts.keys():
        return damaged("Its files are not those of its manifest.")
    wrong = [name for name, body in parts.items() if hashlib.sha256(body).hexdigest() != files[name]["sha256"]]
    if wrong:
        return damaged(f"The checksum of {', '.join(sorted(wrong))} differs from the manifest.")
    return Archive(
        config_name=str(manifest["config"]),
        config=parts[manifest["config"]],
        environment=tuple(map(str, json.loads(parts[ENVIRONMENT])["names"])),
        dotenv=parts.get(DOTENV, b"").decode(),
        state=json.loads(parts[STATE]) if STATE in parts else None,
        hidden=tuple(map(str, manifest["hidden"])),
    )


def _json(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def damaged(why: str) -> Problem:
    """Build the problem of a file that is no complete backup."""
    return Problem(
        code="BACKUP-DAMAGED",
        what="The backup can't be used.",
        why=why,
        do=("Use another backup; `sre-agent-deploy backup --list` shows those of this machine.", "Nothing was changed."),
    )


def _too_new(schema: int) -> Problem:
    return Problem(
        code="BACKUP-TOO-NEW",
        what=f"The backup has format {schema}; this version reads formats up to {SCHEMA}.",
        why="A newer version of sre-agent-deploy made it.",
        do=("Upgrade sre-agent-deploy in the checkout: `git pull`, then `pip install .`.", "Nothing was changed."),
    )


@dataclass(frozen=True)
class Kept:
    """A backup that was made, with its path."""

    path: Path
    archive: Archive
    sha256: str


def collect(original: Original, state_file: Path) -> Archive:
    """Collect everything that a backup of this configuration holds."""
    safe = hide_secrets(original.text)
    body = original.body or b""
    dotenv = read_dotenv_beside(original.path)
    return Archive(
        config_name=original.path.name,
        config=safe.text.encode() if safe.where else body,
        environment=tuple(sorted(read_dotenv(dotenv)[0])),
        dotenv=hide_in_dotenv(dotenv, set(find_setting_names(original.text, dotenv))).text,
        state=_summarize_state(state_file),
        hidden=safe.where,
    )


def back_up(original: Original, state_file: Path, *, to: Path | None = None) -> Kept:
    """Write the backup to `to`, or to the backup folder, where an identical one is not written twice."""
    archive = collect(original, state_file)
    body = pack(archive)
    digest = hashlib.sha256(body).hexdigest()
    there = next((path for path in list_backups(original.path) if path.stem.endswith(digest[:12])), None) if to is None else None
    path = to or there or backup_folder() / f"{original.path.stem}-{_format_time()}-{digest[:12]}.zip"
    if there is None:
        _save(path, body)
    return Kept(path, archive, digest)


def rewrite(original: Original, text: str, state_file: Path) -> Kept | None:
    """Back up a configuration, then replace it. Return the backup, or None if there was no file."""
    kept = back_up(original, state_file) if original.body is not None else None
    text_file.replace(original, text)
    return kept


def open_backup(path: Path) -> Archive | Problem:
    """Open a backup file."""
    try:
        with path.open("rb") as stream:
            body = stream.read(2 * LARGEST + 1)
    except OSError as error:
        return _missing(path, error)
    return (
        damaged("It is larger than any backup of a configuration, and no whole data backup.") if len(body) > 2 * LARGEST else unpack(body)
    )


def backup_folder() -> Path:
    """Return the folder of this machine's backups."""
    return state_folder() / "backups"


def list_backups(config: Path) -> tuple[Path, ...]:
    """List this machine's backups of configurations with this name, oldest first."""
    return tuple(sorted(backup_folder().glob(f"{config.stem}-2*.zip")))


def _format_time() -> str:
    return clock.stamp().replace("-", "").replace(":", "")


def _save(path: Path, body: bytes) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        atomic_file.write(path, body, mode=0o600)
    except OSError as error:
        raise Refused(problem_behind(error) or not_made(path, error)) from error


def read_dotenv_beside(config: Path) -> str:
    """Read the .env file beside a configuration. An unreadable one does not prevent the backup."""
    path = config.parent / ".env"
    text = read_text(path) if path.is_file() else ""
    return "" if isinstance(text, Problem) else text


def _summarize_state(state_file: Path) -> dict[str, Any] | None:
    """Summarize the resources in the state. An unreadable state does not prevent the backup."""
    state = FileStore(state_file).load()
    if not isinstance(state, State):
        return None
    resources = [
        {"name": record.name, "kind": record.kind, "id": record.id, "phase": record.phase, "named": record.named}
        for record in state.alive()
    ]
    return {
        "deployment": state.deployment,
        "account": state.account,
        "region": state.region,
        "mode": state.mode,
        "verified_at": state.verified_at,
        "resources": resources,
    }


def _missing(path: Path, error: OSError) -> Problem:
    return Problem(
        code="BACKUP-MISSING",
        what=f"{path} can't be read.",
        why=error.strerror or type(error).__name__,
        do=("List the backups of this machine: `sre-agent-deploy backup --list`.", "Nothing was changed."),
    )


def not_made(path: Path, error: OSError) -> Problem:
    return Problem(
        code="BACKUP-NOT-MADE",
        what=f"The backup {path} was not made.",
        why=error.strerror or type(error).__name__,
        do=(
            f"Check owner and free space: ls -ld {path.parent}; df -h {path.parent}",
            "Or choose another folder: export SRE_AGENT_STATE_DIR=PATH",
            "Nothing was changed: no configuration is written without a backup of what it was.",
        ),
    )
