"""The original stays beside the migrated file."""

from __future__ import annotations

import os
from pathlib import Path

from sre_agent_deploy.backup.keep import rewrite
from sre_agent_deploy.edit.file import Original
from sre_core import clock
from sre_core.problem import Problem, Refused


def replaced(original: Original, text: str, state_file: Path) -> list[str]:
    """Write the migrated text; what was there before stays beside it and in a backup. Answers where."""
    kept = [str(_beside(original))] if original.body is not None else []
    backup = rewrite(original, text, state_file)
    return [*kept, *([str(backup.path)] if backup else [])]


def _beside(original: Original) -> Path:
    """A copy that only its owner can read: an old file may hold secrets, and this is the whole of it."""
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
        code="MIGRATE-NOT-KEPT",
        what="Nothing was migrated.",
        why=f"The original could not be kept as {path}: {error.strerror or type(error).__name__}.",
        do=(f"Make room and give yourself the right to write in {path.parent}, then run the same command again.",),
    )
