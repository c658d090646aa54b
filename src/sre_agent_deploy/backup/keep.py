"""START HERE: back up a configuration, also before each write of ours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre_agent_deploy.backup.archive import LARGEST, Archive, damaged, pack, unpack
from sre_agent_deploy.backup.hiding import hide_in_dotenv, hide_secrets
from sre_agent_deploy.config import edit
from sre_agent_deploy.config.edit import Original
from sre_agent_deploy.config.environment import find_setting_names, read_dotenv
from sre_agent_deploy.config.read_text import read_text
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.journal.store import FileStore
from sre_core import atomic_file, clock
from sre_core.problem import Problem, Refused
from sre_core.state_folder import problem_behind, state_folder


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
    edit.replace(original, text)
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
