"""Runbooks of a folder of the machine that the service runs on."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from sre_core.problem import Problem, Refused
from sre_services.runbooks.files import MOST_BYTES, MOST_FILES, FileLibrary, Files
from sre_services.sources.settings import Settings


def open_provider(settings: Settings) -> FileLibrary:
    """Open the folder at `path`."""
    folder = Path(settings.require("path"))
    return FileLibrary(str(folder), lambda: _read(folder))


def _read(folder: Path) -> Files:
    try:
        files = (path for path in sorted(folder.rglob("*.md")) if path.is_file() and path.stat().st_size <= MOST_BYTES)
        return {str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace") for path in islice(files, MOST_FILES)}
    except OSError as fault:
        raise Refused(_unreadable(folder, fault)) from None


def _unreadable(folder: Path, fault: OSError) -> Problem:
    return Problem(
        code="SVC-SOURCE-NO-FILES",
        what=f"The runbooks in {folder} can't be read.",
        why=f"{fault.strerror or fault}.",
        do=(f"Look: ls -lR {folder}", "Correct `path` of this source in config.yaml, and deploy again."),
    )
