"""Pack a backup into one zip file, whose manifest has the checksum of every part (pure).

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
from typing import Any

from sre_agent_deploy.config.environment import read_dotenv
from sre_core.problem import Problem
from sre_core.redaction import HIDDEN

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
