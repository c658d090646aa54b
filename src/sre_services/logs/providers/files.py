"""Logs in files: each `*.log` below a folder is a service, named by its file, or by its folder where that has several."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from sre_core.problem import Problem, Refused
from sre_services.logs.at_hand import Fetched, FetchedLogs
from sre_services.logs.file_search import MOST_MATCHES, Found, read_records
from sre_services.logs.model import LogFilter
from sre_services.logs.selection import BY_TIME
from sre_services.sources.settings import Settings

# More of a file is only searched, for what a filter names.
_MOST_BYTES = 64 * 2**20
# All files together; the assistant waits ten.
_SEARCH_SECONDS = 4.0
_PATTERNS = ("*.log", "*.log.[0-9]*", "*.jsonl")


class LogFiles(FetchedLogs):
    """Reads the files that were written to since a window began."""

    MOST = f"{_MOST_BYTES // 2**20} MiB, {MOST_MATCHES:,} matches or what {_SEARCH_SECONDS:.0f} seconds find"

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES, search_seconds: float = _SEARCH_SECONDS) -> None:
        super().__init__()
        self._folder = folder
        self._most_bytes, self._search_seconds = most_bytes, search_seconds

    def services(self) -> tuple[str, ...]:
        return tuple(sorted(self._by_service()))

    def fetch(self, where: LogFilter, services: Sequence[str], newest: int | None) -> Fetched:
        files = self._by_service()
        wanted = [(path, service) for service in services for path in files.get(service, ())]
        read, unreadable = dict[Path, Found](), dict[Path, OSError]()
        until = time.monotonic() + self._search_seconds
        for number, (path, service) in enumerate(wanted):
            try:
                # What one leaves of its time is for the others.
                read[path] = self._read(path, service, where, (until - time.monotonic()) / (len(wanted) - number))
            except OSError as fault:
                unreadable[path] = fault
        if unreadable and not read:
            raise Refused(_unreadable(*next(iter(unreadable.items()))))
        parts = [
            sorted((record for path in files.get(service, ()) if path in read for record in read[path].records), key=BY_TIME)
            for service in services
        ]
        cut = {str(path) for path, found in read.items() if found.cut}
        return Fetched(parts, cut, {str(path): _reason(fault) for path, fault in unreadable.items()})

    def _read(self, path: Path, service: str, where: LogFilter, seconds: float) -> Found:
        """Read a file; nothing of one that was last written to before the window, or was rotated away meanwhile. Raises OSError."""
        try:
            if path.stat().st_mtime < where.window.start.timestamp():
                return Found([])
            return read_records(path, service, where, self._most_bytes, seconds)
        except FileNotFoundError:
            return Found([])

    def check(self) -> Problem | None:
        """Explain why there is nothing to read, or which file or folder can't be read; None where all can."""
        closed: list[OSError] = []
        for _ in os.walk(self._folder, onerror=closed.append):
            pass  # a folder that can't be listed looks empty
        files = list(self._files())
        if not files:
            return _no_files(self._folder)
        closed += [fault for path in files if (fault := _find_fault(path))]
        return _unreadable(Path(closed[0].filename), closed[0]) if closed else None

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
        return (path for pattern in _PATTERNS for path in self._folder.rglob(pattern) if _is_file(path))


def open_provider(settings: Settings) -> LogFiles:
    """Open the folder at `path`."""
    return LogFiles(Path(settings.require("path")).expanduser())


def _is_file(path: Path) -> bool:
    """Say if it is a file. One of which not even that can be seen counts as a file, and is then named as one that can't be read."""
    try:
        return path.is_file()
    except PermissionError:
        return True


def _find_fault(path: Path) -> OSError | None:
    """Return why a file can't be opened; None where it can, or was rotated away meanwhile."""
    try:
        path.open("rb").close()
    except FileNotFoundError:
        return None
    except OSError as fault:
        return fault
    return None


def _reason(fault: OSError) -> str:
    return fault.strerror or type(fault).__name__


def _unreadable(path: Path, fault: OSError) -> Problem:
    return Problem(
        code="SVC-SOURCE-UNREADABLE",
        what=f"The log {path} can't be read.",
        why=f"{_reason(fault)}.",
        do=(
            f"Look who may read it: namei -l {path}",
            f"Let the user of the service read it; on an instance that is sre-agent: setfacl -m u:sre-agent:rX {path}",
        ),
    )


def _no_files(folder: Path) -> Problem:
    return Problem(
        code="SVC-SOURCE-NO-FILES",
        what=f"There is no log file below {folder}.",
        why="It must be a folder that the service may read, with files such as NAME.log or NAME/NAME.log in it.",
        do=(f"Look: ls -lR {folder}", "Correct `path` of this source in config.yaml, and deploy again."),
    )
