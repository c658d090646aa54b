"""Logs in files: each `*.log` below a folder is a service, named by its file, or by its folder where that has several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from sre_core.problem import Problem
from sre_services.logs.at_hand import Fetched, FetchedLogs
from sre_services.logs.lines import parse_lines
from sre_services.logs.model import LogFilter, LogRecord
from sre_services.logs.selection import BY_TIME
from sre_services.sources.settings import Settings
from sre_services.timespan import Window

# The newest end of a file is read; a line is cut off at its beginning.
_MOST_BYTES = 64 * 2**20
_PATTERNS = ("*.log", "*.log.[0-9]*", "*.jsonl")


class LogFiles(FetchedLogs):
    """Reads the files that were written to since a window began."""

    MOST = f"{_MOST_BYTES // 2**20} MiB"

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        super().__init__()
        self._folder = folder
        self._most_bytes = most_bytes

    def services(self) -> tuple[str, ...]:
        return tuple(sorted(self._by_service()))

    def fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Fetched:
        files = self._by_service()
        read = {path: _read(path, service, where.window, self._most_bytes) for service in services for path in files.get(service, ())}
        parts = [sorted((record for path in files.get(service, ()) for record in read[path]), key=BY_TIME) for service in services]
        return Fetched(parts, {str(path) for path, found in read.items() if self._has_more(path, found, where.window)})

    def _has_more(self, path: Path, found: Sequence[LogRecord], window: Window) -> bool:
        """True if the part of a file that was not read may be of this window."""
        return bool(found) and found[0].time > window.start and path.stat().st_size > self._most_bytes

    def check(self) -> Problem | None:
        """Explain why there is nothing to read; None where there is."""
        return None if any(self._files()) else _no_files(self._folder)

    def _by_service(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for folder, paths in groupby(sorted(self._files()), key=lambda path: path.parent):
            several = list(paths)
            for path in several:
                # A folder of its own for each service holds its log, and those that were rotated away.
                own = path.name.partition(".")[0]
                found[own if folder == self._folder else folder.name].append(path)
        return found

    def _files(self) -> Iterator[Path]:
        return (path for pattern in _PATTERNS for path in self._folder.rglob(pattern) if path.is_file())


def open_provider(settings: Settings) -> LogFiles:
    """Open the folder at `path`."""
    return LogFiles(Path(settings.require("path")).expanduser())


def _read(path: Path, service: str, window: Window, most: int) -> list[LogRecord]:
    """Read the records of a file; none where it was last written to before the window."""
    try:
        about = path.stat()
        if about.st_mtime < window.start.timestamp():
            return []
        with path.open("rb") as file:
            file.seek(max(0, about.st_size - most))
            text = file.read(most).decode("utf-8", "replace")
    except OSError:
        # Rotated away meanwhile, or not ours to read: check() and the other files say more.
        return []
    return list(parse_lines(text.splitlines(), service))


def _no_files(folder: Path) -> Problem:
    return Problem(
        code="SVC-SOURCE-NO-FILES",
        what=f"There is no log file below {folder}.",
        why="It must be a folder that the service may read, with files such as NAME.log or NAME/NAME.log in it.",
        do=(f"Look: ls -lR {folder}", "Correct `path` of this source in config.yaml, and deploy again."),
    )
