"""Find the old files, and keep the originals beside the migrated file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sre_agent_deploy.backup.keep import rewrite
from sre_agent_deploy.config.document import Malformed
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.read_text import read_text
from sre_agent_deploy.edit.file import Original, read_values
from sre_agent_deploy.migrate.setting import OldFile, read_dotenv_file, read_yaml
from sre_core import clock
from sre_core.problem import Problem, Refused

# The paths of the sample, seen from its root and from its own folders.
PLACES = (
    "gateway/config.yaml",
    "gateway/.env",
    "sre_agent/.env",
    "sre_agent/config/agent_config.yaml",
    "agent_config.yaml",
    "deployment/.cognito_config",
    ".cognito_config",
)
_OF_THE_SAMPLE = frozenset({"agents", "global_tools"})


def find_old_files(folder: Path) -> tuple[Path, ...]:
    """Find the old files below a folder, and its own config.yaml and .env if the first is not in our format."""
    own = folder / "config.yaml"
    text = read_text(own) if own.is_file() else ""
    flat = isinstance(text, str) and bool(text.strip()) and not is_ours(text)
    here = [own, *([folder / ".env"] if (folder / ".env").is_file() else [])] if flat else []
    return (*here, *(folder / place for place in PLACES if (folder / place).is_file()))


def read_old(path: Path) -> OldFile | Problem:
    """Read the settings of one old file."""
    if not path.exists():
        return _missing(path)
    text = read_text(path)
    if isinstance(text, Problem):
        return text
    as_yaml = path.suffix in {".yaml", ".yml", ".json"} or text.lstrip().startswith("{")
    return read_yaml(str(path), text) if as_yaml else read_dotenv_file(str(path), text)


def _missing(path: Path) -> Problem:
    return Problem(
        code="MIGRATE-FILE-MISSING",
        what=f"There is no file or folder {path}. Nothing was migrated.",
        why="`migrate` takes the files that are to be brought to the current config.yaml, or the folder of the sample.",
        do=("Correct the path: `sre-agent-deploy migrate PATH`.", f"See what is there: ls -l {path.parent}"),
    )


def is_ours(text: str) -> bool:
    """Say whether a text is a config.yaml of this tool, of any version. A text that can't be read counts as ours and is not touched."""
    values = read_values(text)
    if isinstance(values, Malformed) or not isinstance(values, Mapping):
        return True
    return not _OF_THE_SAMPLE & values.keys() and (not values or bool(values.keys() & Config.model_fields.keys()))


def replace_original(original: Original, text: str, state_file: Path) -> list[str]:
    """Write the migrated text, keep the original beside it and in a backup, and return their paths."""
    kept = [str(_copy_original(original))] if original.body is not None else []
    backup = rewrite(original, text, state_file)
    return [*kept, *([str(backup.path)] if backup else [])]


def _copy_original(original: Original) -> Path:
    """Copy the original so that only its owner can read it: it is complete, and may hold secrets."""
    time = clock.stamp().replace("-", "").replace(":", "")
    path = original.path.with_name(f"{original.path.name}.before-migration-{time}")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(original.body or b"")
    except OSError as error:
        raise Refused(_not_kept(path, error)) from error
    return path


def _not_kept(path: Path, error: OSError) -> Problem:
    return Problem(
        code="FILE-REFUSED",
        what="Nothing was migrated.",
        why=f"The original could not be copied to {path}: {error.strerror or type(error).__name__}.",
        do=(f"Check owner and free space: ls -ld {path.parent}; df -h {path.parent}",),
    )
